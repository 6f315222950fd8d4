using System.Globalization;
using KprobeTrace.Tools;

namespace KprobeTrace.Report;

/// <summary>How much is done, as one line on stderr, for work that takes over a second.</summary>
internal sealed class ProgressLine(ReportConsole console, string what, TimeProvider? time = null) : IDisposable
{
    private readonly RewrittenLine _line = new(console.Error, first: 1000, time);

    /// <summary>Says how much is done, from 0 to 1.</summary>
    internal void Report(double done)
    {
        if (console.ErrorIsTerminal && _line.IsDue(out TimeSpan elapsed))
        {
            double left = done > 0 ? elapsed.TotalSeconds * (1 - done) / done : 0;
            _line.Write(string.Create(CultureInfo.InvariantCulture, $"{what}: {done:P0}, {left:0} s left"));
        }
    }

    /// <summary>Removes the line.</summary>
    public void Dispose() => _line.Clear();
}
