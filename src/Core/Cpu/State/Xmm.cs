using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu.State;

/// <summary>A 128-bit register as two little-endian halves.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Xmm
{
    /// <summary>Bits 0 to 63.</summary>
    public ulong Low;

    /// <summary>Bits 64 to 127.</summary>
    public ulong High;

    /// <summary>Makes a register value of its halves.</summary>
    /// <param name="low">Bits 0 to 63.</param>
    /// <param name="high">Bits 64 to 127.</param>
    public Xmm(ulong low, ulong high)
    {
        Low = low;
        High = high;
    }
}
