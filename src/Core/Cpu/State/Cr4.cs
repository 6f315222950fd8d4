namespace KprobeTrace.Cpu.State;

/// <summary>Bits of CR4 (Intel SDM vol. 3A §2.5).</summary>
internal static class Cr4
{
    /// <summary>RDTSC is privileged.</summary>
    public const ulong TSD = 1 << 2;

    /// <summary>Debugging extensions.</summary>
    public const ulong DE = 1 << 3;

    /// <summary>4 MiB pages in 32-bit paging.</summary>
    public const ulong PSE = 1 << 4;

    /// <summary>Physical address extension.</summary>
    public const ulong PAE = 1 << 5;

    /// <summary>Machine-check enable.</summary>
    public const ulong MCE = 1 << 6;

    /// <summary>Global pages.</summary>
    public const ulong PGE = 1 << 7;

    /// <summary>RDPMC in user mode.</summary>
    public const ulong PCE = 1 << 8;

    /// <summary>FXSAVE, FXRSTOR and SSE are enabled.</summary>
    public const ulong OSFXSR = 1 << 9;

    /// <summary>#XM for unmasked SIMD exceptions.</summary>
    public const ulong OSXMMEXCPT = 1 << 10;

    /// <summary>SGDT and friends are privileged.</summary>
    public const ulong UMIP = 1 << 11;

    /// <summary>RDFSBASE and friends are enabled.</summary>
    public const ulong FSGSBASE = 1 << 16;

    /// <summary>XSAVE and extended states are enabled.</summary>
    public const ulong OSXSAVE = 1 << 18;

    /// <summary>Supervisor code must not execute user pages.</summary>
    public const ulong SMEP = 1 << 20;

    /// <summary>Supervisor code must not touch user pages unless EFLAGS.AC.</summary>
    public const ulong SMAP = 1 << 21;

    /// <summary>Every bit this processor implements.</summary>
    public const ulong Implemented = TSD | DE | PSE | PAE | MCE | PGE | PCE | OSFXSR | OSXMMEXCPT | FSGSBASE | SMEP | SMAP | UMIP;
}
