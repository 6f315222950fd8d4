namespace KprobeTrace.Cpu;

/// <summary>What a write to a model-specific register does.</summary>
internal enum MsrWrite
{
    /// <summary>The register is read-only: #GP.</summary>
    Refused,

    /// <summary>Nothing changes.</summary>
    Ignored,

    /// <summary>The bits of the row's mask are kept; the others stay.</summary>
    Kept,

    /// <summary>As kept, and #GP when any other bit is set.</summary>
    KeptAlone,

    /// <summary>As <see cref="KeptAlone"/>, and #GP when the low byte is no memory type.</summary>
    KeptWithType,

    /// <summary>Eight memory types; #GP when one of them is none.</summary>
    KeptTypes,
}
