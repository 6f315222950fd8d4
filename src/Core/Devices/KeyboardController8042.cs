using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;

namespace KprobeTrace.Devices;

/// <summary>The keyboard controller of a PC at ports 0x60 and 0x64 with no keyboard and no mouse on it.</summary>
/// <remarks>
/// It answers every controller command at once, so that no probe waits in vain. A byte for the absent keyboard comes
/// back as 0xFE with the time-out bit, as from a controller whose device does not clock; the auxiliary port fails its
/// test. Command 0xFE (pulse output line 0) resets the machine.
/// </remarks>
internal sealed class KeyboardController8042 : IPortDevice
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
    private readonly byte[] _ram = new byte[32];
    private byte _status = StatusUnlocked | StatusSystem;
    private byte _output;

    // The command that waits for its data byte, or 0.
    private byte _command;

    /// <summary>Makes the controller as firmware leaves it.</summary>
    /// <param name="line">The line of IRQ 1.</param>
    /// <param name="power">Resets the machine.</param>
    public KeyboardController8042(InterruptLine line, IPowerControl power)
    {
        ArgumentNullException.ThrowIfNull(line);
        ArgumentNullException.ThrowIfNull(power);
        _line = line;
        _power = power;
        _ram[0] = FirmwareCommandByte;
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
        Array.Clear(_ram);
        _ram[0] = FirmwareCommandByte;
        _status = StatusUnlocked | StatusSystem;
        _command = 0;
        Evaluate();
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        if (port == 0x64)
        {
            return _status;
        }

        _status &= unchecked((byte)~(StatusOutputFull | StatusTimeout));
        Evaluate();
        return _output;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (port == 0x64)
        {
            _status |= StatusCommand;
            Execute((byte)value);
        }
        else
        {
            _status &= unchecked((byte)~StatusCommand);
            TakeData((byte)value);
        }
    }

    private void Execute(byte command)
    {
        _command = 0;
        switch (command)
        {
            case >= 0x20 and <= 0x3F:
                Answer(_ram[command - 0x20]);
                break;
            case (>= 0x60 and <= 0x7F) or 0xD1 or 0xD2 or 0xD3 or 0xD4:
                _command = command;
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
                _ram[0] |= 0x10;
                break;
            case 0xAE:
                _ram[0] &= 0xEF;
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
        byte command = _command;
        _command = 0;
        switch (command)
        {
            case >= 0x60 and <= 0x7F:
                _ram[command - 0x60] = data;
                _status = (byte)((_status & ~StatusSystem) | (_ram[0] & StatusSystem));
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
                _status |= StatusTimeout;
                break;
        }
    }

    private void Answer(byte value)
    {
        _output = value;
        _status = (byte)((_status | StatusOutputFull) & ~StatusTimeout);
        Evaluate();
    }

    private void Evaluate() => _line.Set((_status & StatusOutputFull) != 0 && (_ram[0] & 1) != 0);
}
