using System.Numerics;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>One 8259A interrupt controller (Intel 8259A data sheet, order number 231468).</summary>
internal sealed class Pic8259
{
    private readonly bool _isMaster;
    private byte _lines;
    private byte _edges;
    private byte _mask;
    private byte _inService;
    private byte _vectorBase;
    private byte _levelTriggered;
    private bool _allLevel;
    private int _initStep;
    private bool _needsIcw4;
    private bool _isSingle;
    private bool _autoEoi;
    private bool _rotateOnAutoEoi;
    private bool _fullyNested;
    private bool _specialMask;
    private bool _readInService;
    private bool _poll;

    // The input with the highest priority.
    private int _first;

    public Pic8259(bool isMaster)
    {
        _isMaster = isMaster;
        Reset();
    }

    /// <summary>Whether the INT output is asserted.</summary>
    public bool Output => HighestRequest() >= 0;

    /// <summary>The edge/level control register of the chip set: a bit for each level-triggered input.</summary>
    public byte EdgeLevelControl
    {
        get => _levelTriggered;
        set
        {
            // The timer, the keyboard and the cascade (master) and the RTC and the coprocessor (slave) are always edge.
            _levelTriggered = (byte)(value & (_isMaster ? 0xF8 : 0xDE));
            _edges &= (byte)~_levelTriggered;
        }
    }

    private byte Level => _allLevel ? (byte)0xFF : _levelTriggered;

    // The cascade counts as level: the slave's output may stay up from one of its interrupts to the next.
    private byte Requests => (byte)((_edges & ~Level) | (_lines & (Level | CascadeBit)));

    private byte CascadeBit => (byte)(_isMaster ? 1 << Pic8259Pair.CascadeInput : 0);

    /// <summary>Masks everything until the guest initialises the chip.</summary>
    public void Reset()
    {
        _edges = 0;
        _mask = 0xFF;
        _inService = 0;
        _vectorBase = 0;
        _levelTriggered = 0;
        _allLevel = false;
        _initStep = 0;
        _isSingle = false;
        ClearModes();
    }

    public void SetInput(int input, bool level)
    {
        byte bit = (byte)(1 << input);
        if (!level)
        {
            // The request has to stay up until it is acknowledged, in edge mode as well.
            _lines &= (byte)~bit;
            _edges &= (byte)~bit;
        }
        else if ((_lines & bit) == 0)
        {
            _lines |= bit;
            _edges |= bit;
        }
    }

    /// <summary>Runs an interrupt acknowledge cycle.</summary>
    /// <returns>The input that is now in service, or -1 when no request was there (a spurious interrupt).</returns>
    public int Acknowledge()
    {
        int input = HighestRequest();
        if (input < 0)
        {
            return -1;
        }

        byte bit = (byte)(1 << input);
        _edges &= (byte)~bit;
        if (!_autoEoi)
        {
            _inService |= bit;
        }
        else if (_rotateOnAutoEoi)
        {
            _first = (input + 1) & 7;
        }

        return input;
    }

    /// <summary>The vector of an input; a spurious interrupt has that of input 7.</summary>
    public int Vector(int input) => _vectorBase | (input < 0 ? 7 : input);

    public byte ReadCommand()
    {
        if (_poll)
        {
            return Poll();
        }

        return _readInService ? _inService : Requests;
    }

    public byte ReadData() => _poll ? Poll() : _mask;

    public void WriteCommand(byte value)
    {
        if ((value & 0x10) != 0)
        {
            BeginInitialisation(value);
        }
        else if ((value & 0x08) != 0)
        {
            WriteOperation3(value);
        }
        else
        {
            WriteOperation2(value);
        }
    }

    public void WriteData(byte value)
    {
        switch (_initStep)
        {
            case 2:
                _vectorBase = (byte)(value & 0xF8);
                _initStep = _isSingle ? (_needsIcw4 ? 4 : 0) : 3;
                break;
            case 3:
                // Which input the slave hangs on, or the slave's number: the wiring of a PC fixes both.
                _initStep = _needsIcw4 ? 4 : 0;
                break;
            case 4:
                _autoEoi = (value & 0x02) != 0;
                _fullyNested = (value & 0x10) != 0;
                _initStep = 0;
                break;
            default:
                _mask = value;
                break;
        }
    }

    private void BeginInitialisation(byte value)
    {
        _edges = 0;
        _mask = 0;
        _inService = 0;
        ClearModes();
        _needsIcw4 = (value & 0x01) != 0;
        _isSingle = (value & 0x02) != 0;
        _allLevel = (value & 0x08) != 0;
        _initStep = 2;
    }

    private void ClearModes()
    {
        _first = 0;
        _autoEoi = false;
        _rotateOnAutoEoi = false;
        _fullyNested = false;
        _specialMask = false;
        _readInService = false;
        _poll = false;
    }

    private void WriteOperation3(byte value)
    {
        if ((value & 0x04) != 0)
        {
            _poll = true;
        }

        if ((value & 0x02) != 0)
        {
            _readInService = (value & 0x01) != 0;
        }

        if ((value & 0x40) != 0)
        {
            _specialMask = (value & 0x20) != 0;
        }
    }

    private void WriteOperation2(byte value)
    {
        int level = value & 7;
        switch (value >> 5)
        {
            case 0:
                _rotateOnAutoEoi = false;
                break;
            case 4:
                _rotateOnAutoEoi = true;
                break;
            case 1:
                EndOfInterrupt(HighestInService());
                break;
            case 5:
                int ended = HighestInService();
                EndOfInterrupt(ended);
                if (ended >= 0)
                {
                    _first = (ended + 1) & 7;
                }

                break;
            case 3:
                EndOfInterrupt(level);
                break;
            case 7:
                EndOfInterrupt(level);
                _first = (level + 1) & 7;
                break;
            case 6:
                _first = (level + 1) & 7;
                break;
            default:
                break;
        }
    }

    private void EndOfInterrupt(int input)
    {
        if (input >= 0)
        {
            _inService &= (byte)~(1 << input);
        }
    }

    // In special mask mode a non-specific end of interrupt leaves inputs alone that are masked.
    private int HighestInService() => Highest(_specialMask ? (byte)(_inService & ~_mask) : _inService);

    private byte Poll()
    {
        _poll = false;
        int input = Acknowledge();
        return input < 0 ? (byte)0 : (byte)(0x80 | input);
    }

    private int HighestRequest()
    {
        int request = Highest((byte)(Requests & ~_mask));
        if (request < 0)
        {
            return -1;
        }

        byte blocking = _inService;
        if (_specialMask)
        {
            blocking &= (byte)~_mask;
        }

        if (_fullyNested)
        {
            blocking &= (byte)~CascadeBit;
        }

        int serviced = Highest(blocking);
        return serviced < 0 || Rank(request) < Rank(serviced) ? request : -1;
    }

    private int Highest(byte bits)
    {
        if (bits == 0)
        {
            return -1;
        }

        uint rotated = (uint)((bits | (bits << 8)) >> _first) & 0xFF;
        return (BitOperations.TrailingZeroCount(rotated) + _first) & 7;
    }

    private int Rank(int input) => (input - _first) & 7;
}
