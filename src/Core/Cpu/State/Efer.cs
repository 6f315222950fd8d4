namespace KprobeTrace.Cpu.State;

/// <summary>Bits of IA32_EFER (Intel SDM vol. 3A §2.2.1).</summary>
internal static class Efer
{
    /// <summary>SYSCALL and SYSRET are enabled.</summary>
    public const ulong SCE = 1 << 0;

    /// <summary>Long mode is enabled.</summary>
    public const ulong LME = 1 << 8;

    /// <summary>Long mode is active.</summary>
    public const ulong LMA = 1 << 10;

    /// <summary>No-execute pages.</summary>
    public const ulong NXE = 1 << 11;

    /// <summary>Every bit this processor implements.</summary>
    public const ulong Implemented = SCE | LME | LMA | NXE;
}
