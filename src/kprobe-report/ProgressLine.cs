using System.Globalization;

namespace KprobeTrace.Report;

/// <summary>One line on stderr, rewritten at most four times a second, for work that takes over a second.</summary>
internal sealed class ProgressLine : IDisposable
{
    private readonly ReportConsole _console;
    private readonly string _what;
    private readonly TimeProvider _time;
    private readonly long _start;
    private long _next = 1000;
    private bool _shown;

    internal ProgressLine(ReportConsole console, string what, TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        _start = _time.GetTimestamp();
        _console = console;
        _what = what;
    }

    /// <summary>Says how much is done, from 0 to 1.</summary>
    internal void Report(double done)
    {
        TimeSpan elapsed = _time.GetElapsedTime(_start);
        if (!_console.ErrorIsTerminal || elapsed.TotalMilliseconds < _next)
        {
            return;
        }

        _next = (long)elapsed.TotalMilliseconds + 250;
        _shown = true;
        double left = done > 0 ? elapsed.TotalSeconds * (1 - done) / done : 0;
        _console.Error.Write(string.Create(
            CultureInfo.InvariantCulture, $"\r{_what}: {done:P0}, {left:0} s left \e[K"));
    }

    /// <summary>Removes the line.</summary>
    public void Dispose()
    {
        if (_shown)
        {
            _console.Error.Write("\r\e[K");
        }
    }
}
