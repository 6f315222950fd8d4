namespace KprobeTrace.Devices.Interrupts;

/// <summary>A wire from a device to the inputs of the interrupt controllers.</summary>
internal sealed class InterruptLine
{
    private (IInterruptInput Controller, int Input)[] _ends = [];

    /// <summary>Whether the device asserts the line.</summary>
    public bool Level { get; private set; }

    /// <summary>Solders the line to a controller's input.</summary>
    public void Connect(IInterruptInput controller, int input)
    {
        ArgumentNullException.ThrowIfNull(controller);
        _ends = [.. _ends, (controller, input)];
    }

    /// <summary>Sets the level; controllers see changes only.</summary>
    public void Set(bool level)
    {
        if (level == Level)
        {
            return;
        }

        Level = level;
        foreach ((IInterruptInput controller, int input) in _ends)
        {
            controller.SetInput(input, level);
        }
    }

    /// <summary>Makes a rising edge and leaves the line asserted.</summary>
    public void Pulse()
    {
        Set(false);
        Set(true);
    }
}
