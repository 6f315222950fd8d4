using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;

namespace KprobeTrace.Devices;

/// <summary>A 16550A serial port (National Semiconductor PC16550D data sheet), wired as a PC's COM port.</summary>
/// <remarks>
/// A byte is on the line the moment it is written: the transmitter is always empty, and its interrupt comes at once.
/// Received bytes wait in a queue outside the chip until the receiver has room, so none is lost. The character
/// time-out interrupt is raised as soon as the FIFO holds fewer bytes than its trigger level. As on a PC, the OUT2 bit
/// connects the interrupt line. Clear to send, data set ready and carrier are asserted.
/// </remarks>
internal sealed class Uart16550 : IPortDevice
{
    /// <summary>First port of COM1.</summary>
    public const ushort Com1 = 0x3F8;

    /// <summary>Interrupt request of COM1.</summary>
    public const int Com1Irq = 4;

    /// <summary>Number of ports.</summary>
    public const int PortCount = 8;

    /// <summary>Bytes of input that wait outside the chip at most.</summary>
    public const int InputCapacity = 65536;

    private const int FifoSize = 16;

    private const byte EnableReceived = 0x01;
    private const byte EnableTransmitterEmpty = 0x02;
    private const byte EnableLineStatus = 0x04;
    private const byte EnableModemStatus = 0x08;

    private const byte IdentModem = 0x00;
    private const byte IdentNone = 0x01;
    private const byte IdentTransmitterEmpty = 0x02;
    private const byte IdentReceived = 0x04;
    private const byte IdentLineStatus = 0x06;
    private const byte IdentTimeout = 0x0C;

    private const byte LineDataReady = 0x01;
    private const byte LineOverrun = 0x02;
    private const byte LineErrors = 0x1E;
    private const byte LineTransmitterIdle = 0x60;

    private const byte ControlOut2 = 0x08;
    private const byte ControlLoop = 0x10;

    private const byte DivisorAccess = 0x80;

    private readonly ushort _firstPort;
    private readonly InterruptLine _line;
    private readonly Action<byte> _transmit;
    private readonly byte[] _fifo = new byte[FifoSize];
    private readonly Queue<byte> _input = new();
    private int _fifoHead;
    private int _fifoCount;
    private bool _fifosEnabled;
    private int _trigger = 1;
    private byte _interruptEnable;
    private byte _lineControl;
    private byte _modemControl;
    private byte _lineErrors;
    private byte _modemDeltas;
    private byte _scratch;
    private ushort _divisor = 12;
    private bool _transmitterEmptyPending;

    /// <summary>Makes a serial port in its reset state.</summary>
    /// <param name="firstPort">The port of its first register.</param>
    /// <param name="line">Its interrupt line.</param>
    /// <param name="transmit">Takes every byte the guest sends.</param>
    public Uart16550(ushort firstPort, InterruptLine line, Action<byte> transmit)
    {
        ArgumentNullException.ThrowIfNull(line);
        ArgumentNullException.ThrowIfNull(transmit);
        _firstPort = firstPort;
        _line = line;
        _transmit = transmit;
    }

    private bool IsLoop => (_modemControl & ControlLoop) != 0;

    /// <summary>Puts the serial port at its ports.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(_firstPort, PortCount, this);
    }

    /// <summary>Master reset: the registers but not the input that waits outside, the divisor and the scratch register.</summary>
    public void Reset()
    {
        _fifoCount = 0;
        _fifosEnabled = false;
        _trigger = 1;
        _interruptEnable = 0;
        _lineControl = 0;
        _modemControl = 0;
        _lineErrors = 0;
        _modemDeltas = 0;
        _transmitterEmptyPending = false;
        Evaluate();
    }

    /// <summary>Sends bytes to the guest.</summary>
    /// <returns>How many were taken; fewer than given once <see cref="InputCapacity"/> bytes wait.</returns>
    public int Receive(ReadOnlySpan<byte> data)
    {
        int taken = Math.Min(data.Length, InputCapacity - _input.Count);
        foreach (byte value in data[..taken])
        {
            _input.Enqueue(value);
        }

        FillReceiver();
        Evaluate();
        return taken;
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        switch (port - _firstPort)
        {
            case 5:
                return ReadLineStatus();
            case 0 when (_lineControl & DivisorAccess) != 0:
                return (byte)_divisor;
            case 0:
                return ReadReceiver();
            case 1 when (_lineControl & DivisorAccess) != 0:
                return (byte)(_divisor >> 8);
            case 1:
                return _interruptEnable;
            case 2:
                return ReadInterruptIdentification();
            case 3:
                return _lineControl;
            case 4:
                return _modemControl;
            case 6:
                return ReadModemStatus();
            default:
                return _scratch;
        }
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        byte data = (byte)value;
        switch (port - _firstPort)
        {
            case 0 when (_lineControl & DivisorAccess) != 0:
                _divisor = (ushort)((_divisor & 0xFF00) | data);
                break;
            case 0:
                Transmit(data);
                break;
            case 1 when (_lineControl & DivisorAccess) != 0:
                _divisor = (ushort)((_divisor & 0xFF) | (data << 8));
                break;
            case 1:
                WriteInterruptEnable(data);
                break;
            case 2:
                WriteFifoControl(data);
                break;
            case 3:
                _lineControl = data;
                break;
            case 4:
                WriteModemControl(data);
                break;
            case 7:
                _scratch = data;
                break;
            default:
                break;
        }
    }

    private void Transmit(byte value)
    {
        if (IsLoop)
        {
            PutIntoReceiver(value);
        }
        else
        {
            _transmit(value);
        }

        // The byte left at once, so the empty transmitter is news again.
        _transmitterEmptyPending = true;
        Evaluate();
    }

    private byte ReadReceiver()
    {
        if (_fifoCount == 0)
        {
            return 0;
        }

        byte value = _fifo[_fifoHead];
        _fifoHead = (_fifoHead + 1) % FifoSize;
        _fifoCount--;
        FillReceiver();
        Evaluate();
        return value;
    }

    private void FillReceiver()
    {
        int room = _fifosEnabled ? FifoSize : 1;
        while (!IsLoop && _fifoCount < room && _input.TryDequeue(out byte value))
        {
            PutIntoReceiver(value);
        }
    }

    private void PutIntoReceiver(byte value)
    {
        if (_fifoCount == (_fifosEnabled ? FifoSize : 1))
        {
            // Without FIFOs the new byte replaces the old one; a full FIFO stays and the shift register is lost.
            _lineErrors |= LineOverrun;
            if (!_fifosEnabled)
            {
                _fifo[_fifoHead] = value;
            }

            return;
        }

        _fifo[(_fifoHead + _fifoCount) % FifoSize] = value;
        _fifoCount++;
    }

    private byte ReadLineStatus()
    {
        byte status = (byte)(LineTransmitterIdle | _lineErrors | (_fifoCount != 0 ? LineDataReady : 0));
        if (_lineErrors != 0)
        {
            _lineErrors = 0;
            Evaluate();
        }

        return status;
    }

    private byte ReadInterruptIdentification()
    {
        byte ident = Identify();
        if (ident == IdentTransmitterEmpty)
        {
            _transmitterEmptyPending = false;
            Evaluate();
        }

        return (byte)(ident | (_fifosEnabled ? 0xC0 : 0));
    }

    private void WriteInterruptEnable(byte value)
    {
        value &= 0x0F;

        // Enabling the interrupt while the transmitter is empty raises it, even when it was acknowledged before.
        if ((value & ~_interruptEnable & EnableTransmitterEmpty) != 0)
        {
            _transmitterEmptyPending = true;
        }

        _interruptEnable = value;
        Evaluate();
    }

    private void WriteFifoControl(byte value)
    {
        bool enable = (value & 0x01) != 0;
        if (enable != _fifosEnabled || (value & 0x02) != 0)
        {
            _fifoCount = 0;
        }

        _fifosEnabled = enable;
        _trigger = !enable ? 1 : (value >> 6) switch { 0 => 1, 1 => 4, 2 => 8, _ => 14 };
        FillReceiver();
        Evaluate();
    }

    private void WriteModemControl(byte value)
    {
        byte before = ModemLevels();
        _modemControl = (byte)(value & 0x1F);
        byte after = ModemLevels();
        byte changed = (byte)(before ^ after);
        _modemDeltas |= (byte)((changed >> 4) & 0x0B);

        // The ring indicator reports its trailing edge only.
        if ((before & ~after & 0x40) != 0)
        {
            _modemDeltas |= 0x04;
        }

        FillReceiver();
        Evaluate();
    }

    private byte ReadModemStatus()
    {
        byte status = (byte)(ModemLevels() | _modemDeltas);
        _modemDeltas = 0;
        Evaluate();
        return status;
    }

    private byte ModemLevels()
    {
        if (!IsLoop)
        {
            // Carrier detect, data set ready, clear to send.
            return 0xB0;
        }

        // In loopback RTS, DTR, OUT1, OUT2 come back as CTS, DSR, RI, DCD.
        int control = _modemControl;
        return (byte)(((control & 0x02) << 3) | ((control & 0x01) << 5) | ((control & 0x04) << 4) | ((control & 0x08) << 4));
    }

    private byte Identify()
    {
        if ((_interruptEnable & EnableLineStatus) != 0 && (_lineErrors & LineErrors) != 0)
        {
            return IdentLineStatus;
        }

        if ((_interruptEnable & EnableReceived) != 0 && _fifoCount != 0)
        {
            return _fifoCount >= _trigger ? IdentReceived : IdentTimeout;
        }

        if ((_interruptEnable & EnableTransmitterEmpty) != 0 && _transmitterEmptyPending)
        {
            return IdentTransmitterEmpty;
        }

        return (_interruptEnable & EnableModemStatus) != 0 && _modemDeltas != 0 ? IdentModem : IdentNone;
    }

    private void Evaluate() =>
        _line.Set((_modemControl & (ControlOut2 | ControlLoop)) == ControlOut2 && Identify() != IdentNone);
}
