namespace KprobeTrace.Tracing;

/// <summary>How a <see cref="TraceWriter"/> lays out its file. The defaults are what the tools use.</summary>
internal sealed record TraceWriterOptions
{
    /// <summary>Events after which a chunk is closed: 1 to <see cref="TraceFormat.MaxEventsPerChunk"/>.</summary>
    public int EventsPerChunk { get; init; } = 16384;

    /// <summary>Retired instructions after which everything pending is written, whatever its size.</summary>
    /// <remarks>Virtual, not wall-clock, so that the same run gives the same bytes.</remarks>
    public ulong InstructionsPerFlush { get; init; } = 1UL << 28;

    /// <summary>
    /// Names the symbol that an address falls in, or null. When set, the symbols of all addresses that events refer
    /// to (probe, ip, caller, stack) are written before the events that need them.
    /// </summary>
    public Func<ulong, TraceSymbol?>? ResolveSymbol { get; init; }
}
