namespace KprobeTrace.Tracing;

/// <summary>What a <see cref="TraceNote"/> is about.</summary>
/// <remarks>The numbers are part of the trace format.</remarks>
internal enum TraceNoteKind : byte
{
    /// <summary>Hits that could not be handled.</summary>
    Miss = 0,

    /// <summary>A limit ended or narrowed the recording.</summary>
    Limit = 1,

    /// <summary>A probe was refused.</summary>
    Refusal = 2,

    /// <summary>A probe changed its state (armed, gone with its module …).</summary>
    ProbeState = 3,

    /// <summary>Anything else a reader of the trace should know.</summary>
    Remark = 4,
}
