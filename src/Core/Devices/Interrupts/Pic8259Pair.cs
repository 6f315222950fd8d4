using System.Runtime.InteropServices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>The two cascaded 8259A of a PC with their edge/level control registers: 15 interrupt requests.</summary>
/// <remarks>Ports 0x20 and 0x21 (master), 0xA0 and 0xA1 (slave), 0x4D0 and 0x4D1 (edge or level).</remarks>
internal sealed class Pic8259Pair : IInterruptInput, IPortDevice, IStateful
{
    /// <summary>The master's input to which the slave's output is wired.</summary>
    public const int CascadeInput = 2;

    private readonly Pic8259 _master = new(isMaster: true);
    private readonly Pic8259 _slave = new(isMaster: false);
    private readonly Action<bool> _output;
    private State _state;

    /// <summary>Makes the pair with everything masked.</summary>
    /// <param name="output">Is told when the interrupt request to the processor changes; wired to LINT0.</param>
    public Pic8259Pair(Action<bool> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        _output = output;
    }

    /// <summary>Puts the pair at its ports.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(0x20, 2, this);
        bus.Register(0xA0, 2, this);
        bus.Register(0x4D0, 2, this);
    }

    /// <summary>Masks everything, as after power-up.</summary>
    public void Reset()
    {
        _master.Reset();
        _slave.Reset();
        Evaluate();
    }

    /// <inheritdoc/>
    /// <remarks>Inputs 0 to 7 are the master's, 8 to 15 the slave's; input 2 is the cascade and no device's.</remarks>
    public void SetInput(int input, bool level)
    {
        if (input >= 8)
        {
            _slave.SetInput(input - 8, level);
        }
        else if (input != CascadeInput)
        {
            _master.SetInput(input, level);
        }

        Evaluate();
    }

    /// <summary>Runs the acknowledge cycle of the processor.</summary>
    /// <returns>The vector; that of IRQ 7 or IRQ 15 when the request has gone (spurious).</returns>
    public int Acknowledge()
    {
        int input = _master.Acknowledge();
        int vector = _master.Vector(input);
        if (input == CascadeInput)
        {
            vector = _slave.Vector(_slave.Acknowledge());
        }

        Evaluate();
        return vector;
    }

    /// <inheritdoc/>
    public void Save(StateWriter to)
    {
        _master.Save(to);
        _slave.Save(to);
        to.Write(_state);
    }

    /// <inheritdoc/>
    public void Load(StateReader from)
    {
        _master.Load(from);
        _slave.Load(from);
        _state = from.Read<State>();
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        uint value = port switch
        {
            0x20 => _master.ReadCommand(),
            0x21 => _master.ReadData(),
            0xA0 => _slave.ReadCommand(),
            0xA1 => _slave.ReadData(),
            0x4D0 => _master.EdgeLevelControl,
            0x4D1 => _slave.EdgeLevelControl,
            _ => 0xFF,
        };

        // A read may have been a poll, which acknowledges.
        Evaluate();
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        byte data = (byte)value;
        switch (port)
        {
            case 0x20:
                _master.WriteCommand(data);
                break;
            case 0x21:
                _master.WriteData(data);
                break;
            case 0xA0:
                _slave.WriteCommand(data);
                break;
            case 0xA1:
                _slave.WriteData(data);
                break;
            case 0x4D0:
                _master.EdgeLevelControl = data;
                break;
            case 0x4D1:
                _slave.EdgeLevelControl = data;
                break;
            default:
                break;
        }

        Evaluate();
    }

    private void Evaluate()
    {
        _master.SetInput(CascadeInput, _slave.Output);
        bool asserted = _master.Output;
        if (asserted != _state.Asserted)
        {
            _state.Asserted = asserted;
            _output(asserted);
        }
    }

    /// <summary>What the pair keeps beside its chips.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>The level of the master's output, as it was told.</summary>
        public bool Asserted;
    }
}
