namespace KprobeTrace.Tests.Devices.Models;

/// <summary>A 16550A by its data sheet, register by register, with lists for queues: slow and plain.</summary>
internal sealed class UartModel
{
    private readonly List<int> _receiver = [];
    private readonly List<int> _outside = [];
    private bool _fifos;
    private int _trigger = 1;
    private int _ier;
    private int _lcr;
    private int _mcr;
    private bool _overrun;
    private int _deltas;
    private int _scratch;
    private int _divisorLow = 12;
    private int _divisorHigh;
    private bool _empty;

    public List<byte> Sent { get; } = [];

    public int Waiting => _outside.Count;

    /// <summary>On a PC OUT2 gates the interrupt; in loopback the pin is cut off.</summary>
    public bool Line => (_mcr & 0x18) == 0x08 && Cause() != 1;

    private bool Loop => (_mcr & 0x10) != 0;

    public void Receive(ReadOnlySpan<byte> data)
    {
        foreach (byte value in data)
        {
            _outside.Add(value);
        }

        Refill();
    }

    public void Reset()
    {
        _receiver.Clear();
        (_fifos, _trigger, _ier, _lcr, _mcr, _overrun, _deltas, _empty) = (false, 1, 0, 0, 0, false, 0, false);
    }

    public int Read(int register)
    {
        bool latch = _lcr >= 0x80;
        switch (register)
        {
            case 0 when latch:
                return _divisorLow;
            case 0:
                return Take();
            case 1:
                return latch ? _divisorHigh : _ier;
            case 2:
                int cause = Cause();
                _empty &= cause != 2;
                return cause + (_fifos ? 0xC0 : 0);
            case 3:
                return _lcr;
            case 4:
                return _mcr;
            case 5:
                int status = 0x60 + (_overrun ? 2 : 0) + (_receiver.Count > 0 ? 1 : 0);
                _overrun = false;
                return status;
            case 6:
                int modem = Levels() + _deltas;
                _deltas = 0;
                return modem;
            default:
                return _scratch;
        }
    }

    public void Write(int register, int value)
    {
        bool latch = _lcr >= 0x80;
        switch (register)
        {
            case 0 when latch:
                _divisorLow = value;
                break;
            case 1 when latch:
                _divisorHigh = value;
                break;
            case 0:
                Send(value);
                break;
            case 1:
                _empty |= (value & 2) != 0 && (_ier & 2) == 0;
                _ier = value % 16;
                break;
            case 2:
                ControlFifos(value);
                break;
            case 3:
                _lcr = value;
                break;
            case 4:
                ControlModem(value % 32);
                break;
            case 7:
                _scratch = value;
                break;
            default:
                break;
        }
    }

    private void Send(int value)
    {
        if (!Loop)
        {
            Sent.Add((byte)value);
        }
        else if (_receiver.Count < (_fifos ? 16 : 1))
        {
            _receiver.Add(value);
        }
        else
        {
            _overrun = true;
            _receiver[0] = _fifos ? _receiver[0] : value;
        }

        _empty = true;
    }

    private int Take()
    {
        if (_receiver.Count == 0)
        {
            return 0;
        }

        int value = _receiver[0];
        _receiver.RemoveAt(0);
        Refill();
        return value;
    }

    private void Refill()
    {
        while (!Loop && _outside.Count > 0 && _receiver.Count < (_fifos ? 16 : 1))
        {
            _receiver.Add(_outside[0]);
            _outside.RemoveAt(0);
        }
    }

    private void ControlFifos(int value)
    {
        bool on = value % 2 == 1;
        if ((value & 2) != 0 || on != _fifos)
        {
            _receiver.Clear();
        }

        _fifos = on;
        int[] levels = [1, 4, 8, 14];
        _trigger = on ? levels[value / 64] : 1;
        Refill();
    }

    private void ControlModem(int value)
    {
        int before = Levels();
        _mcr = value;
        int after = Levels();
        foreach ((int level, int delta) in new[] { (0x10, 1), (0x20, 2), (0x80, 8) })
        {
            _deltas |= (before & level) != (after & level) ? delta : 0;
        }

        _deltas |= (before & 0x40) > (after & 0x40) ? 4 : 0;
        Refill();
    }

    /// <summary>CTS, DSR, RI, DCD: asserted but for the ring, or in loopback RTS, DTR, OUT1, OUT2.</summary>
    private int Levels() => !Loop ? 0xB0
        : ((_mcr & 2) != 0 ? 0x10 : 0) + ((_mcr & 1) != 0 ? 0x20 : 0) + ((_mcr & 4) != 0 ? 0x40 : 0) + ((_mcr & 8) != 0 ? 0x80 : 0);

    /// <summary>The interrupt of the highest rank, as the low bits of the identification register have it; 1 is none.</summary>
    private int Cause()
    {
        (int Enable, bool Is, int Ident)[] causes =
        [
            (4, _overrun, 6), (1, _receiver.Count >= _trigger, 4), (1, _receiver.Count > 0, 12), (2, _empty, 2), (8, _deltas != 0, 0),
        ];
        return causes.Where(c => (_ier & c.Enable) != 0 && c.Is).Select(static c => c.Ident).DefaultIfEmpty(1).First();
    }
}
