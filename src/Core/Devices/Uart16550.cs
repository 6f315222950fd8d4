using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices;

/// <summary>A 16550A serial port (National Semiconductor PC16550D data sheet), wired as a PC's COM port.</summary>
/// <remarks>
/// A byte is on the line the moment it is written: the transmitter is always empty, and its interrupt comes at once.
/// Received bytes wait in a queue outside the chip until the receiver has room, so none is lost. The character
/// time-out interrupt is raised as soon as the FIFO holds fewer bytes than its trigger level. As on a PC, the OUT2 bit
/// connects the interrupt line. Clear to send, data set ready and carrier are asserted.
/// </remarks>
internal sealed class Uart16550 : IPortDevice, IStateful
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
    private readonly Queue<byte> _input = new();
    private State _state = new() { TriggerLevel = 1, DivisorLatch = 12 };

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

    private bool IsLoop => (_state.ModemControl & ControlLoop) != 0;

    /// <summary>Puts the serial port at its ports.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(_firstPort, PortCount, this);
    }

    /// <summary>Master reset: the registers but not the input that waits outside, the divisor and the scratch register.</summary>
    public void Reset()
    {
        _state.FifoCount = 0;
        _state.FifosEnabled = false;
        _state.TriggerLevel = 1;
        _state.InterruptEnable = 0;
        _state.LineControl = 0;
        _state.ModemControl = 0;
        _state.LineErrors = 0;
        _state.ModemDeltas = 0;
        _state.TransmitterEmptyPending = false;
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
    /// <remarks>Behind the chip's own state stand the bytes that wait outside, and before them how many.</remarks>
    public void Save(StateWriter to)
    {
        to.Write(_state);
        to.Write(_input.Count);
        to.Write(_input.ToArray());
    }

    /// <inheritdoc/>
    public void Load(StateReader from)
    {
        State state = from.Read<State>();
        int waiting = from.Read<int>();
        from.Require(state.FifoHead < FifoSize && state.FifoCount <= FifoSize && waiting is >= 0 and <= InputCapacity);
        _state = state;
        _input.Clear();
        foreach (byte value in from.Read(waiting))
        {
            _input.Enqueue(value);
        }
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        switch (port - _firstPort)
        {
            case 5:
                return ReadLineStatus();
            case 0 when (_state.LineControl & DivisorAccess) != 0:
                return (byte)_state.DivisorLatch;
            case 0:
                return ReadReceiver();
            case 1 when (_state.LineControl & DivisorAccess) != 0:
                return (byte)(_state.DivisorLatch >> 8);
            case 1:
                return _state.InterruptEnable;
            case 2:
                return ReadInterruptIdentification();
            case 3:
                return _state.LineControl;
            case 4:
                return _state.ModemControl;
            case 6:
                return ReadModemStatus();
            default:
                return _state.Scratch;
        }
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        byte data = (byte)value;
        switch (port - _firstPort)
        {
            case 0 when (_state.LineControl & DivisorAccess) != 0:
                _state.DivisorLatch = (ushort)((_state.DivisorLatch & 0xFF00) | data);
                break;
            case 0:
                Transmit(data);
                break;
            case 1 when (_state.LineControl & DivisorAccess) != 0:
                _state.DivisorLatch = (ushort)((_state.DivisorLatch & 0xFF) | (data << 8));
                break;
            case 1:
                WriteInterruptEnable(data);
                break;
            case 2:
                WriteFifoControl(data);
                break;
            case 3:
                _state.LineControl = data;
                break;
            case 4:
                WriteModemControl(data);
                break;
            case 7:
                _state.Scratch = data;
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
        _state.TransmitterEmptyPending = true;
        Evaluate();
    }

    private byte ReadReceiver()
    {
        if (_state.FifoCount == 0)
        {
            return 0;
        }

        byte value = _state.Fifo[_state.FifoHead];
        _state.FifoHead = (byte)((_state.FifoHead + 1) % FifoSize);
        _state.FifoCount--;
        FillReceiver();
        Evaluate();
        return value;
    }

    private void FillReceiver()
    {
        int room = _state.FifosEnabled ? FifoSize : 1;
        while (!IsLoop && _state.FifoCount < room && _input.TryDequeue(out byte value))
        {
            PutIntoReceiver(value);
        }
    }

    private void PutIntoReceiver(byte value)
    {
        if (_state.FifoCount == (_state.FifosEnabled ? FifoSize : 1))
        {
            // Without FIFOs the new byte replaces the old one; a full FIFO stays and the shift register is lost.
            _state.LineErrors |= LineOverrun;
            if (!_state.FifosEnabled)
            {
                _state.Fifo[_state.FifoHead] = value;
            }

            return;
        }

        _state.Fifo[(_state.FifoHead + _state.FifoCount) % FifoSize] = value;
        _state.FifoCount++;
    }

    private byte ReadLineStatus()
    {
        byte status = (byte)(LineTransmitterIdle | _state.LineErrors | (_state.FifoCount != 0 ? LineDataReady : 0));
        if (_state.LineErrors != 0)
        {
            _state.LineErrors = 0;
            Evaluate();
        }

        return status;
    }

    private byte ReadInterruptIdentification()
    {
        byte ident = Identify();
        if (ident == IdentTransmitterEmpty)
        {
            _state.TransmitterEmptyPending = false;
            Evaluate();
        }

        return (byte)(ident | (_state.FifosEnabled ? 0xC0 : 0));
    }

    private void WriteInterruptEnable(byte value)
    {
        value &= 0x0F;

        // Enabling the interrupt while the transmitter is empty raises it, even when it was acknowledged before.
        if ((value & ~_state.InterruptEnable & EnableTransmitterEmpty) != 0)
        {
            _state.TransmitterEmptyPending = true;
        }

        _state.InterruptEnable = value;
        Evaluate();
    }

    private void WriteFifoControl(byte value)
    {
        bool enable = (value & 0x01) != 0;
        if (enable != _state.FifosEnabled || (value & 0x02) != 0)
        {
            _state.FifoCount = 0;
        }

        _state.FifosEnabled = enable;
        _state.TriggerLevel = (byte)(!enable ? 1 : (value >> 6) switch { 0 => 1, 1 => 4, 2 => 8, _ => 14 });
        FillReceiver();
        Evaluate();
    }

    private void WriteModemControl(byte value)
    {
        byte before = ModemLevels();
        _state.ModemControl = (byte)(value & 0x1F);
        byte after = ModemLevels();
        byte changed = (byte)(before ^ after);
        _state.ModemDeltas |= (byte)((changed >> 4) & 0x0B);

        // The ring indicator reports its trailing edge only.
        if ((before & ~after & 0x40) != 0)
        {
            _state.ModemDeltas |= 0x04;
        }

        FillReceiver();
        Evaluate();
    }

    private byte ReadModemStatus()
    {
        byte status = (byte)(ModemLevels() | _state.ModemDeltas);
        _state.ModemDeltas = 0;
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
        int control = _state.ModemControl;
        return (byte)(((control & 0x02) << 3) | ((control & 0x01) << 5) | ((control & 0x04) << 4) | ((control & 0x08) << 4));
    }

    private byte Identify()
    {
        if ((_state.InterruptEnable & EnableLineStatus) != 0 && (_state.LineErrors & LineErrors) != 0)
        {
            return IdentLineStatus;
        }

        if ((_state.InterruptEnable & EnableReceived) != 0 && _state.FifoCount != 0)
        {
            return _state.FifoCount >= _state.TriggerLevel ? IdentReceived : IdentTimeout;
        }

        if ((_state.InterruptEnable & EnableTransmitterEmpty) != 0 && _state.TransmitterEmptyPending)
        {
            return IdentTransmitterEmpty;
        }

        return (_state.InterruptEnable & EnableModemStatus) != 0 && _state.ModemDeltas != 0 ? IdentModem : IdentNone;
    }

    private void Evaluate() =>
        _line.Set((_state.ModemControl & (ControlOut2 | ControlLoop)) == ControlOut2 && Identify() != IdentNone);

    /// <summary>What the chip keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>The receiver's FIFO, a ring; without FIFOs the receiver buffer register is one byte of it.</summary>
        public FifoBytes Fifo;

        /// <summary>The divisor latch.</summary>
        public ushort DivisorLatch;

        /// <summary>Where the oldest byte of the FIFO is.</summary>
        public byte FifoHead;

        /// <summary>Bytes in the FIFO.</summary>
        public byte FifoCount;

        /// <summary>Bytes at which the FIFO asks for an interrupt.</summary>
        public byte TriggerLevel;

        /// <summary>Whether the FIFOs are on.</summary>
        public bool FifosEnabled;

        /// <summary>The interrupt enable register.</summary>
        public byte InterruptEnable;

        /// <summary>The line control register.</summary>
        public byte LineControl;

        /// <summary>The modem control register.</summary>
        public byte ModemControl;

        /// <summary>The error bits of the line status register.</summary>
        public byte LineErrors;

        /// <summary>The lower four bits of the modem status register.</summary>
        public byte ModemDeltas;

        /// <summary>The scratch register.</summary>
        public byte Scratch;

        /// <summary>Whether the interrupt of the empty transmitter waits to be acknowledged.</summary>
        public bool TransmitterEmptyPending;
    }

    /// <summary>The receiver's FIFO.</summary>
    [InlineArray(FifoSize)]
    private struct FifoBytes
    {
        private byte _first;
    }
}
