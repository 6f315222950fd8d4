using System.Globalization;

namespace KprobeTrace.Record;

/// <summary>One line on stderr, rewritten at most four times a second while the guest runs.</summary>
/// <param name="error">Where it goes.</param>
/// <param name="enabled">Whether it is shown at all.</param>
/// <param name="time">The host's time; null for the system's.</param>
internal sealed class RecordProgress(TextWriter error, bool enabled, TimeProvider? time = null)
{
    private const long Interval = 250;
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly long _start = (time ?? TimeProvider.System).GetTimestamp();
    private long _next = Interval;
    private bool _shown;

    /// <summary>Shows how far the guest is, when it is time to.</summary>
    /// <param name="nanoseconds">The guest's time.</param>
    /// <param name="retired">Instructions it has retired.</param>
    /// <param name="events">Events that were recorded.</param>
    public void Update(long nanoseconds, long retired, ulong events)
    {
        TimeSpan elapsed = _time.GetElapsedTime(_start);
        if (!enabled || elapsed.TotalMilliseconds < _next)
        {
            return;
        }

        _next = (long)elapsed.TotalMilliseconds + Interval;
        _shown = true;
        error.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"\r{nanoseconds / 1e9:F3} s, {retired / 1e6:N0} M instructions, {retired / 1e6 / elapsed.TotalSeconds:F0} MIPS, {events:N0} events \e[K"));
    }

    /// <summary>Removes the line.</summary>
    public void Clear()
    {
        if (_shown)
        {
            error.Write("\r\e[K");
        }
    }
}
