using System.Globalization;

namespace KprobeTrace.Tracing;

/// <summary>A part of a trace file that could not be read.</summary>
/// <param name="Offset">Offset in the file of the first byte concerned.</param>
/// <param name="Length">Bytes concerned.</param>
/// <param name="Reason">What is wrong and what is lost, in plain words.</param>
internal readonly record struct TraceDamage(long Offset, long Length, string Reason)
{
    /// <summary>How the reason begins where a file goes on with another trace.</summary>
    internal const string SecondTrace = "a second trace begins at byte ";

    /// <summary>True where another trace begins, which is not damaged but is not read either.</summary>
    public bool IsSecondTrace => Reason.StartsWith(SecondTrace, StringComparison.Ordinal);

    /// <summary>What is said of another trace behind the first, and what to do: commands count bytes from 0 and from 1.</summary>
    internal static string OfSecondTrace(long offset) => string.Create(
        CultureInfo.InvariantCulture,
        $"{SecondTrace}{offset} and is left out; split the file there: head -c {offset} gives the first, tail -c +{offset + 1} the second");
}
