namespace KprobeTrace.Tracing;

/// <summary>What a trace says of its run at the end.</summary>
public sealed record TraceFooter
{
    /// <summary>How the guest ended, in a word: <c>poweroff</c>, <c>halt</c>, <c>reset</c>, <c>triple-fault</c>, <c>stuck</c>,
    /// <c>exit</c>, <c>max-instructions</c>, <c>max-events</c>, <c>timeout</c>, <c>interrupted</c>.</summary>
    public required string Ended { get; init; }

    /// <summary>Virtual time at the end in nanoseconds.</summary>
    public ulong TimeNs { get; init; }

    /// <summary>Instructions retired.</summary>
    public ulong Instructions { get; init; }

    /// <summary>Exit status the guest gave, or 0.</summary>
    public int ExitCode { get; init; }

    /// <summary>Hits, misses and state of every probe.</summary>
    public IReadOnlyList<TraceProbeCount> Probes { get; init; } = [];

    /// <summary>Number of events; the writer fills it in.</summary>
    public ulong Events { get; init; }

    /// <summary>Number of chunks; the writer fills it in.</summary>
    public ulong Chunks { get; init; }
}
