namespace KprobeTrace.Tracing;

/// <summary>A part of a trace file that could not be read.</summary>
/// <param name="Offset">Offset in the file of the first byte concerned.</param>
/// <param name="Length">Bytes concerned.</param>
/// <param name="Reason">What is wrong and what is lost, in plain words.</param>
public readonly record struct TraceDamage(long Offset, long Length, string Reason);
