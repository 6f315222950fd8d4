using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Simd;

/// <summary>Moves that keep or duplicate parts of the destination.</summary>
// SAFETY: every function touches only the destination's 16 bytes and as many of the source as its operand has.
internal static unsafe class MoveLanes
{
    /// <summary>MOVSS between registers.</summary>
    public static void LowSingle(Xmm* dst, Xmm* src) => *(uint*)dst = *(uint*)src;

    /// <summary>MOVSD between registers, and loading MOVLPS and MOVLPD.</summary>
    public static void LowDouble(Xmm* dst, Xmm* src) => dst->Low = src->Low;

    /// <summary>MOVLHPS, and loading MOVHPS and MOVHPD.</summary>
    public static void LowToHigh(Xmm* dst, Xmm* src) => dst->High = src->Low;

    /// <summary>MOVHLPS.</summary>
    public static void HighToLow(Xmm* dst, Xmm* src) => dst->Low = src->High;

    /// <summary>MOVDDUP.</summary>
    public static void DuplicateLow(Xmm* dst, Xmm* src) => *dst = new Xmm(src->Low, src->Low);

    /// <summary>MOVSLDUP.</summary>
    public static void DuplicateEven(Xmm* dst, Xmm* src) => *dst = new Xmm(
        (uint)src->Low * 0x1_0000_0001UL, (uint)src->High * 0x1_0000_0001UL);

    /// <summary>MOVSHDUP.</summary>
    public static void DuplicateOdd(Xmm* dst, Xmm* src) => *dst = new Xmm(
        (src->Low >> 32) * 0x1_0000_0001UL, (src->High >> 32) * 0x1_0000_0001UL);
}
