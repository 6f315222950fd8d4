namespace KprobeTrace.Devices.Interrupts;

/// <summary>An interrupt controller's inputs.</summary>
internal interface IInterruptInput
{
    /// <summary>Sets the level of an input.</summary>
    /// <param name="input">Number of the input, from 0.</param>
    /// <param name="level">True while the device asserts its request.</param>
    public void SetInput(int input, bool level);
}
