namespace KprobeTrace.Queries;

/// <summary>Which events are wanted. Several values of one kind mean any of them; several kinds mean all.</summary>
public sealed record EventFilter
{
    /// <summary>The run, 0 for all.</summary>
    public long Run { get; init; }

    /// <summary>Event names; <c>*</c> and <c>?</c> match as in a shell.</summary>
    public IReadOnlyList<string> Probes { get; init; } = [];

    /// <summary>Symbols; <c>*</c> and <c>?</c> match as in a shell.</summary>
    public IReadOnlyList<string> Symbols { get; init; } = [];

    /// <summary>Task names; <c>*</c> and <c>?</c> match as in a shell.</summary>
    public IReadOnlyList<string> Comms { get; init; } = [];

    /// <summary>Task ids.</summary>
    public IReadOnlyList<int> Pids { get; init; } = [];

    /// <summary>Kinds: <c>pre</c>, <c>post</c>, <c>fault</c>, <c>ret</c>.</summary>
    public IReadOnlyList<string> Kinds { get; init; } = [];

    /// <summary>CPU numbers.</summary>
    public IReadOnlyList<int> Cpus { get; init; } = [];

    /// <summary>Earliest virtual time in nanoseconds, or null.</summary>
    public long? FromNs { get; init; }

    /// <summary>Latest virtual time in nanoseconds, or null.</summary>
    public long? ToNs { get; init; }

    /// <summary>An SQL expression over the columns of <c>events</c>, or of the one event that is named; or null.</summary>
    public string? Where { get; init; }

    /// <summary>At most so many events, 0 for all.</summary>
    public long Limit { get; init; }

    /// <summary>Only those that count as hits.</summary>
    internal bool HitsOnly { get; init; }
}
