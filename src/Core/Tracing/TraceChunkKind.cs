namespace KprobeTrace.Tracing;

/// <summary>What a chunk of a trace holds.</summary>
/// <remarks>The numbers are part of the trace format.</remarks>
internal enum TraceChunkKind : byte
{
    /// <summary>Nothing read yet; in the file: the header.</summary>
    None = 0,

    /// <summary>Events.</summary>
    Events = 1,

    /// <summary>Probe definitions.</summary>
    Probes = 2,

    /// <summary>Symbols.</summary>
    Symbols = 3,

    /// <summary>Console lines.</summary>
    Console = 4,

    /// <summary>Changes of code.</summary>
    TextPokes = 5,

    /// <summary>Notes.</summary>
    Notes = 6,

    /// <summary>The footer; a reader never delivers it as a chunk.</summary>
    Footer = 127,
}
