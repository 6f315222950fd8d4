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

    /// <summary>What the processor's time-stamp counter has on top of virtual time, in nanoseconds.</summary>
    public long TscOffset
    {
        get => _state.TscOffset;
        set => _state.TscOffset = value;
    }

    private uint TimerMode => _state.LocalVectorTable[LvtTimer] & TimerModeMask;

    private long Period => (long)_state.InitialCount << _state.DivideShift;

    private void ResetTimer()
    {
        _state.InitialCount = 0;
        _state.DivideConfiguration = 0;
        _state.DivideShift = 1;
        _state.TscDeadline = 0;
        _state.Expiry = long.MaxValue;
        _timer.Cancel();
    }

    private void TimerModeWritten(uint before)
    {
        uint modeBefore = before & TimerModeMask;
        if (modeBefore != TimerMode && (modeBefore == TimerDeadline || TimerMode == TimerDeadline))
        {
            _state.TscDeadline = 0;
            _state.InitialCount = 0;
            _state.Expiry = long.MaxValue;
        }

        ScheduleTimer();
    }

    private void WriteInitialCount(uint value)
    {
        if (TimerMode == TimerDeadline)
        {
            return;
        }

        _state.InitialCount = value;
        _state.Expiry = value == 0 ? long.MaxValue : _clock.Now + Period;
        ScheduleTimer();
    }

    private void WriteDivideConfiguration(uint value)
    {
        uint remaining = CurrentCount();
        _state.DivideConfiguration = value & 0xB;

        // Bits 3, 1, 0: 000 divides by 2, 110 by 128, 111 by 1.
        int code = (int)((value & 3) | ((value >> 1) & 4));
        _state.DivideShift = (byte)((code + 1) & 7);
        if (_state.Expiry != long.MaxValue && TimerMode != TimerDeadline)
        {
            _state.Expiry = _clock.Now + ((long)remaining << _state.DivideShift);
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
        return _state.Expiry == long.MaxValue ? 0 : (uint)((_state.Expiry - now + (1L << _state.DivideShift) - 1) >> _state.DivideShift);
    }

    private ulong ReadTscDeadline() => TimerMode == TimerDeadline ? _state.TscDeadline : 0;

    private void WriteTscDeadline(ulong value)
    {
        if (TimerMode != TimerDeadline)
        {
            return;
        }

        _state.TscDeadline = value;
        if (value == 0)
        {
            _state.Expiry = long.MaxValue;
        }
        else
        {
            Int128 deadline = (Int128)value - _state.TscOffset;
            _state.Expiry = deadline > long.MaxValue - 1 ? long.MaxValue - 1 : deadline < 0 ? 0 : (long)deadline;
        }

        ScheduleTimer();
    }

    /// <summary>Moves the expiry past the present for a timer that ran on while it was masked.</summary>
    private void CatchUp(long now)
    {
        if (_state.Expiry > now)
        {
            return;
        }

        if (TimerMode == TimerPeriodic && _state.InitialCount != 0)
        {
            _state.Expiry += (((now - _state.Expiry) / Period) + 1) * Period;
        }
        else
        {
            _state.TscDeadline = 0;
            _state.Expiry = long.MaxValue;
        }
    }

    private void ScheduleTimer()
    {
        // A deadline may lie in the past when it is written and still has to expire; a masked one has to read as zero
        // afterwards. Counts that ran out while masked are gone.
        if (TimerMode != TimerDeadline)
        {
            CatchUp(_clock.Now);
            if ((_state.LocalVectorTable[LvtTimer] & LvtMasked) != 0)
            {
                _timer.Cancel();
                return;
            }
        }

        if (_state.Expiry == long.MaxValue)
        {
            _timer.Cancel();
        }
        else
        {
            _timer.Arm(_state.Expiry);
        }
    }

    private void TimerExpired()
    {
        CatchUp(_clock.Now);
        if (_state.Expiry != long.MaxValue)
        {
            _timer.Arm(_state.Expiry);
        }

        uint entry = _state.LocalVectorTable[LvtTimer];
        if ((entry & LvtMasked) == 0)
        {
            AcceptVector((byte)entry, false);
        }
    }
}
