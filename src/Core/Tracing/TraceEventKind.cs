namespace KprobeTrace.Tracing;

/// <summary>What happened at a probe.</summary>
/// <remarks>The numbers are part of the trace format.</remarks>
internal enum TraceEventKind : byte
{
    /// <summary>The probed instruction is about to execute.</summary>
    Pre = 0,

    /// <summary>The probed instruction has executed.</summary>
    Post = 1,

    /// <summary>The probed instruction raised a fault.</summary>
    Fault = 2,

    /// <summary>The probed function has returned to its caller.</summary>
    Return = 3,
}
