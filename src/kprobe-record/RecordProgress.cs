using System.Globalization;
using KprobeTrace.Tools;

namespace KprobeTrace.Record;

/// <summary>How far the guest is, as one line on stderr.</summary>
/// <param name="error">Where it goes.</param>
/// <param name="enabled">Whether it is shown at all.</param>
/// <param name="time">The host's time; null for the system's.</param>
internal sealed class RecordProgress(TextWriter error, bool enabled, TimeProvider? time = null)
{
    private readonly RewrittenLine _line = new(error, first: 250, time);

    /// <summary>Shows how far the guest is, when it is time to.</summary>
    /// <param name="nanoseconds">The guest's time.</param>
    /// <param name="retired">Instructions it has retired.</param>
    /// <param name="events">Events that were recorded.</param>
    public void Update(long nanoseconds, long retired, ulong events)
    {
        if (enabled && _line.IsDue(out TimeSpan elapsed))
        {
            _line.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{nanoseconds / 1e9:F3} s, {retired / 1e6:N0} M instructions, {retired / 1e6 / elapsed.TotalSeconds:F0} MIPS, {events:N0} events"));
        }
    }

    /// <summary>Removes the line.</summary>
    public void Clear() => _line.Clear();
}
