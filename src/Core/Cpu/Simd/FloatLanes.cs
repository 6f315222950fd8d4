using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Simd;

/// <summary>
/// The floating-point operations of SSE to SSE4.1 on packed and scalar operands: dst = dst op src. Exceptions of all
/// lanes gather in the status; a caller that finds one unmasked throws the result away.
/// </summary>
// SAFETY: every function of this class touches only the 16 bytes behind each pointer, which callers take from locals.
internal static unsafe partial class FloatLanes
{
    /// <summary>Sums.</summary>
    public static void Addps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 4; i++)
        {
            a[i] = (uint)SseFloat<Binary32>.Add(a[i], b[i], ref status);
        }
    }

    /// <summary>Sums.</summary>
    public static void Addpd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong* a = (ulong*)dst;
        ulong* b = (ulong*)src;
        for (int i = 0; i < 2; i++)
        {
            a[i] = SseFloat<Binary64>.Add(a[i], b[i], ref status);
        }
    }

    /// <summary>Sums.</summary>
    public static void Addss(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(uint*)dst = (uint)SseFloat<Binary32>.Add(*(uint*)dst, *(uint*)src, ref status);

    /// <summary>Sums.</summary>
    public static void Addsd(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(ulong*)dst = SseFloat<Binary64>.Add(*(ulong*)dst, *(ulong*)src, ref status);

    /// <summary>Differences.</summary>
    public static void Subps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 4; i++)
        {
            a[i] = (uint)SseFloat<Binary32>.Subtract(a[i], b[i], ref status);
        }
    }

    /// <summary>Differences.</summary>
    public static void Subpd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong* a = (ulong*)dst;
        ulong* b = (ulong*)src;
        for (int i = 0; i < 2; i++)
        {
            a[i] = SseFloat<Binary64>.Subtract(a[i], b[i], ref status);
        }
    }

    /// <summary>Differences.</summary>
    public static void Subss(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(uint*)dst = (uint)SseFloat<Binary32>.Subtract(*(uint*)dst, *(uint*)src, ref status);

    /// <summary>Differences.</summary>
    public static void Subsd(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(ulong*)dst = SseFloat<Binary64>.Subtract(*(ulong*)dst, *(ulong*)src, ref status);

    /// <summary>Products.</summary>
    public static void Mulps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 4; i++)
        {
            a[i] = (uint)SseFloat<Binary32>.Multiply(a[i], b[i], ref status);
        }
    }

    /// <summary>Products.</summary>
    public static void Mulpd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong* a = (ulong*)dst;
        ulong* b = (ulong*)src;
        for (int i = 0; i < 2; i++)
        {
            a[i] = SseFloat<Binary64>.Multiply(a[i], b[i], ref status);
        }
    }

    /// <summary>Products.</summary>
    public static void Mulss(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(uint*)dst = (uint)SseFloat<Binary32>.Multiply(*(uint*)dst, *(uint*)src, ref status);

    /// <summary>Products.</summary>
    public static void Mulsd(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(ulong*)dst = SseFloat<Binary64>.Multiply(*(ulong*)dst, *(ulong*)src, ref status);

    /// <summary>Quotients.</summary>
    public static void Divps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 4; i++)
        {
            a[i] = (uint)SseFloat<Binary32>.Divide(a[i], b[i], ref status);
        }
    }

    /// <summary>Quotients.</summary>
    public static void Divpd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong* a = (ulong*)dst;
        ulong* b = (ulong*)src;
        for (int i = 0; i < 2; i++)
        {
            a[i] = SseFloat<Binary64>.Divide(a[i], b[i], ref status);
        }
    }

    /// <summary>Quotients.</summary>
    public static void Divss(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(uint*)dst = (uint)SseFloat<Binary32>.Divide(*(uint*)dst, *(uint*)src, ref status);

    /// <summary>Quotients.</summary>
    public static void Divsd(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(ulong*)dst = SseFloat<Binary64>.Divide(*(ulong*)dst, *(ulong*)src, ref status);

    /// <summary>Smaller of each pair.</summary>
    public static void Minps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 4; i++)
        {
            a[i] = (uint)SseFloat<Binary32>.Minimum(a[i], b[i], ref status);
        }
    }

    /// <summary>Smaller of each pair.</summary>
    public static void Minpd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong* a = (ulong*)dst;
        ulong* b = (ulong*)src;
        for (int i = 0; i < 2; i++)
        {
            a[i] = SseFloat<Binary64>.Minimum(a[i], b[i], ref status);
        }
    }

    /// <summary>Smaller of each pair.</summary>
    public static void Minss(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(uint*)dst = (uint)SseFloat<Binary32>.Minimum(*(uint*)dst, *(uint*)src, ref status);

    /// <summary>Smaller of each pair.</summary>
    public static void Minsd(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(ulong*)dst = SseFloat<Binary64>.Minimum(*(ulong*)dst, *(ulong*)src, ref status);

    /// <summary>Larger of each pair.</summary>
    public static void Maxps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 4; i++)
        {
            a[i] = (uint)SseFloat<Binary32>.Maximum(a[i], b[i], ref status);
        }
    }

    /// <summary>Larger of each pair.</summary>
    public static void Maxpd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong* a = (ulong*)dst;
        ulong* b = (ulong*)src;
        for (int i = 0; i < 2; i++)
        {
            a[i] = SseFloat<Binary64>.Maximum(a[i], b[i], ref status);
        }
    }

    /// <summary>Larger of each pair.</summary>
    public static void Maxss(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(uint*)dst = (uint)SseFloat<Binary32>.Maximum(*(uint*)dst, *(uint*)src, ref status);

    /// <summary>Larger of each pair.</summary>
    public static void Maxsd(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(ulong*)dst = SseFloat<Binary64>.Maximum(*(ulong*)dst, *(ulong*)src, ref status);

    /// <summary>Square roots of the source.</summary>
    public static void Sqrtps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 4; i++)
        {
            a[i] = (uint)SseFloat<Binary32>.SquareRoot(b[i], ref status);
        }
    }

    /// <summary>Square roots of the source.</summary>
    public static void Sqrtpd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong* a = (ulong*)dst;
        ulong* b = (ulong*)src;
        for (int i = 0; i < 2; i++)
        {
            a[i] = SseFloat<Binary64>.SquareRoot(b[i], ref status);
        }
    }

    /// <summary>Square roots of the source.</summary>
    public static void Sqrtss(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(uint*)dst = (uint)SseFloat<Binary32>.SquareRoot(*(uint*)src, ref status);

    /// <summary>Square roots of the source.</summary>
    public static void Sqrtsd(Xmm* dst, Xmm* src, ref FloatStatus status) =>
        *(ulong*)dst = SseFloat<Binary64>.SquareRoot(*(ulong*)src, ref status);

    /// <summary>Sums of neighbours, the destination's first.</summary>
    public static void Haddps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        Xmm result = default;
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 2; i++)
        {
            ((uint*)&result)[i] = (uint)SseFloat<Binary32>.Add(a[2 * i], a[(2 * i) + 1], ref status);
            ((uint*)&result)[i + 2] = (uint)SseFloat<Binary32>.Add(b[2 * i], b[(2 * i) + 1], ref status);
        }
        *dst = result;
    }

    /// <summary>Sums of neighbours, the destination's first.</summary>
    public static void Haddpd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong low = SseFloat<Binary64>.Add(dst->Low, dst->High, ref status);
        *dst = new Xmm(low, SseFloat<Binary64>.Add(src->Low, src->High, ref status));
    }

    /// <summary>Differences of neighbours, the destination's first.</summary>
    public static void Hsubps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        Xmm result = default;
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 2; i++)
        {
            ((uint*)&result)[i] = (uint)SseFloat<Binary32>.Subtract(a[2 * i], a[(2 * i) + 1], ref status);
            ((uint*)&result)[i + 2] = (uint)SseFloat<Binary32>.Subtract(b[2 * i], b[(2 * i) + 1], ref status);
        }
        *dst = result;
    }

    /// <summary>Differences of neighbours, the destination's first.</summary>
    public static void Hsubpd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        ulong low = SseFloat<Binary64>.Subtract(dst->Low, dst->High, ref status);
        *dst = new Xmm(low, SseFloat<Binary64>.Subtract(src->Low, src->High, ref status));
    }

    /// <summary>Differences in even lanes, sums in odd ones.</summary>
    public static void Addsubps(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 4; i += 2)
        {
            a[i] = (uint)SseFloat<Binary32>.Subtract(a[i], b[i], ref status);
            a[i + 1] = (uint)SseFloat<Binary32>.Add(a[i + 1], b[i + 1], ref status);
        }
    }

    /// <summary>The difference of the lower lanes, the sum of the upper ones.</summary>
    public static void Addsubpd(Xmm* dst, Xmm* src, ref FloatStatus status)
    {
        dst->Low = SseFloat<Binary64>.Subtract(dst->Low, src->Low, ref status);
        dst->High = SseFloat<Binary64>.Add(dst->High, src->High, ref status);
    }

    /// <summary>A dot product of the lanes in immediate bits 4 to 7, in the lanes of bits 0 to 3.</summary>
    public static void Dpps(Xmm* dst, Xmm* src, int immediate, ref FloatStatus status)
    {
        uint* products = stackalloc uint[4];
        for (int i = 0; i < 4; i++)
        {
            products[i] = (immediate >> (i + 4) & 1) == 0 ? 0
                : (uint)SseFloat<Binary32>.Multiply(((uint*)dst)[i], ((uint*)src)[i], ref status);
        }
        if (!status.EndStage())
        {
            return;
        }
        ulong low = SseFloat<Binary32>.Add(products[0], products[1], ref status);
        ulong high = SseFloat<Binary32>.Add(products[2], products[3], ref status);
        if (!status.EndStage())
        {
            return;
        }
        uint sum = (uint)SseFloat<Binary32>.Add(low, high, ref status);
        for (int i = 0; i < 4; i++)
        {
            ((uint*)dst)[i] = (immediate >> i & 1) != 0 ? sum : 0;
        }
    }

    /// <summary>A dot product of the lanes in immediate bits 4 and 5, in the lanes of bits 0 and 1.</summary>
    public static void Dppd(Xmm* dst, Xmm* src, int immediate, ref FloatStatus status)
    {
        ulong low = (immediate & 0x10) == 0 ? 0 : SseFloat<Binary64>.Multiply(dst->Low, src->Low, ref status);
        ulong high = (immediate & 0x20) == 0 ? 0 : SseFloat<Binary64>.Multiply(dst->High, src->High, ref status);
        if (!status.EndStage())
        {
            return;
        }
        ulong sum = SseFloat<Binary64>.Add(low, high, ref status);
        *dst = new Xmm((immediate & 1) != 0 ? sum : 0, (immediate & 2) != 0 ? sum : 0);
    }

    /// <summary>About the reciprocals of the source.</summary>
    public static void Rcpps(Xmm* dst, Xmm* src)
    {
        for (int i = 0; i < 4; i++)
        {
            ((uint*)dst)[i] = ReciprocalApproximation.Reciprocal(((uint*)src)[i]);
        }
    }

    /// <summary>About the reciprocal of the source.</summary>
    public static void Rcpss(Xmm* dst, Xmm* src) =>
        *(uint*)dst = ReciprocalApproximation.Reciprocal(*(uint*)src);

    /// <summary>About the reciprocals of the source's square roots.</summary>
    public static void Rsqrtps(Xmm* dst, Xmm* src)
    {
        for (int i = 0; i < 4; i++)
        {
            ((uint*)dst)[i] = ReciprocalApproximation.ReciprocalSquareRoot(((uint*)src)[i]);
        }
    }

    /// <summary>About the reciprocal of the source's square root.</summary>
    public static void Rsqrtss(Xmm* dst, Xmm* src) =>
        *(uint*)dst = ReciprocalApproximation.ReciprocalSquareRoot(*(uint*)src);

    /// <summary>All ones where the immediate's predicate holds.</summary>
    public static void Cmpps(Xmm* dst, Xmm* src, int immediate, ref FloatStatus status)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 4; i++)
        {
            a[i] = SseFloat<Binary32>.Holds(a[i], b[i], immediate & 7, ref status) ? uint.MaxValue : 0;
        }
    }

    /// <summary>Integral values of the source.</summary>
    public static void Roundps(Xmm* dst, Xmm* src, int immediate, ref FloatStatus status)
    {
        RoundingMode mode = (immediate & 4) != 0 ? status.Rounding : (RoundingMode)(immediate & 3);
        for (int i = 0; i < 4; i++)
        {
            ((uint*)dst)[i] = (uint)SseFloat<Binary32>.RoundToIntegral(
                ((uint*)src)[i], mode, (immediate & 8) != 0, ref status);
        }
    }

    /// <summary>All ones where the immediate's predicate holds.</summary>
    public static void Cmppd(Xmm* dst, Xmm* src, int immediate, ref FloatStatus status)
    {
        ulong* a = (ulong*)dst;
        ulong* b = (ulong*)src;
        for (int i = 0; i < 2; i++)
        {
            a[i] = SseFloat<Binary64>.Holds(a[i], b[i], immediate & 7, ref status) ? ulong.MaxValue : 0;
        }
    }

    /// <summary>Integral values of the source.</summary>
    public static void Roundpd(Xmm* dst, Xmm* src, int immediate, ref FloatStatus status)
    {
        RoundingMode mode = (immediate & 4) != 0 ? status.Rounding : (RoundingMode)(immediate & 3);
        for (int i = 0; i < 2; i++)
        {
            ((ulong*)dst)[i] = SseFloat<Binary64>.RoundToIntegral(
                ((ulong*)src)[i], mode, (immediate & 8) != 0, ref status);
        }
    }

    /// <summary>All ones where the immediate's predicate holds.</summary>
    public static void Cmpss(Xmm* dst, Xmm* src, int immediate, ref FloatStatus status)
    {
        uint* a = (uint*)dst;
        uint* b = (uint*)src;
        for (int i = 0; i < 1; i++)
        {
            a[i] = SseFloat<Binary32>.Holds(a[i], b[i], immediate & 7, ref status) ? uint.MaxValue : 0;
        }
    }

    /// <summary>Integral values of the source.</summary>
    public static void Roundss(Xmm* dst, Xmm* src, int immediate, ref FloatStatus status)
    {
        RoundingMode mode = (immediate & 4) != 0 ? status.Rounding : (RoundingMode)(immediate & 3);
        for (int i = 0; i < 1; i++)
        {
            ((uint*)dst)[i] = (uint)SseFloat<Binary32>.RoundToIntegral(
                ((uint*)src)[i], mode, (immediate & 8) != 0, ref status);
        }
    }

    /// <summary>All ones where the immediate's predicate holds.</summary>
    public static void Cmpsd(Xmm* dst, Xmm* src, int immediate, ref FloatStatus status)
    {
        ulong* a = (ulong*)dst;
        ulong* b = (ulong*)src;
        for (int i = 0; i < 1; i++)
        {
            a[i] = SseFloat<Binary64>.Holds(a[i], b[i], immediate & 7, ref status) ? ulong.MaxValue : 0;
        }
    }

    /// <summary>Integral values of the source.</summary>
    public static void Roundsd(Xmm* dst, Xmm* src, int immediate, ref FloatStatus status)
    {
        RoundingMode mode = (immediate & 4) != 0 ? status.Rounding : (RoundingMode)(immediate & 3);
        for (int i = 0; i < 1; i++)
        {
            ((ulong*)dst)[i] = SseFloat<Binary64>.RoundToIntegral(
                ((ulong*)src)[i], mode, (immediate & 8) != 0, ref status);
        }
    }
}
