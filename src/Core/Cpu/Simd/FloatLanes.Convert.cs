using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Simd;

/// <content>Conversions.</content>
internal static unsafe partial class FloatLanes
{
    /// <summary>Signed integers to single precision.</summary>
    public static void Cvtdq2ps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        for (int i = 0; i < 4; i++)
        {
            ((uint*)dst)[i] = (uint)SseFloat<Binary32>.FromInteger(((int*)src)[i], ref status);
        }
    }

    /// <summary>The two lower signed integers to double precision; also CVTPI2PD.</summary>
    public static void Cvtdq2pd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        int* b = (int*)src;
        ulong low = SseFloat<Binary64>.FromInteger(b[0], ref status);
        *dst = new Xmm(low, SseFloat<Binary64>.FromInteger(b[1], ref status));
    }

    /// <summary>Single precision to signed integers.</summary>
    public static void Cvtps2dq(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        for (int i = 0; i < 4; i++)
        {
            ((int*)dst)[i] = (int)SseFloat<Binary32>.ToInteger(((uint*)src)[i], 32, status.Rounding, ref status);
        }
    }

    /// <summary>Double precision to two signed integers, the rest zero; also CVTPD2PI.</summary>
    public static void Cvtpd2dq(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint low = (uint)SseFloat<Binary64>.ToInteger(src->Low, 32, status.Rounding, ref status);
        uint high = (uint)SseFloat<Binary64>.ToInteger(src->High, 32, status.Rounding, ref status);
        *dst = new Xmm(low | ((ulong)high << 32), 0);
    }

    /// <summary>Two numbers in single precision to an MMX register.</summary>
    public static void Cvtps2pi(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint low = (uint)SseFloat<Binary32>.ToInteger((uint)src->Low, 32, status.Rounding, ref status);
        uint high = (uint)SseFloat<Binary32>.ToInteger(src->Low >> 32, 32, status.Rounding, ref status);
        *dst = new Xmm(low | ((ulong)high << 32), 0);
    }

    /// <summary>Single precision to signed integers, truncated.</summary>
    public static void Cvttps2dq(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        for (int i = 0; i < 4; i++)
        {
            ((int*)dst)[i] = (int)SseFloat<Binary32>.ToInteger(((uint*)src)[i], 32, RoundingMode.Zero, ref status);
        }
    }

    /// <summary>Double precision to two signed integers, truncated, the rest zero; also CVTTPD2PI.</summary>
    public static void Cvttpd2dq(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint low = (uint)SseFloat<Binary64>.ToInteger(src->Low, 32, RoundingMode.Zero, ref status);
        uint high = (uint)SseFloat<Binary64>.ToInteger(src->High, 32, RoundingMode.Zero, ref status);
        *dst = new Xmm(low | ((ulong)high << 32), 0);
    }

    /// <summary>Two numbers in single precision to an MMX register, truncated.</summary>
    public static void Cvttps2pi(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint low = (uint)SseFloat<Binary32>.ToInteger((uint)src->Low, 32, RoundingMode.Zero, ref status);
        uint high = (uint)SseFloat<Binary32>.ToInteger(src->Low >> 32, 32, RoundingMode.Zero, ref status);
        *dst = new Xmm(low | ((ulong)high << 32), 0);
    }

    /// <summary>Two signed integers of an MMX operand to the lower lanes.</summary>
    public static void Cvtpi2ps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong low = SseFloat<Binary32>.FromInteger((int)src->Low, ref status);
        dst->Low = low | (SseFloat<Binary32>.FromInteger((int)(src->Low >> 32), ref status) << 32);
    }

    /// <summary>The two lower lanes to double precision.</summary>
    public static void Cvtps2pd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong low = SseFloat<Binary64>.ConvertFrom<Binary32>((uint)src->Low, ref status);
        *dst = new Xmm(low, SseFloat<Binary64>.ConvertFrom<Binary32>(src->Low >> 32, ref status));
    }

    /// <summary>Double precision to the two lower lanes, the rest zero.</summary>
    public static void Cvtpd2ps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong low = SseFloat<Binary32>.ConvertFrom<Binary64>(src->Low, ref status);
        *dst = new Xmm(low | (SseFloat<Binary32>.ConvertFrom<Binary64>(src->High, ref status) << 32), 0);
    }

    /// <summary>Single to double precision in the lowest lane.</summary>
    public static void Cvtss2sd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        dst->Low = SseFloat<Binary64>.ConvertFrom<Binary32>(*(uint*)src, ref status);
    }

    /// <summary>Double to single precision in the lowest lane.</summary>
    public static void Cvtsd2ss(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        *(uint*)dst = (uint)SseFloat<Binary32>.ConvertFrom<Binary64>(src->Low, ref status);
    }
}
