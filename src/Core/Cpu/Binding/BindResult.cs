namespace KprobeTrace.Cpu.Binding;

/// <summary>What a bound instruction means for its block.</summary>
internal enum BindResult
{
    /// <summary>It is no instruction of this processor.</summary>
    Undefined,

    /// <summary>The block goes on after it.</summary>
    Continue,

    /// <summary>The block ends with it, and execution may fall through to the next address.</summary>
    EndWithFallThrough,

    /// <summary>The block ends with it.</summary>
    End,
}
