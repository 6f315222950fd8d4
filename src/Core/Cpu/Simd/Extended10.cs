using System.Runtime.InteropServices;

namespace KprobeTrace.Cpu.Simd;

/// <summary>Ten bytes of memory: an extended-precision number or a packed decimal.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1, Size = 10)]
internal struct Extended10
{
    /// <summary>Bytes 0 to 7.</summary>
    public ulong Low;

    /// <summary>Bytes 8 and 9.</summary>
    public ushort High;
}
