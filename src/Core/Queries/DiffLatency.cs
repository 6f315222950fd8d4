namespace KprobeTrace.Queries;

/// <summary>A latency that differs between two runs.</summary>
/// <param name="A">In the first run.</param>
/// <param name="B">In the second run.</param>
public sealed record DiffLatency(LatencyRow A, LatencyRow B);
