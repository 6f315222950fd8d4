namespace KprobeTrace.Devices;

/// <summary>How devices end or restart the machine. The processor stops before its next instruction.</summary>
internal interface IPowerControl
{
    /// <summary>The guest switched the machine off (ACPI sleep state S5).</summary>
    public void PowerOff();

    /// <summary>The guest asked for a reset of the whole machine.</summary>
    public void Reset();

    /// <summary>The guest wrote the exit port.</summary>
    /// <param name="value">What it wrote.</param>
    public void ExitWith(uint value);
}
