namespace KprobeTrace.Tools;

/// <summary>One line of a terminal, rewritten at most four times a second while work goes on.</summary>
/// <param name="terminal">Where it goes.</param>
/// <param name="first">Milliseconds after which it is shown for the first time.</param>
/// <param name="time">The host's time; null for the system's.</param>
internal sealed class RewrittenLine(TextWriter terminal, long first, TimeProvider? time)
{
    private const long Interval = 250;
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly long _start = (time ?? TimeProvider.System).GetTimestamp();
    private long _next = first;
    private bool _isShown;

    /// <summary>Whether it is time to write the line anew.</summary>
    /// <param name="elapsed">How long the work has gone on.</param>
    public bool IsDue(out TimeSpan elapsed)
    {
        elapsed = _time.GetElapsedTime(_start);
        if (elapsed.TotalMilliseconds < _next)
        {
            return false;
        }

        _next = (long)elapsed.TotalMilliseconds + Interval;
        return true;
    }

    /// <summary>Writes the line anew.</summary>
    public void Write(string text)
    {
        _isShown = true;
        terminal.Write($"\r{text} \e[K");
    }

    /// <summary>Removes the line, if it was ever written.</summary>
    public void Clear()
    {
        if (_isShown)
        {
            terminal.Write("\r\e[K");
        }
    }
}
