namespace KprobeTrace.Devices;

/// <summary>One counter of an 8254 (Intel 8254 data sheet, order number 231164), computed from the time on demand.</summary>
/// <remarks>Times are ticks of the counter's clock input. A count that is written is loaded at the next tick.</remarks>
internal sealed class PitChannel
{
    private const long Never = long.MaxValue;

    // The control word without the counter's number.
    private int _control;
    private bool _gate;

    // The count register: what was written last, or 0, and whether the counter has not taken it yet.
    private int _written;
    private bool _isNull = true;

    // Tick at which the counter takes the count register, or Never; in mode 3 maybe for the low half of a period.
    private long _loadAt = Never;
    private bool _loadsLowHalf;

    // The count in use, or 0 for none yet, and the tick at which it was loaded.
    private int _count;
    private long _loadedAt;

    // Ticks counted when the counter was stopped, or -1 while it runs.
    private long _heldAt = -1;

    private int _writeLow = -1;
    private bool _readHigh;
    private int _latchedCount = -1;
    private int _latchedStatus = -1;

    public PitChannel(bool gate) => _gate = gate;

    public bool Gate => _gate;

    private int Mode => (_control & 0xC) == 0xC ? ((_control >> 1) & 3) : (_control >> 1) & 7;

    private int Access => _control >> 4;

    private bool IsBcd => (_control & 1) != 0;

    // Between the two bytes of a new count mode 0 stands still with its output down.
    private bool IsBetweenBytes => _writeLow >= 0 && Mode == 0;

    public void WriteControl(byte value)
    {
        _control = value & 0x3F;
        _written = 0;
        _isNull = true;
        _loadAt = Never;
        _count = 0;
        _heldAt = -1;
        _writeLow = -1;
        _readHigh = false;
        _latchedCount = -1;
        _latchedStatus = -1;
    }

    public void WriteCount(byte value, long now)
    {
        Settle(now);
        switch (Access)
        {
            case 1:
                SetCount(value, now);
                break;
            case 2:
                SetCount(value << 8, now);
                break;
            case 3 when _writeLow < 0:
                _writeLow = value;
                if (Mode == 0)
                {
                    _heldAt = Elapsed(now);
                    _loadAt = Never;
                }

                break;
            case 3:
                int written = _writeLow | (value << 8);
                _writeLow = -1;
                SetCount(written, now);
                break;
            default:
                // No control word has been written yet.
                break;
        }
    }

    public byte ReadCount(long now)
    {
        if (_latchedStatus >= 0)
        {
            byte status = (byte)_latchedStatus;
            _latchedStatus = -1;
            return status;
        }

        int value = _latchedCount >= 0 ? _latchedCount : Current(now);
        bool isHigh = Access == 2 || _readHigh;
        _readHigh = Access == 3 && !_readHigh;
        if (!_readHigh)
        {
            _latchedCount = -1;
        }

        return (byte)(isHigh ? value >> 8 : value);
    }

    public void LatchCount(long now)
    {
        if (_latchedCount < 0)
        {
            _latchedCount = Current(now);
        }
    }

    public void LatchStatus(long now)
    {
        if (_latchedStatus < 0)
        {
            _latchedStatus = (Output(now) ? 0x80 : 0) | (_isNull ? 0x40 : 0) | _control;
        }
    }

    public void SetGate(bool gate, long now)
    {
        if (gate == _gate)
        {
            return;
        }

        Settle(now);
        _gate = gate;
        switch (Mode)
        {
            case 0 or 4 when gate:
                if (!IsBetweenBytes && _heldAt >= 0)
                {
                    _loadedAt = now - _heldAt;
                    _heldAt = -1;
                }

                break;
            case 0 or 4:
                _heldAt = Elapsed(now);
                break;
            case 2 or 3 when !gate:
                // The output goes high at once. A count that waits for the end of a period waits for a trigger now.
                if (_count != 0 && _heldAt < 0)
                {
                    _heldAt = Elapsed(now);
                    _loadAt = Never;
                }

                break;
            default:
                if (gate && _written != 0)
                {
                    _loadAt = now + 1;
                    _loadsLowHalf = false;
                }

                break;
        }
    }

    /// <summary>The level of the OUT pin.</summary>
    public bool Output(long now)
    {
        Settle(now);
        long elapsed = Elapsed(now);
        return Mode switch
        {
            0 => _count != 0 && !IsBetweenBytes && _loadAt == Never && elapsed >= _count,
            1 => _count == 0 || elapsed >= _count,
            2 => _count == 0 || _heldAt >= 0 || elapsed % _count != _count - 1,
            3 => _count == 0 || _heldAt >= 0 || IsHighHalf(elapsed),
            _ => _count == 0 || elapsed != _count,
        };
    }

    /// <summary>
    /// The first tick after <paramref name="now"/> at which OUT of a counter whose gate stays high rises, or
    /// <see cref="long.MaxValue"/>.
    /// </summary>
    public long NextRise(long now)
    {
        Settle(now);
        switch (Mode)
        {
            case 0 when _loadAt != Never:
                return _loadAt + _written;
            case 0:
                return _count != 0 && !IsBetweenBytes && _loadedAt + _count > now ? _loadedAt + _count : Never;
            case 2 or 3 when _count == 0:
                return _loadAt == Never ? Never : _loadAt + _written;
            case 2 or 3:
                return _loadAt != Never && _loadsLowHalf ? _loadAt + (_written / 2) : EndOfPeriod(now);
            case 4:
                long end = _loadedAt + _count + 1;
                return _count != 0 && end > now && end <= _loadAt ? end : _loadAt == Never ? Never : _loadAt + _written + 1;
            default:
                // Modes 1 and 5 wait for a trigger, which a gate that stays high does not give.
                return Never;
        }
    }

    private void SetCount(int written, long now)
    {
        int count = IsBcd ? FromBcd(written) : written;
        if (count == 0)
        {
            count = IsBcd ? 10000 : 0x10000;
        }
        else if (count == 1 && Mode is 2 or 3)
        {
            // A count of 1 is illegal in these modes; two ticks are the shortest period the chip can make.
            count = 2;
        }

        _written = count;
        _isNull = true;
        switch (Mode)
        {
            case 0 or 4:
            case 2 or 3 when _count == 0:
                _loadAt = now + 1;
                _loadsLowHalf = false;
                break;
            case 2 or 3 when _loadAt == Never && _heldAt < 0:
                // Mode 2 takes it at the end of the period, mode 3 at the end of either half.
                _loadsLowHalf = Mode == 3 && IsHighHalf(now - _loadedAt);
                _loadAt = _loadsLowHalf ? EndOfPeriod(now) - (_count / 2) : EndOfPeriod(now);
                break;
            default:
                // Loaded already at the next tick, or waits for a trigger.
                break;
        }
    }

    /// <summary>Takes the count register into the counter if the tick for that has come.</summary>
    private void Settle(long now)
    {
        if (_loadAt <= now)
        {
            _count = _written;
            _isNull = false;
            _loadedAt = _loadsLowHalf ? _loadAt - ((_count + 1) / 2) : _loadAt;
            _heldAt = _gate || Mode is 1 or 5 ? -1 : 0;
            _loadAt = Never;
            _loadsLowHalf = false;
        }
    }

    private long Elapsed(long now) => _count == 0 ? -1 : _heldAt >= 0 ? _heldAt : now - _loadedAt;

    private bool IsHighHalf(long elapsed) => elapsed % _count < (_count + 1) / 2;

    private long EndOfPeriod(long now) => _loadedAt + ((((now - _loadedAt) / _count) + 1) * _count);

    /// <summary>The counter as it is read; until the first count is loaded, what was written.</summary>
    private int Current(long now)
    {
        Settle(now);
        int wrap = IsBcd ? 10000 : 0x10000;
        long elapsed = Elapsed(now);
        long value;
        if (_count == 0)
        {
            value = _written;
        }
        else if (Mode == 2)
        {
            value = _count - (elapsed % _count);
        }
        else if (Mode == 3)
        {
            // Counts down by two, twice a period.
            long phase = elapsed % _count;
            value = (_count & ~1) - (2 * (IsHighHalf(elapsed) ? phase : phase - ((_count + 1) / 2)));
        }
        else
        {
            value = (((_count - elapsed) % wrap) + wrap) % wrap;
        }

        int shown = (int)(value % wrap);
        return IsBcd ? ToBcd(shown) : shown;
    }

    private static int FromBcd(int value) =>
        (value & 0xF) + (((value >> 4) & 0xF) * 10) + (((value >> 8) & 0xF) * 100) + (((value >> 12) & 0xF) * 1000);

    private static int ToBcd(int value) =>
        (value % 10) | ((value / 10 % 10) << 4) | ((value / 100 % 10) << 8) | ((value / 1000 % 10) << 12);
}
