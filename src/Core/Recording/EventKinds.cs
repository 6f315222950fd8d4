namespace KprobeTrace.Recording;

/// <summary>The kinds of events a recording writes.</summary>
[Flags]
public enum EventKinds
{
    /// <summary>Nothing: probes are hit and counted, not written.</summary>
    None = 0,

    /// <summary>Before the probed instruction.</summary>
    Pre = 1,

    /// <summary>After the probed instruction.</summary>
    Post = 2,

    /// <summary>Faults of the probed instruction.</summary>
    Fault = 4,

    /// <summary>Returns of probed functions.</summary>
    Return = 8,

    /// <summary>All of them.</summary>
    All = Pre | Post | Fault | Return,
}
