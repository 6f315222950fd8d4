using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>The timer: one-shot, periodic, TSC deadline (Intel SDM vol. 3A §11.5.4).</summary>
/// <remarks>
/// The count runs at 1 GHz over the divider. Its value is computed when it is read; a timer of the clock is armed only
/// while an interrupt can come of it, so that a masked periodic timer does not wake a halted machine.
/// </remarks>
internal sealed partial class LocalApic
{
    private const uint TimerModeMask = 3 << 17;
    private const uint TimerPeriodic = 1 << 17;
    private const uint TimerDeadline = 2 << 17;

    private readonly IVirtualTimer _timer;
    private uint _initialCount;
    private uint _divideConfiguration;
    private int _divideShift;
    private ulong _tscDeadline;

    // Virtual time at which the count reaches zero; long.MaxValue while it stands still.
    private long _expiry;

    /// <summary>What the processor's time-stamp counter has on top of virtual time, in nanoseconds.</summary>
    public long TscOffset { get; set; }

    private uint TimerMode => _lvt[LvtTimer] & TimerModeMask;

    private long Period => (long)_initialCount << _divideShift;

    private void ResetTimer()
    {
        _initialCount = 0;
        _divideConfiguration = 0;
        _divideShift = 1;
        _tscDeadline = 0;
        _expiry = long.MaxValue;
        _timer.Cancel();
    }

    private void TimerModeWritten(uint before)
    {
        uint modeBefore = before & TimerModeMask;
        if (modeBefore != TimerMode && (modeBefore == TimerDeadline || TimerMode == TimerDeadline))
        {
            _tscDeadline = 0;
            _initialCount = 0;
            _expiry = long.MaxValue;
        }

        ScheduleTimer();
    }

    private void WriteInitialCount(uint value)
    {
        if (TimerMode == TimerDeadline)
        {
            return;
        }

        _initialCount = value;
        _expiry = value == 0 ? long.MaxValue : _clock.Now + Period;
        ScheduleTimer();
    }

    private void WriteDivideConfiguration(uint value)
    {
        uint remaining = CurrentCount();
        _divideConfiguration = value & 0xB;

        // Bits 3, 1, 0: 000 divides by 2, 110 by 128, 111 by 1.
        int code = (int)((value & 3) | ((value >> 1) & 4));
        _divideShift = (code + 1) & 7;
        if (_expiry != long.MaxValue && TimerMode != TimerDeadline)
        {
            _expiry = _clock.Now + ((long)remaining << _divideShift);
            ScheduleTimer();
        }
    }

    private uint CurrentCount()
    {
        if (TimerMode == TimerDeadline)
        {
            return 0;
        }

        long now = _clock.Now;
        CatchUp(now);
        return _expiry == long.MaxValue ? 0 : (uint)((_expiry - now + (1L << _divideShift) - 1) >> _divideShift);
    }

    private ulong ReadTscDeadline() => TimerMode == TimerDeadline ? _tscDeadline : 0;

    private void WriteTscDeadline(ulong value)
    {
        if (TimerMode != TimerDeadline)
        {
            return;
        }

        _tscDeadline = value;
        if (value == 0)
        {
            _expiry = long.MaxValue;
        }
        else
        {
            Int128 deadline = (Int128)value - TscOffset;
            _expiry = deadline > long.MaxValue - 1 ? long.MaxValue - 1 : deadline < 0 ? 0 : (long)deadline;
        }

        ScheduleTimer();
    }

    /// <summary>Moves the expiry past the present for a timer that ran on while it was masked.</summary>
    private void CatchUp(long now)
    {
        if (_expiry > now)
        {
            return;
        }

        if (TimerMode == TimerPeriodic && _initialCount != 0)
        {
            _expiry += (((now - _expiry) / Period) + 1) * Period;
        }
        else
        {
            _tscDeadline = 0;
            _expiry = long.MaxValue;
        }
    }

    private void ScheduleTimer()
    {
        // A deadline may lie in the past when it is written and still has to expire; a masked one has to read as zero
        // afterwards. Counts that ran out while masked are gone.
        if (TimerMode != TimerDeadline)
        {
            CatchUp(_clock.Now);
            if ((_lvt[LvtTimer] & LvtMasked) != 0)
            {
                _timer.Cancel();
                return;
            }
        }

        if (_expiry == long.MaxValue)
        {
            _timer.Cancel();
        }
        else
        {
            _timer.Arm(_expiry);
        }
    }

    private void TimerExpired()
    {
        CatchUp(_clock.Now);
        if (_expiry != long.MaxValue)
        {
            _timer.Arm(_expiry);
        }

        uint entry = _lvt[LvtTimer];
        if ((entry & LvtMasked) == 0)
        {
            AcceptVector((byte)entry, false);
        }
    }
}
