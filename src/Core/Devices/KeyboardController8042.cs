using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices;

/// <summary>The keyboard controller of a PC at ports 0x60 and 0x64 with no keyboard and no mouse on it.</summary>
/// <remarks>
/// It answers every controller command at once, so that no probe waits in vain. A byte for the absent keyboard comes
/// back as 0xFE with the time-out bit, as from a controller whose device does not clock; the auxiliary port fails its
/// test. Command 0xFE (pulse output line 0) resets the machine.
/// </remarks>
internal sealed class KeyboardController8042 : IPortDevice, IStateful
{
    /// <summary>The interrupt request of the keyboard.</summary>
    public const int Irq = 1;

    private const byte StatusOutputFull = 0x01;
    private const byte StatusSystem = 0x04;
    private const byte StatusCommand = 0x08;
    private const byte StatusUnlocked = 0x10;
    private const byte StatusTimeout = 0x40;

    private const byte NoAnswer = 0xFE;

    // System flag, translation, keyboard interrupt: what firmware leaves in the command byte.
    private const byte FirmwareCommandByte = 0x45;

    private readonly InterruptLine _line;
    private readonly IPowerControl _power;
    private State _state;

    /// <summary>Makes the controller as firmware leaves it.</summary>
    /// <param name="line">The line of IRQ 1.</param>
    /// <param name="power">Resets the machine.</param>
    public KeyboardController8042(InterruptLine line, IPowerControl power)
    {
        ArgumentNullException.ThrowIfNull(line);
        ArgumentNullException.ThrowIfNull(power);
        _line = line;
        _power = power;
        _state.Ram[0] = FirmwareCommandByte;
        _state.Status = StatusUnlocked | StatusSystem;
    }

    /// <summary>Puts the controller at its ports.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(0x60, 1, this);
        bus.Register(0x64, 1, this);
    }

    /// <summary>Goes back to the state in which firmware leaves the controller.</summary>
    public void Reset()
    {
        ((Span<byte>)_state.Ram).Clear();
        _state.Ram[0] = FirmwareCommandByte;
        _state.Status = StatusUnlocked | StatusSystem;
        _state.Command = 0;
        Evaluate();
    }

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from) => _state = from.Read<State>();

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        if (port == 0x64)
        {
            return _state.Status;
        }

        _state.Status &= unchecked((byte)~(StatusOutputFull | StatusTimeout));
        Evaluate();
        return _state.OutputBuffer;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (port == 0x64)
        {
            _state.Status |= StatusCommand;
            Execute((byte)value);
        }
        else
        {
            _state.Status &= unchecked((byte)~StatusCommand);
            TakeData((byte)value);
        }
    }

    private void Execute(byte command)
    {
        _state.Command = 0;
        switch (command)
        {
            case >= 0x20 and <= 0x3F:
                Answer(_state.Ram[command - 0x20]);
                break;
            case (>= 0x60 and <= 0x7F) or 0xD1 or 0xD2 or 0xD3 or 0xD4:
                _state.Command = command;
                break;
            case 0xA9:
                // Auxiliary interface test: the clock line is stuck high.
                Answer(0x02);
                break;
            case 0xAA:
                Answer(0x55);
                break;
            case 0xAB:
                Answer(0x00);
                break;
            case 0xAD:
                _state.Ram[0] |= 0x10;
                break;
            case 0xAE:
                _state.Ram[0] &= 0xEF;
                break;
            case 0xC0:
                Answer(0x80);
                break;
            case 0xD0:
                // A20 open, no reset.
                Answer(0x03);
                break;
            case >= 0xF0:
                if ((command & 1) == 0)
                {
                    _power.Reset();
                }

                break;
            default:
                break;
        }
    }

    private void TakeData(byte data)
    {
        byte command = _state.Command;
        _state.Command = 0;
        switch (command)
        {
            case >= 0x60 and <= 0x7F:
                _state.Ram[command - 0x60] = data;
                _state.Status = (byte)((_state.Status & ~StatusSystem) | (_state.Ram[0] & StatusSystem));
                Evaluate();
                break;
            case 0xD1:
                if ((data & 1) == 0)
                {
                    _power.Reset();
                }

                break;
            case 0xD2:
            case 0xD3:
                Answer(data);
                break;
            default:
                Answer(NoAnswer);
                _state.Status |= StatusTimeout;
                break;
        }
    }

    private void Answer(byte value)
    {
        _state.OutputBuffer = value;
        _state.Status = (byte)((_state.Status | StatusOutputFull) & ~StatusTimeout);
        Evaluate();
    }

    private void Evaluate() => _line.Set((_state.Status & StatusOutputFull) != 0 && (_state.Ram[0] & 1) != 0);

    /// <summary>What the controller keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>Its RAM, the command byte first.</summary>
        public RamBytes Ram;

        /// <summary>The status register.</summary>
        public byte Status;

        /// <summary>The output buffer.</summary>
        public byte OutputBuffer;

        /// <summary>The command that waits for its data byte, or 0.</summary>
        public byte Command;
    }

    /// <summary>The RAM that commands 0x20 to 0x3F and 0x60 to 0x7F name.</summary>
    [InlineArray(32)]
    private struct RamBytes
    {
        private byte _first;
    }
}
