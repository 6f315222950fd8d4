using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu.Simd;

/// <summary>A 128-bit register or memory operand. MMX operands use the lower half.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
public struct Xmm
{
    /// <summary>Bits 0 to 63.</summary>
    public ulong Low;

    /// <summary>Bits 64 to 127.</summary>
    public ulong High;

    /// <summary>Makes an operand of its halves.</summary>
    /// <param name="low">Bits 0 to 63.</param>
    /// <param name="high">Bits 64 to 127.</param>
    public Xmm(ulong low, ulong high)
    {
        Low = low;
        High = high;
    }
}
