namespace KprobeTrace.Queries;

/// <summary>How two runs are compared.</summary>
public sealed record DiffOptions
{
    /// <summary>How many divergences to list.</summary>
    public int Limit { get; init; } = 10;

    /// <summary>Relative change of a mean latency from which it is listed.</summary>
    public double LatencyShift { get; init; } = 0.05;

    /// <summary>Arguments (<c>ARG</c> or <c>EVENT.ARG</c>) and registers that may differ; <c>*</c> and <c>?</c> match.</summary>
    public IReadOnlyList<string> Ignore { get; init; } = [];

    /// <summary>Compare how often probes were hit and from where, and nothing else.</summary>
    public bool CountsOnly { get; init; }

    /// <summary>Events of a side that are aligned at once; what does not fit is aligned window by window.</summary>
    internal int Window { get; init; } = 1 << 20;

    /// <summary>Events that a window grows to where few of its events find a partner.</summary>
    internal int LargestWindow { get; init; } = 2 << 20;

    /// <summary>True where <paramref name="register"/> may differ.</summary>
    internal bool Ignores(string register) => Ignore.Any(p => Glob.Matches(p, register));

    /// <summary>True where <paramref name="argument"/> of <paramref name="name"/> may differ.</summary>
    internal bool Ignores(string name, string argument) =>
        Ignore.Any(p => Glob.Matches(p, argument) || Glob.Matches(p, name + "." + argument));
}
