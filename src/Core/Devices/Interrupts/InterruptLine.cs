using System.Runtime.InteropServices;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>A wire from a device to the inputs of the interrupt controllers.</summary>
internal sealed class InterruptLine : IStateful
{
    private (IInterruptInput Controller, int Input)[] _ends = [];
    private State _state;

    /// <summary>Whether the device asserts the line.</summary>
    public bool Level => _state.Level;

    /// <summary>Solders the line to a controller's input.</summary>
    public void Connect(IInterruptInput controller, int input)
    {
        ArgumentNullException.ThrowIfNull(controller);
        _ends = [.. _ends, (controller, input)];
    }

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from) => _state = from.Read<State>();

    /// <summary>Sets the level; controllers see changes only.</summary>
    public void Set(bool level)
    {
        if (level == Level)
        {
            return;
        }

        _state.Level = level;
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

    /// <summary>What a wire keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>Whether it is asserted.</summary>
        public bool Level;
    }
}
