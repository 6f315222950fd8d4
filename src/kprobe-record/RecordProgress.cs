using System.Diagnostics;
using System.Globalization;
using KprobeTrace.Recording;

namespace KprobeTrace.Record;

/// <summary>One line on stderr, rewritten at most four times a second while the guest runs.</summary>
internal sealed class RecordProgress(Recorder recorder, Stopwatch clock, bool enabled)
{
    private const long Interval = 250;
    private long _next = Interval;
    private bool _shown;

    /// <summary>Shows how far the guest is, when it is time to.</summary>
    public void Update()
    {
        if (!enabled || clock.ElapsedMilliseconds < _next)
        {
            return;
        }

        _next = clock.ElapsedMilliseconds + Interval;
        _shown = true;
        long retired = recorder.Session.Machine.Retired;
        Console.Error.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"\r{recorder.Session.Machine.Now / 1e9:F3} s, {retired / 1e6:N0} M instructions, {retired / 1e6 / clock.Elapsed.TotalSeconds:F0} MIPS, {recorder.EventCount:N0} events \e[K"));
    }

    /// <summary>Removes the line.</summary>
    public void Clear()
    {
        if (_shown)
        {
            Console.Error.Write("\r\e[K");
        }
    }
}
