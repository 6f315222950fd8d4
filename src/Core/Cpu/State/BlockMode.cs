namespace KprobeTrace.Cpu.State;

/// <summary>What besides the bytes decides how they decode: part of a block's key.</summary>
internal static class BlockMode
{
    /// <summary>Code size mask: 0 = 16-bit, 1 = 32-bit, 2 = 64-bit code.</summary>
    public const int SizeMask = 3;

    /// <summary>16-bit code.</summary>
    public const int Code16 = 0;

    /// <summary>32-bit code.</summary>
    public const int Code32 = 1;

    /// <summary>64-bit code.</summary>
    public const int Code64 = 2;

    /// <summary>User mode: the fetch overlay does not apply.</summary>
    public const int User = 4;

    /// <summary>32-bit stack (SS.B) outside 64-bit code.</summary>
    public const int Stack32 = 8;

    /// <summary>Ring 1 or 2: neither user mode nor privileged.</summary>
    public const int OuterRing = 16;

    /// <summary>CR0.EM, CR0.TS or a clear CR4.OSFXSR may refuse x87, MMX or SSE instructions; else nobody has to look.</summary>
    public const int FloatGuarded = 32;

    /// <summary>Set where CPL is not 0.</summary>
    public const int Unprivileged = User | OuterRing;
}
