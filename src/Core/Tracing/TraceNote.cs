namespace KprobeTrace.Tracing;

/// <summary>Something the recorder tells the reader: a miss, a limit, a refusal, a change of a probe's state.</summary>
internal sealed record TraceNote
{
    /// <summary>What it is about.</summary>
    public required TraceNoteKind Kind { get; init; }

    /// <summary>Virtual time in nanoseconds.</summary>
    public ulong TimeNs { get; init; }

    /// <summary>Instructions retired before it.</summary>
    public ulong Instructions { get; init; }

    /// <summary>Probe concerned, or -1.</summary>
    public int ProbeId { get; init; } = -1;

    /// <summary>How many (misses, say), else 1.</summary>
    public ulong Count { get; init; } = 1;

    /// <summary>One line in plain words; for <see cref="TraceNoteKind.ProbeState"/> the new state, a colon, and why.</summary>
    public required string Text { get; init; }
}
