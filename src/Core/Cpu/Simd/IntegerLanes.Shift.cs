using System.Runtime.Intrinsics;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Simd;

/// <content>Shifts. A count beyond the lane's width clears it, or fills it with the sign.</content>
internal static unsafe partial class IntegerLanes
{
    /// <summary>Shifts left.</summary>
    public static void Psllw(Xmm* dst, Xmm* count) =>
        Set(dst, count->Low < 16 ? Get<ushort>(dst) << (int)count->Low : Vector128<ushort>.Zero);

    /// <summary>Shifts left.</summary>
    public static void Pslld(Xmm* dst, Xmm* count) =>
        Set(dst, count->Low < 32 ? Get<uint>(dst) << (int)count->Low : Vector128<uint>.Zero);

    /// <summary>Shifts left.</summary>
    public static void Psllq(Xmm* dst, Xmm* count) =>
        Set(dst, count->Low < 64 ? Get<ulong>(dst) << (int)count->Low : Vector128<ulong>.Zero);

    /// <summary>Shifts right, filling with zeros.</summary>
    public static void Psrlw(Xmm* dst, Xmm* count) =>
        Set(dst, count->Low < 16 ? Get<ushort>(dst) >> (int)count->Low : Vector128<ushort>.Zero);

    /// <summary>Shifts right, filling with zeros.</summary>
    public static void Psrld(Xmm* dst, Xmm* count) =>
        Set(dst, count->Low < 32 ? Get<uint>(dst) >> (int)count->Low : Vector128<uint>.Zero);

    /// <summary>Shifts right, filling with zeros.</summary>
    public static void Psrlq(Xmm* dst, Xmm* count) =>
        Set(dst, count->Low < 64 ? Get<ulong>(dst) >> (int)count->Low : Vector128<ulong>.Zero);

    /// <summary>Shifts right, filling with the sign.</summary>
    public static void Psraw(Xmm* dst, Xmm* count) =>
        Set(dst, Get<short>(dst) >> (int)Math.Min(count->Low, 15));

    /// <summary>Shifts right, filling with the sign.</summary>
    public static void Psrad(Xmm* dst, Xmm* count) =>
        Set(dst, Get<int>(dst) >> (int)Math.Min(count->Low, 31));

    /// <summary>Shifts the whole register left by bytes.</summary>
    public static void Pslldq(Xmm* dst, Xmm* count)
    {
        UInt128 value = new(dst->High, dst->Low);
        value = count->Low < 16 ? value << ((int)count->Low * 8) : 0;
        *dst = new Xmm((ulong)value, (ulong)(value >> 64));
    }

    /// <summary>Shifts the whole register right by bytes.</summary>
    public static void Psrldq(Xmm* dst, Xmm* count)
    {
        UInt128 value = new(dst->High, dst->Low);
        value = count->Low < 16 ? value >> ((int)count->Low * 8) : 0;
        *dst = new Xmm((ulong)value, (ulong)(value >> 64));
    }
}
