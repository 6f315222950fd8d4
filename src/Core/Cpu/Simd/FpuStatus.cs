namespace KprobeTrace.Cpu.Simd;

/// <summary>Bits of the x87 status word beside the six exceptions (Intel SDM vol. 1 §8.1.3).</summary>
internal static class FpuStatus
{
    /// <summary>SF: the invalid operation was a stack overflow (C1 set) or underflow (C1 clear).</summary>
    public const ushort StackFault = 1 << 6;

    /// <summary>ES: an unmasked exception is pending.</summary>
    public const ushort ErrorSummary = 1 << 7;

    /// <summary>C0.</summary>
    public const ushort C0 = 1 << 8;

    /// <summary>C1.</summary>
    public const ushort C1 = 1 << 9;

    /// <summary>C2.</summary>
    public const ushort C2 = 1 << 10;

    /// <summary>C3.</summary>
    public const ushort C3 = 1 << 14;

    /// <summary>All condition bits.</summary>
    public const ushort Conditions = C0 | C1 | C2 | C3;

    /// <summary>B: a copy of ES.</summary>
    public const ushort Busy = 1 << 15;

    /// <summary>What a pending exception sets.</summary>
    public const ushort Pending = ErrorSummary | Busy;
}
