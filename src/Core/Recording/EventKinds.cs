using KprobeTrace.Tracing;

namespace KprobeTrace.Recording;

/// <summary>The kinds of events a recording writes.</summary>
[Flags]
public enum EventKinds
{
    /// <summary>Nothing: probes are hit and counted, not written.</summary>
    None = 0,

    /// <summary>Before the probed instruction.</summary>
    Pre = 1 << (int)TraceEventKind.Pre,

    /// <summary>After the probed instruction.</summary>
    Post = 1 << (int)TraceEventKind.Post,

    /// <summary>Faults of the probed instruction.</summary>
    Fault = 1 << (int)TraceEventKind.Fault,

    /// <summary>Returns of probed functions.</summary>
    Return = 1 << (int)TraceEventKind.Return,

    /// <summary>All of them.</summary>
    All = Pre | Post | Fault | Return,
}
