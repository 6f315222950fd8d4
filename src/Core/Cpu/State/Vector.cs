namespace KprobeTrace.Cpu.State;

/// <summary>Exception vectors (Intel SDM vol. 3A §6.3).</summary>
internal static class Vector
{
    /// <summary>#DE, divide error.</summary>
    public const byte DivideError = 0;

    /// <summary>#DB, debug.</summary>
    public const byte Debug = 1;

    /// <summary>Non-maskable interrupt.</summary>
    public const byte Nmi = 2;

    /// <summary>#BP, breakpoint.</summary>
    public const byte Breakpoint = 3;

    /// <summary>#OF, overflow.</summary>
    public const byte Overflow = 4;

    /// <summary>#BR, bound range.</summary>
    public const byte BoundRange = 5;

    /// <summary>#UD, invalid opcode.</summary>
    public const byte InvalidOpcode = 6;

    /// <summary>#NM, device not available.</summary>
    public const byte DeviceNotAvailable = 7;

    /// <summary>#DF, double fault.</summary>
    public const byte DoubleFault = 8;

    /// <summary>#TS, invalid TSS.</summary>
    public const byte InvalidTss = 10;

    /// <summary>#NP, segment not present.</summary>
    public const byte SegmentNotPresent = 11;

    /// <summary>#SS, stack-segment fault.</summary>
    public const byte StackFault = 12;

    /// <summary>#GP, general protection.</summary>
    public const byte GeneralProtection = 13;

    /// <summary>#PF, page fault.</summary>
    public const byte PageFault = 14;

    /// <summary>#MF, x87 error.</summary>
    public const byte X87Error = 16;

    /// <summary>#AC, alignment check.</summary>
    public const byte AlignmentCheck = 17;

    /// <summary>#MC, machine check.</summary>
    public const byte MachineCheck = 18;

    /// <summary>#XM, SIMD floating-point error.</summary>
    public const byte SimdError = 19;

    /// <summary>Marks that no fault is pending.</summary>
    public const byte None = 0xFF;

    /// <summary>Whether the processor pushes an error code for this exception.</summary>
    public static bool HasErrorCode(byte vector) => vector is DoubleFault or (>= InvalidTss and <= PageFault) or AlignmentCheck;

    /// <summary>Whether this exception is of the contributory class of the double-fault table (SDM vol. 3A table 6-4).</summary>
    public static bool IsContributory(byte vector) => vector is DivideError or (>= InvalidTss and <= GeneralProtection);
}
