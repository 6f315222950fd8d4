namespace KprobeTrace.Queries;

/// <summary>How long the calls of one function, or the executions of one instruction, took.</summary>
/// <param name="Run">The run.</param>
/// <param name="Name">Name of the event.</param>
/// <param name="Symbol">The function.</param>
/// <param name="Between">What was measured: <c>entry-ret</c> or <c>pre-post</c>.</param>
/// <param name="Count">How many.</param>
/// <param name="MinNs">Shortest, in nanoseconds of virtual time.</param>
/// <param name="MeanNs">Mean, in nanoseconds.</param>
/// <param name="P50Ns">Median, in nanoseconds.</param>
/// <param name="P95Ns">95th percentile by nearest rank, in nanoseconds.</param>
/// <param name="P99Ns">99th percentile by nearest rank, in nanoseconds.</param>
/// <param name="MaxNs">Longest, in nanoseconds.</param>
public sealed record LatencyRow(
    long Run, string Name, string Symbol, string Between, long Count,
    long MinNs, double MeanNs, long P50Ns, long P95Ns, long P99Ns, long MaxNs);
