namespace KprobeTrace.Tracing;

/// <summary>One line the guest printed on its console.</summary>
/// <param name="TimeNs">Virtual time of the line's end, in nanoseconds.</param>
/// <param name="Instructions">Instructions retired before the line's end.</param>
/// <param name="Line">The bytes without the line end, as the guest sent them.</param>
internal readonly record struct TraceConsoleLine(ulong TimeNs, ulong Instructions, ReadOnlyMemory<byte> Line);
