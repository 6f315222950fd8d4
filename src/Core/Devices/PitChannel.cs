namespace KprobeTrace.Devices;

/// <summary>One counter of an 8254 (Intel 8254 data sheet, order number 231164), computed from the time on demand.</summary>
/// <remarks>Times are ticks of the counter's clock input. A count that is written is loaded at the next tick.</remarks>
internal sealed class PitChannel
{
    private const long Never = long.MaxValue;

    private int _mode;
    private int _access = 3;
    private bool _bcd;
    private bool _gate;
    private bool _programmed;

    // The count in use; 0 stands for none yet.
    private int _count;

    // Tick at which the count was loaded, or Never while the counter waits for a count or a trigger.
    private long _loadedAt = Never;

    // Ticks counted when the gate stopped modes 0 and 4 (the only ones that resume), or -1 while they run.
    private long _heldAt = -1;

    // A count that replaces the one in use at the end of the period or at the next trigger.
    private int _nextCount;
    private long _nextCountAt = Never;

    private int _writeLow = -1;
    private bool _readHigh;
    private int _latchedCount = -1;
    private int _latchedStatus = -1;

    /// <summary>The mode, 0 to 5.</summary>
    public int Mode => _mode;

    public PitChannel(bool gate) => _gate = gate;

    public bool Gate => _gate;

    public void WriteControl(byte value)
    {
        int mode = (value >> 1) & 7;
        _mode = mode > 5 ? mode - 4 : mode;
        _access = (value >> 4) & 3;
        _bcd = (value & 1) != 0;
        _programmed = true;
        _count = 0;
        _loadedAt = Never;
        _heldAt = -1;
        _nextCount = 0;
        _nextCountAt = Never;
        _writeLow = -1;
        _readHigh = false;
        _latchedCount = -1;
        _latchedStatus = -1;
    }

    public void WriteCount(byte value, long now)
    {
        switch (_access)
        {
            case 1:
                SetCount(value, now);
                break;
            case 2:
                SetCount(value << 8, now);
                break;
            default:
                if (_writeLow < 0)
                {
                    _writeLow = value;
                    if (_mode == 0)
                    {
                        // The first byte of a new count stops mode 0 and takes its output down.
                        _loadedAt = Never;
                        _heldAt = -1;
                    }
                }
                else
                {
                    int written = _writeLow | (value << 8);
                    _writeLow = -1;
                    SetCount(written, now);
                }

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
        bool isHigh = _access == 2 || (_access == 3 && _readHigh);
        if (_access == 3)
        {
            _readHigh = !_readHigh;
        }

        if (_access != 3 || !_readHigh)
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
            _latchedStatus = (Output(now) ? 0x80 : 0) | (IsCountPending(now) ? 0x40 : 0)
                | (_access << 4) | (_mode << 1) | (_bcd ? 1 : 0);
        }
    }

    public void SetGate(bool gate, long now)
    {
        if (gate == _gate)
        {
            return;
        }

        Settle(now);
        if (_mode is 0 or 4)
        {
            if (!gate && _loadedAt != Never)
            {
                _heldAt = Math.Max(Elapsed(now), 0);
            }
            else if (gate && _heldAt >= 0)
            {
                _loadedAt = now - _heldAt;
                _heldAt = -1;
            }
        }
        else if (gate)
        {
            Trigger(now);
        }
        else if (_mode is 2 or 3)
        {
            // The output goes high at once, and a waiting count is loaded by the trigger.
            _loadedAt = Never;
            _nextCountAt = Never;
        }

        _gate = gate;
    }

    /// <summary>The level of the OUT pin.</summary>
    public bool Output(long now)
    {
        Settle(now);
        long elapsed = Elapsed(now);
        return _mode switch
        {
            0 => _programmed && elapsed >= _count && _count != 0,
            1 => elapsed < 0 || elapsed >= _count,
            2 => elapsed < 0 || elapsed % _count != _count - 1,
            3 => elapsed < 0 || elapsed % _count < (_count + 1) / 2,
            _ => elapsed != _count || elapsed < 0,
        };
    }

    /// <summary>The first tick after <paramref name="now"/> at which OUT rises, or <see cref="long.MaxValue"/>.</summary>
    public long NextRise(long now)
    {
        Settle(now);
        if (_loadedAt == Never || _heldAt >= 0)
        {
            return Never;
        }

        switch (_mode)
        {
            case 0:
            case 1:
                return _loadedAt + _count > now ? _loadedAt + _count : Never;
            case 2:
            case 3:
                if (now < _loadedAt)
                {
                    return _loadedAt + _count;
                }

                return _loadedAt + ((((now - _loadedAt) / _count) + 1) * _count);
            default:
                return _loadedAt + _count + 1 > now ? _loadedAt + _count + 1 : Never;
        }
    }

    private void SetCount(int written, long now)
    {
        Settle(now);
        int count = _bcd ? FromBcd(written) : written;
        if (count == 0)
        {
            count = _bcd ? 10000 : 0x10000;
        }
        else if (count == 1 && _mode is 2 or 3)
        {
            // A count of 1 is illegal in these modes; two ticks are the shortest period the chip can make.
            count = 2;
        }

        switch (_mode)
        {
            case 0:
            case 4:
                _count = count;
                _loadedAt = now + 1;
                _heldAt = _gate ? -1 : 0;
                break;
            case 2:
            case 3:
                if (_loadedAt == Never)
                {
                    _count = count;
                    _nextCount = 0;
                    _nextCountAt = Never;
                    if (_gate)
                    {
                        _loadedAt = now + 1;
                    }
                }
                else
                {
                    _nextCount = count;
                    _nextCountAt = now < _loadedAt
                        ? _loadedAt + _count
                        : _loadedAt + ((((now - _loadedAt) / _count) + 1) * _count);
                }

                break;
            default:
                // Waits for a trigger, which a running one-shot gets as a retrigger.
                _nextCount = count;
                break;
        }
    }

    private void Trigger(long now)
    {
        if (_nextCount != 0)
        {
            _count = _nextCount;
            _nextCount = 0;
            _nextCountAt = Never;
        }

        if (_count != 0)
        {
            _loadedAt = now + 1;
        }
    }

    /// <summary>Puts a waiting count to use once its period has begun.</summary>
    private void Settle(long now)
    {
        if (_nextCountAt <= now)
        {
            _loadedAt = _nextCountAt;
            _count = _nextCount;
            _nextCount = 0;
            _nextCountAt = Never;
        }
    }

    /// <summary>Ticks counted since the count was loaded, or -1 when none is.</summary>
    private long Elapsed(long now) =>
        _heldAt >= 0 ? _heldAt : _loadedAt == Never || now < _loadedAt ? -1 : now - _loadedAt;

    private bool IsCountPending(long now)
    {
        Settle(now);
        return _nextCount != 0 || _count == 0 || (_loadedAt != Never && now < _loadedAt);
    }

    private int Current(long now)
    {
        Settle(now);
        long elapsed = Math.Max(Elapsed(now), 0);
        int wrap = _bcd ? 10000 : 0x10000;
        int value;
        switch (_mode)
        {
            case 2:
                value = _count == 0 ? 0 : (int)(_count - (elapsed % _count));
                break;
            case 3:
                if (_count == 0)
                {
                    value = 0;
                    break;
                }

                // Counts down by two, twice a period.
                long phase = elapsed % _count;
                long half = (_count + 1) / 2;
                value = (int)((_count & ~1) - (2 * (phase < half ? phase : phase - half)));
                break;
            default:
                value = (int)((((_count - elapsed) % wrap) + wrap) % wrap);
                break;
        }

        value %= wrap;
        return _bcd ? ToBcd(value) : value;
    }

    private static int FromBcd(int value) =>
        (value & 0xF) + (((value >> 4) & 0xF) * 10) + (((value >> 8) & 0xF) * 100) + (((value >> 12) & 0xF) * 1000);

    private static int ToBcd(int value) =>
        (value % 10) | ((value / 10 % 10) << 4) | ((value / 100 % 10) << 8) | ((value / 1000 % 10) << 12);
}
