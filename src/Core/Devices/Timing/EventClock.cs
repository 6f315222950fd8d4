using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices.Timing;

/// <summary>
/// The virtual clock of a machine together with the queue of its timers.
/// </summary>
/// <remarks>
/// Timers that fall due at the same time run in the order in which they were created, whatever the order in which they
/// were armed, so that a run is repeatable. A machine has about ten timers: a linear scan over them beats a heap, and
/// arming never allocates.
/// </remarks>
internal sealed class EventClock : IVirtualClock, IStateful
{
    private readonly Func<long>? _source;
    private Timer[] _timers = new Timer[8];
    private int _count;
    private long _now;
    private bool _running;

    /// <summary>Makes a clock whose time is set through <see cref="Now"/>.</summary>
    public EventClock()
    {
    }

    /// <summary>Makes a clock that asks the processor core for the exact time.</summary>
    /// <param name="now">Returns the virtual time in nanoseconds; never goes back.</param>
    public EventClock(Func<long> now)
    {
        _source = now;
    }

    /// <summary>Virtual time in nanoseconds. Setting it is only meaningful for a clock without a time source.</summary>
    public long Now
    {
        get => _source is null ? _now : _source();
        set => _now = value;
    }

    /// <summary>The earliest armed deadline in nanoseconds, or <see cref="long.MaxValue"/> when no timer is armed.</summary>
    public long NextDeadline { get; private set; } = long.MaxValue;

    /// <summary>
    /// Called when a device arms a timer that expires before every other one, with the new deadline: the processor core
    /// shortens what it is about to run. Not called from inside <see cref="RunDue"/>, whose caller looks at
    /// <see cref="NextDeadline"/> afterwards anyway.
    /// </summary>
    public Action<long>? DeadlineMovedEarlier { get; set; }

    /// <inheritdoc/>
    public IVirtualTimer CreateTimer(Action expired)
    {
        ArgumentNullException.ThrowIfNull(expired);
        if (_count == _timers.Length)
        {
            Array.Resize(ref _timers, _count * 2);
        }

        Timer timer = new(this, expired);
        _timers[_count++] = timer;
        return timer;
    }

    /// <summary>Runs every timer whose deadline is at or before <paramref name="now"/>, earliest first.</summary>
    /// <remarks>
    /// A callback may arm timers, its own included. A callback that keeps arming a deadline that is already due would
    /// never let the guest go on; devices arm deadlines after the present.
    /// </remarks>
    /// <param name="now">The present virtual time in nanoseconds.</param>
    public void RunDue(long now)
    {
        _running = true;
        while (NextDeadline <= now)
        {
            Timer first = Earliest()!;
            first.Deadline = long.MaxValue;
            FindNextDeadline();
            first.Expired();
        }

        _running = false;
    }

    /// <inheritdoc/>
    /// <remarks>How many timers there are, and the deadline of each in the order in which they were created. The time is the processor's.</remarks>
    public void Save(StateWriter to)
    {
        to.Write(_count);
        foreach (Timer timer in _timers.AsSpan(0, _count))
        {
            to.Write(timer.Deadline);
        }
    }

    /// <inheritdoc/>
    public void Load(StateReader from)
    {
        from.Require(from.Read<int>() == _count);
        foreach (Timer timer in _timers.AsSpan(0, _count))
        {
            long deadline = from.Read<long>();
            from.Require(deadline >= 0);
            timer.Deadline = deadline;
        }

        FindNextDeadline();
    }

    private Timer? Earliest()
    {
        Timer? earliest = null;
        for (int i = 0; i < _count; i++)
        {
            Timer timer = _timers[i];
            if (timer.Armed && (earliest is null || timer.Deadline < earliest.Deadline))
            {
                earliest = timer;
            }
        }

        return earliest;
    }

    private void FindNextDeadline() => NextDeadline = Earliest()?.Deadline ?? long.MaxValue;

    private void Move(Timer timer, long deadline)
    {
        long before = timer.Deadline;
        timer.Deadline = deadline;
        if (deadline < NextDeadline)
        {
            NextDeadline = deadline;
            if (!_running)
            {
                DeadlineMovedEarlier?.Invoke(deadline);
            }
        }
        else if (before == NextDeadline)
        {
            FindNextDeadline();
        }
    }

    private sealed class Timer(EventClock clock, Action expired) : IVirtualTimer
    {
        public Action Expired { get; } = expired;

        public bool Armed => Deadline != long.MaxValue;

        public long Deadline { get; set; } = long.MaxValue;

        public void Arm(long deadline) => clock.Move(this, deadline);

        public void Cancel()
        {
            if (Armed)
            {
                clock.Move(this, long.MaxValue);
            }
        }
    }
}
