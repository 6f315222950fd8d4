namespace KprobeTrace.Tracing;

/// <summary>What the footer says of one probe.</summary>
/// <param name="ProbeId"><see cref="TraceProbe.Id"/>.</param>
/// <param name="Hits">How often it was hit, recorded or filtered out.</param>
/// <param name="Missed">How often a hit could not be handled (nmissed of Linux).</param>
/// <param name="State">State at the end: <c>armed</c>, <c>pending</c>, <c>disabled</c>, <c>refused</c>, <c>gone</c>.</param>
public sealed record TraceProbeCount(int ProbeId, ulong Hits, ulong Missed, string State);
