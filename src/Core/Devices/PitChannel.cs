using System.Runtime.InteropServices;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices;

/// <summary>One counter of an 8254 (Intel 8254 data sheet, order number 231164), computed from the time on demand.</summary>
/// <remarks>Times are ticks of the counter's clock input. A count that is written is loaded at the next tick.</remarks>
internal sealed class PitChannel : IStateful
{
    private const long Never = long.MaxValue;

    // A hundred years: nanoseconds of more do not fit.
    private const long MaxTicks = 1L << 52;

    private State _state;

    public PitChannel(bool gate) => Reset(gate);

    public bool Gate => _state.Gate;

    private int Mode => (_state.ControlWord & 0xC) == 0xC ? ((_state.ControlWord >> 1) & 3) : (_state.ControlWord >> 1) & 7;

    private int Access => _state.ControlWord >> 4;

    private bool IsBcd => (_state.ControlWord & 1) != 0;

    // Between the two bytes of a new count mode 0 stands still with its output down.
    private bool IsBetweenBytes => _state.WrittenLow >= 0 && Mode == 0;

    /// <summary>Forgets all that was written, as after power-up.</summary>
    /// <param name="gate">The level of the GATE pin.</param>
    public void Reset(bool gate) => _state = new State { Gate = gate, NullCount = true, LoadAt = Never, HeldAt = -1, WrittenLow = -1, OutputLatch = -1, StatusLatch = -1 };

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from)
    {
        State state = from.Read<State>();
        from.Require(state.Count is >= 0 and <= 0x10000 && state.CountRegister is >= 0 and <= 0x10000
            && state.LoadAt is Never or (>= 0 and <= MaxTicks) && state.LoadedAt is >= -MaxTicks and <= MaxTicks && state.HeldAt is >= -1 and <= MaxTicks);
        _state = state;
    }

    public void WriteControl(byte value)
    {
        _state.ControlWord = (byte)(value & 0x3F);
        _state.CountRegister = 0;
        _state.NullCount = true;
        _state.LoadAt = Never;
        _state.Count = 0;
        _state.HeldAt = -1;
        _state.WrittenLow = -1;
        _state.ReadHigh = false;
        _state.OutputLatch = -1;
        _state.StatusLatch = -1;
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
            case 3 when _state.WrittenLow < 0:
                _state.WrittenLow = value;
                if (Mode == 0)
                {
                    _state.HeldAt = Elapsed(now);
                    _state.LoadAt = Never;
                }

                break;
            case 3:
                int written = _state.WrittenLow | (value << 8);
                _state.WrittenLow = -1;
                SetCount(written, now);
                break;
            default:
                // No control word has been written yet.
                break;
        }
    }

    public byte ReadCount(long now)
    {
        if (_state.StatusLatch >= 0)
        {
            byte status = (byte)_state.StatusLatch;
            _state.StatusLatch = -1;
            return status;
        }

        int value = _state.OutputLatch >= 0 ? _state.OutputLatch : Current(now);
        bool isHigh = Access == 2 || _state.ReadHigh;
        _state.ReadHigh = Access == 3 && !_state.ReadHigh;
        if (!_state.ReadHigh)
        {
            _state.OutputLatch = -1;
        }

        return (byte)(isHigh ? value >> 8 : value);
    }

    public void LatchCount(long now)
    {
        if (_state.OutputLatch < 0)
        {
            _state.OutputLatch = Current(now);
        }
    }

    public void LatchStatus(long now)
    {
        if (_state.StatusLatch < 0)
        {
            _state.StatusLatch = (Output(now) ? 0x80 : 0) | (_state.NullCount ? 0x40 : 0) | _state.ControlWord;
        }
    }

    public void SetGate(bool gate, long now)
    {
        if (gate == _state.Gate)
        {
            return;
        }

        Settle(now);
        _state.Gate = gate;
        switch (Mode)
        {
            case 0 or 4 when gate:
                if (!IsBetweenBytes && _state.HeldAt >= 0)
                {
                    _state.LoadedAt = now - _state.HeldAt;
                    _state.HeldAt = -1;
                }

                break;
            case 0 or 4:
                _state.HeldAt = Elapsed(now);
                break;
            case 2 or 3 when !gate:
                // The output goes high at once. A count that waits for the end of a period waits for a trigger now.
                if (_state.Count != 0 && _state.HeldAt < 0)
                {
                    _state.HeldAt = Elapsed(now);
                    _state.LoadAt = Never;
                }

                break;
            default:
                if (gate && _state.CountRegister != 0)
                {
                    _state.LoadAt = now + 1;
                    _state.LoadsLowHalf = false;
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
            0 => _state.Count != 0 && !IsBetweenBytes && _state.LoadAt == Never && elapsed >= _state.Count,
            1 => _state.Count == 0 || elapsed >= _state.Count,
            2 => _state.Count == 0 || _state.HeldAt >= 0 || elapsed % _state.Count != _state.Count - 1,
            3 => _state.Count == 0 || _state.HeldAt >= 0 || IsHighHalf(elapsed),
            _ => _state.Count == 0 || elapsed != _state.Count,
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
            case 0 when _state.LoadAt != Never:
                return _state.LoadAt + _state.CountRegister;
            case 0:
                return _state.Count != 0 && !IsBetweenBytes && _state.LoadedAt + _state.Count > now ? _state.LoadedAt + _state.Count : Never;
            case 2 or 3 when _state.Count == 0:
                return _state.LoadAt == Never ? Never : _state.LoadAt + _state.CountRegister;
            case 2 or 3:
                return _state.LoadAt != Never && _state.LoadsLowHalf ? _state.LoadAt + (_state.CountRegister / 2) : EndOfPeriod(now);
            case 4:
                long end = _state.LoadedAt + _state.Count + 1;
                return _state.Count != 0 && end > now && end <= _state.LoadAt ? end : _state.LoadAt == Never ? Never : _state.LoadAt + _state.CountRegister + 1;
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

        _state.CountRegister = count;
        _state.NullCount = true;
        switch (Mode)
        {
            case 0 or 4:
            case 2 or 3 when _state.Count == 0:
                _state.LoadAt = now + 1;
                _state.LoadsLowHalf = false;
                break;
            case 2 or 3 when _state.LoadAt == Never && _state.HeldAt < 0:
                // Mode 2 takes it at the end of the period, mode 3 at the end of either half.
                _state.LoadsLowHalf = Mode == 3 && IsHighHalf(now - _state.LoadedAt);
                _state.LoadAt = _state.LoadsLowHalf ? EndOfPeriod(now) - (_state.Count / 2) : EndOfPeriod(now);
                break;
            default:
                // Loaded already at the next tick, or waits for a trigger.
                break;
        }
    }

    /// <summary>Takes the count register into the counter if the tick for that has come.</summary>
    private void Settle(long now)
    {
        if (_state.LoadAt <= now)
        {
            _state.Count = _state.CountRegister;
            _state.NullCount = false;
            _state.LoadedAt = _state.LoadsLowHalf ? _state.LoadAt - ((_state.Count + 1) / 2) : _state.LoadAt;
            _state.HeldAt = _state.Gate || Mode is 1 or 5 ? -1 : 0;
            _state.LoadAt = Never;
            _state.LoadsLowHalf = false;
        }
    }

    private long Elapsed(long now) => _state.Count == 0 ? -1 : _state.HeldAt >= 0 ? _state.HeldAt : now - _state.LoadedAt;

    private bool IsHighHalf(long elapsed) => elapsed % _state.Count < (_state.Count + 1) / 2;

    private long EndOfPeriod(long now) => _state.LoadedAt + ((((now - _state.LoadedAt) / _state.Count) + 1) * _state.Count);

    /// <summary>The counter as it is read; until the first count is loaded, what was written.</summary>
    private int Current(long now)
    {
        Settle(now);
        int wrap = IsBcd ? 10000 : 0x10000;
        long elapsed = Elapsed(now);
        long value;
        if (_state.Count == 0)
        {
            value = _state.CountRegister;
        }
        else if (Mode == 2)
        {
            value = _state.Count - (elapsed % _state.Count);
        }
        else if (Mode == 3)
        {
            // Counts down by two, twice a period.
            long phase = elapsed % _state.Count;
            value = (_state.Count & ~1) - (2 * (IsHighHalf(elapsed) ? phase : phase - ((_state.Count + 1) / 2)));
        }
        else
        {
            value = (((_state.Count - elapsed) % wrap) + wrap) % wrap;
        }

        int shown = (int)(value % wrap);
        return IsBcd ? ToBcd(shown) : shown;
    }

    private static int FromBcd(int value) =>
        (value & 0xF) + (((value >> 4) & 0xF) * 10) + (((value >> 8) & 0xF) * 100) + (((value >> 12) & 0xF) * 1000);

    private static int ToBcd(int value) =>
        (value % 10) | ((value / 10 % 10) << 4) | ((value / 100 % 10) << 8) | ((value / 1000 % 10) << 12);

    /// <summary>What a counter keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>Tick at which the counter takes the count register, or <see cref="Never"/>; in mode 3 maybe for the low half of a period.</summary>
        public long LoadAt;

        /// <summary>Tick at which <see cref="Count"/> was loaded.</summary>
        public long LoadedAt;

        /// <summary>Ticks counted when the counter was stopped, or -1 while it runs.</summary>
        public long HeldAt;

        /// <summary>The count register: what was written last, or 0.</summary>
        public int CountRegister;

        /// <summary>The count in use, or 0 for none yet.</summary>
        public int Count;

        /// <summary>The low byte of a count whose high byte is still to come, or -1.</summary>
        public int WrittenLow;

        /// <summary>The count that a command latched, or -1.</summary>
        public int OutputLatch;

        /// <summary>The status that a command latched, or -1.</summary>
        public int StatusLatch;

        /// <summary>The control word without the counter's number.</summary>
        public byte ControlWord;

        /// <summary>The level of the GATE pin.</summary>
        public bool Gate;

        /// <summary>Whether the counter has not taken the count register yet.</summary>
        public bool NullCount;

        /// <summary>Whether <see cref="LoadAt"/> is the middle of a period of mode 3.</summary>
        public bool LoadsLowHalf;

        /// <summary>Whether the high byte is read next.</summary>
        public bool ReadHigh;
    }
}
