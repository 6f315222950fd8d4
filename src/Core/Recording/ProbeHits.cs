namespace KprobeTrace.Recording;

/// <summary>How often a probe was hit, and how many of its hits its filter left out.</summary>
/// <param name="Name">The event's name.</param>
/// <param name="Hits">Hits, whether recorded or not; returns of a return probe.</param>
/// <param name="Filtered">Those of them that the filter left out.</param>
public readonly record struct ProbeHits(string Name, ulong Hits, ulong Filtered);
