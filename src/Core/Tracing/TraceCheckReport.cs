namespace KprobeTrace.Tracing;

/// <summary>The answer to "is this trace whole?".</summary>
internal sealed record TraceCheckReport
{
    /// <summary>True when nothing is damaged, missing or out of sequence.</summary>
    public bool Whole => Damage.Count == 0 && DamageNotListed == 0 && EventsLost == 0 && Footer is not null;

    /// <summary>Bytes in the file.</summary>
    public long Bytes { get; init; }

    /// <summary>Chunks that were read.</summary>
    public ulong Chunks { get; init; }

    /// <summary>Events that were read.</summary>
    public ulong Events { get; init; }

    /// <summary>Events that the sequence numbers show to be missing.</summary>
    public ulong EventsLost { get; init; }

    /// <summary>Ranges of sequence numbers that are missing, the first few.</summary>
    public IReadOnlyList<(ulong First, ulong Last)> Gaps { get; init; } = [];

    /// <summary>What could not be read, the first few.</summary>
    public IReadOnlyList<TraceDamage> Damage { get; init; } = [];

    /// <summary>Further damage that <see cref="Damage"/> does not list.</summary>
    public long DamageNotListed { get; init; }

    /// <summary>The footer, or null when the trace has none.</summary>
    public TraceFooter? Footer { get; init; }
}
