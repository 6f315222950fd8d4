using System.Numerics;

namespace KprobeTrace.Cpu.Float;

/// <content>Conversions and rounding to integral values.</content>
internal static partial class SseFloat<TFormat>
{
    /// <summary>Converts to a signed integer; the integer indefinite (only the sign bit set) when it does not fit.</summary>
    /// <param name="a">The number.</param>
    /// <param name="bits">Width of the integer: 32 or 64.</param>
    /// <param name="mode">Direction; truncating instructions pass <see cref="RoundingMode.Zero"/>.</param>
    /// <param name="status">Denormal treatment and flags; a denormal operand raises no DE here.</param>
    public static long ToInteger(ulong a, int bits, RoundingMode mode, ref FloatStatus status)
    {
        if (IsNaN(a) || IsInfinity(a))
        {
            status.Raise(FloatFlags.Invalid);
            return IntegerRounder.Indefinite(bits);
        }
        Flush(ref a, status);
        return IsZero(a) ? 0 : IntegerRounder.ToInteger(Unpack(a), bits, mode, ref status);
    }

    /// <summary>Converts a signed integer.</summary>
    public static ulong FromInteger(long value, ref FloatStatus status)
    {
        if (value == 0)
        {
            return 0;
        }
        ulong magnitude = value < 0 ? 0UL - (ulong)value : (ulong)value;
        int shift = BitOperations.LeadingZeroCount(magnitude);
        return Round(new Unrounded(value < 0, 63 - shift, magnitude << shift), ref status);
    }

    /// <summary>Converts from the other SSE format (CVTSS2SD, CVTSD2SS).</summary>
    /// <typeparam name="TSource">The format converted from.</typeparam>
    public static ulong ConvertFrom<TSource>(ulong a, ref FloatStatus status)
        where TSource : struct, IFloatFormat
    {
        ulong sign = SseFloat<TSource>.IsNegative(a) ? SignBit : 0;
        if (SseFloat<TSource>.IsNaN(a))
        {
            if (SseFloat<TSource>.IsSignaling(a))
            {
                status.Raise(FloatFlags.Invalid);
            }
            ulong fraction = (a & SseFloat<TSource>.FractionMask) << (63 - TSource.FractionBits);
            return sign | Infinity | QuietBit | (fraction >> (63 - TFormat.FractionBits));
        }
        SseFloat<TSource>.Flush(ref a, status);
        if (SseFloat<TSource>.IsInfinity(a))
        {
            return sign | Infinity;
        }
        if (SseFloat<TSource>.IsZero(a))
        {
            return sign;
        }
        if (SseFloat<TSource>.IsDenormal(a))
        {
            status.Raise(FloatFlags.Denormal);
        }
        return Round(SseFloat<TSource>.Unpack(a), ref status);
    }

    /// <summary>Rounds to an integral value in the format (ROUNDPS and its relatives).</summary>
    /// <param name="a">The number.</param>
    /// <param name="mode">Direction.</param>
    /// <param name="quiet">Whether an inexact result goes unreported (immediate bit 3).</param>
    /// <param name="status">Denormal treatment and flags.</param>
    public static ulong RoundToIntegral(ulong a, RoundingMode mode, bool quiet, ref FloatStatus status)
    {
        if (IsNaN(a))
        {
            return PropagateNaN(a, a, ref status);
        }
        Flush(ref a, status);
        int exponent = (int)((a & Infinity) >> TFormat.FractionBits) - Bias;
        if (exponent >= TFormat.FractionBits || IsZero(a))
        {
            return a;
        }
        ulong sign = a & SignBit;
        Unrounded x = Unpack(a);
        ulong high = x.High;
        ulong low = 0;
        Rounder.ShiftRightSticky(ref high, ref low, 63 - x.Exponent);
        if (low == 0)
        {
            return a;
        }
        if (!quiet)
        {
            status.Raise(FloatFlags.Precision);
        }
        if (Rounder.RoundsAway(mode, x.Negative, (high & 1) != 0, low))
        {
            high++;
        }
        if (high == 0)
        {
            return sign;
        }
        int shift = BitOperations.LeadingZeroCount(high);
        return Pack(new Rounded(x.Negative, 63 - shift, high << shift));
    }
}
