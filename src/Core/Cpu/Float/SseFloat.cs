using System.Numerics;
using System.Runtime.CompilerServices;

namespace KprobeTrace.Cpu.Float;

/// <summary>
/// Single- and double-precision arithmetic as the SSE instructions define it, on raw bit patterns held in a 64-bit
/// word (Intel SDM vol. 1 chapters 4 and 10, appendix E).
/// </summary>
/// <typeparam name="TFormat">The format.</typeparam>
/// <remarks>
/// NaN operands: the first operand if it is a NaN, else the second, made quiet. A denormal operand raises DE only where
/// no NaN, invalid or divide-by-zero condition comes first.
/// </remarks>
internal static partial class SseFloat<TFormat>
    where TFormat : struct, IFloatFormat
{
    internal const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    private static int Precision => TFormat.FractionBits + 1;

    private static int Bias => (1 << (TFormat.ExponentBits - 1)) - 1;

    private static ulong FieldMax => (1UL << TFormat.ExponentBits) - 1;

    private static ulong FractionMask => (1UL << TFormat.FractionBits) - 1;

    private static ulong SignBit => 1UL << (TFormat.FractionBits + TFormat.ExponentBits);

    private static ulong QuietBit => 1UL << (TFormat.FractionBits - 1);

    /// <summary>Positive infinity.</summary>
    public static ulong Infinity => FieldMax << TFormat.FractionBits;

    /// <summary>The quiet NaN that masked invalid operations return: negative, with an otherwise empty fraction.</summary>
    public static ulong DefaultNaN => SignBit | Infinity | QuietBit;

    /// <summary>Whether the pattern is a NaN.</summary>
    [MethodImpl(Inline)]
    public static bool IsNaN(ulong a) => (a & ~SignBit) > Infinity;

    /// <summary>Whether the pattern is a signalling NaN.</summary>
    [MethodImpl(Inline)]
    public static bool IsSignaling(ulong a) => IsNaN(a) && (a & QuietBit) == 0;

    [MethodImpl(Inline)]
    private static bool IsZero(ulong a) => (a & ~SignBit) == 0;

    [MethodImpl(Inline)]
    private static bool IsInfinity(ulong a) => (a & ~SignBit) == Infinity;

    [MethodImpl(Inline)]
    private static bool IsDenormal(ulong a) => (a & Infinity) == 0 && (a & FractionMask) != 0;

    [MethodImpl(Inline)]
    private static bool IsNegative(ulong a) => (a & SignBit) != 0;

    /// <summary>Sum.</summary>
    public static ulong Add(ulong a, ulong b, ref FloatStatus status)
    {
        if (status.HostExact && Ordinary(a) && Ordinary(b))
        {
            ulong sum = HostAdd(a, b);
            if (SafeSum(sum))
            {
                return sum;
            }
        }
        return AddSlow(a, b, ref status);
    }

    /// <summary>Difference.</summary>
    public static ulong Subtract(ulong a, ulong b, ref FloatStatus status)
    {
        if (status.HostExact && Ordinary(a) && Ordinary(b))
        {
            ulong sum = HostAdd(a, b ^ SignBit);
            if (SafeSum(sum))
            {
                return sum;
            }
        }
        if (IsNaN(b))
        {
            // The sign of a NaN is not turned round by the subtraction.
            return PropagateNaN(a, b, ref status);
        }
        return AddSlow(a, b ^ SignBit, ref status);
    }

    /// <summary>Product.</summary>
    public static ulong Multiply(ulong a, ulong b, ref FloatStatus status)
    {
        if (status.HostExact && Ordinary(a) && Ordinary(b))
        {
            ulong product = TFormat.FractionBits == 52
                ? BitConverter.DoubleToUInt64Bits(BitConverter.UInt64BitsToDouble(a) * BitConverter.UInt64BitsToDouble(b))
                : BitConverter.SingleToUInt32Bits(
                    BitConverter.UInt32BitsToSingle((uint)a) * BitConverter.UInt32BitsToSingle((uint)b));
            if (SafeProduct(product))
            {
                return product;
            }
        }
        if (IsNaN(a) || IsNaN(b))
        {
            return PropagateNaN(a, b, ref status);
        }
        Flush(ref a, status);
        Flush(ref b, status);
        ulong sign = (a ^ b) & SignBit;
        if ((IsInfinity(a) && IsZero(b)) || (IsZero(a) && IsInfinity(b)))
        {
            status.Raise(FloatFlags.Invalid);
            return DefaultNaN;
        }
        NoteDenormals(a, b, ref status);
        if (IsInfinity(a) || IsInfinity(b))
        {
            return sign | Infinity;
        }
        if (IsZero(a) || IsZero(b))
        {
            return sign;
        }
        return Round(ExactArithmetic.Multiply(Unpack(a), Unpack(b)), ref status);
    }

    /// <summary>Quotient.</summary>
    public static ulong Divide(ulong a, ulong b, ref FloatStatus status)
    {
        if (status.HostExact && Ordinary(a) && Ordinary(b))
        {
            ulong quotient = TFormat.FractionBits == 52
                ? BitConverter.DoubleToUInt64Bits(BitConverter.UInt64BitsToDouble(a) / BitConverter.UInt64BitsToDouble(b))
                : BitConverter.SingleToUInt32Bits(
                    BitConverter.UInt32BitsToSingle((uint)a) / BitConverter.UInt32BitsToSingle((uint)b));
            if (SafeProduct(quotient))
            {
                return quotient;
            }
        }
        if (IsNaN(a) || IsNaN(b))
        {
            return PropagateNaN(a, b, ref status);
        }
        Flush(ref a, status);
        Flush(ref b, status);
        ulong sign = (a ^ b) & SignBit;
        if ((IsInfinity(a) && IsInfinity(b)) || (IsZero(a) && IsZero(b)))
        {
            status.Raise(FloatFlags.Invalid);
            return DefaultNaN;
        }
        if (IsZero(b) && !IsInfinity(a))
        {
            status.Raise(FloatFlags.DivideByZero);
            return sign | Infinity;
        }
        NoteDenormals(a, b, ref status);
        if (IsInfinity(a))
        {
            return sign | Infinity;
        }
        if (IsZero(a) || IsInfinity(b))
        {
            return sign;
        }
        return Round(ExactArithmetic.Divide(Unpack(a), Unpack(b)), ref status);
    }

    /// <summary>Square root.</summary>
    public static ulong SquareRoot(ulong a, ref FloatStatus status)
    {
        if (IsNaN(a))
        {
            return PropagateNaN(a, a, ref status);
        }
        Flush(ref a, status);
        if (IsZero(a))
        {
            return a;
        }
        if (IsNegative(a))
        {
            status.Raise(FloatFlags.Invalid);
            return DefaultNaN;
        }
        if (IsInfinity(a))
        {
            return a;
        }
        if (IsDenormal(a))
        {
            status.Raise(FloatFlags.Denormal);
        }
        else if (status.HostExact)
        {
            // The root of a normal number is normal.
            return TFormat.FractionBits == 52
                ? BitConverter.DoubleToUInt64Bits(Math.Sqrt(BitConverter.UInt64BitsToDouble(a)))
                : BitConverter.SingleToUInt32Bits(MathF.Sqrt(BitConverter.UInt32BitsToSingle((uint)a)));
        }
        return Round(ExactArithmetic.SquareRoot(Unpack(a)), ref status);
    }

    /// <summary>MIN: the second operand when either is a NaN or both are zero, else the smaller.</summary>
    public static ulong Minimum(ulong a, ulong b, ref FloatStatus status) =>
        Comparable(ref a, ref b, ref status) && Less(a, b) ? a : b;

    /// <summary>MAX: the second operand when either is a NaN or both are zero, else the larger.</summary>
    public static ulong Maximum(ulong a, ulong b, ref FloatStatus status) =>
        Comparable(ref a, ref b, ref status) && Less(b, a) ? a : b;

    private static bool Comparable(ref ulong a, ref ulong b, ref FloatStatus status)
    {
        Flush(ref a, status);
        Flush(ref b, status);
        if (IsNaN(a) || IsNaN(b))
        {
            status.Raise(FloatFlags.Invalid);
            return false;
        }
        NoteDenormals(a, b, ref status);
        return true;
    }

    [MethodImpl(Inline)]
    private static bool Less(ulong a, ulong b)
    {
        if (IsZero(a) && IsZero(b))
        {
            return false;
        }
        return IsNegative(a) ? !IsNegative(b) || a > b : !IsNegative(b) && a < b;
    }

    private static ulong AddSlow(ulong a, ulong b, ref FloatStatus status)
    {
        if (IsNaN(a) || IsNaN(b))
        {
            return PropagateNaN(a, b, ref status);
        }
        Flush(ref a, status);
        Flush(ref b, status);
        if (IsInfinity(a) && IsInfinity(b) && a != b)
        {
            status.Raise(FloatFlags.Invalid);
            return DefaultNaN;
        }
        NoteDenormals(a, b, ref status);
        if (IsInfinity(a))
        {
            return a;
        }
        if (IsInfinity(b))
        {
            return b;
        }
        if (IsZero(a) && IsZero(b))
        {
            return a == b ? a : status.Rounding == RoundingMode.Down ? SignBit : 0;
        }
        if (IsZero(a) || IsZero(b))
        {
            return Round(Unpack(IsZero(a) ? b : a), ref status);
        }
        Unrounded sum = ExactArithmetic.Add(Unpack(a), Unpack(b));
        if (sum.IsZero)
        {
            return status.Rounding == RoundingMode.Down ? SignBit : 0;
        }
        return Round(sum, ref status);
    }

    /// <summary>The NaN that an operation with a NaN operand returns.</summary>
    public static ulong PropagateNaN(ulong a, ulong b, ref FloatStatus status)
    {
        if (IsSignaling(a) || IsSignaling(b))
        {
            status.Raise(FloatFlags.Invalid);
        }
        return (IsNaN(a) ? a : b) | QuietBit;
    }

    [MethodImpl(Inline)]
    private static void Flush(ref ulong a, in FloatStatus status)
    {
        if (status.DenormalsAreZero && (a & Infinity) == 0)
        {
            a &= SignBit;
        }
    }

    [MethodImpl(Inline)]
    private static void NoteDenormals(ulong a, ulong b, ref FloatStatus status)
    {
        if (IsDenormal(a) || IsDenormal(b))
        {
            status.Raise(FloatFlags.Denormal);
        }
    }

    /// <summary>The parts of a finite number that is not zero.</summary>
    public static Unrounded Unpack(ulong a)
    {
        int field = (int)((a & Infinity) >> TFormat.FractionBits);
        ulong fraction = (a & FractionMask) << (63 - TFormat.FractionBits);
        if (field != 0)
        {
            return new Unrounded(IsNegative(a), field - Bias, fraction | (1UL << 63));
        }
        int shift = BitOperations.LeadingZeroCount(fraction);
        return new Unrounded(IsNegative(a), 1 - Bias - shift, fraction << shift);
    }

    /// <summary>Rounds a number that is not zero into the format.</summary>
    public static ulong Round(in Unrounded x, ref FloatStatus status) =>
        Pack(Rounder.Round(x, Precision, 1 - Bias, Bias, wraps: false, ref status));

    private static ulong Pack(in Rounded x)
    {
        ulong sign = x.Negative ? SignBit : 0;
        ulong field = (long)x.Significand < 0 ? (ulong)(x.Exponent + Bias) : 0;
        return sign | (field << TFormat.FractionBits) | ((x.Significand >> (63 - TFormat.FractionBits)) & FractionMask);
    }

    /// <summary>Whether a pattern is a normal number or zero.</summary>
    [MethodImpl(Inline)]
    private static bool Ordinary(ulong a)
    {
        ulong field = a & Infinity;
        return field != Infinity && (field != 0 || (a & FractionMask) == 0);
    }

    /// <summary>Whether a host sum of ordinary operands had no overflow and was not tiny.</summary>
    [MethodImpl(Inline)]
    private static bool SafeSum(ulong a)
    {
        ulong field = (a & Infinity) >> TFormat.FractionBits;
        return (field > 1 && field != FieldMax) || IsZero(a);
    }

    /// <summary>Whether a host product or quotient of ordinary operands had no overflow and was not tiny.</summary>
    [MethodImpl(Inline)]
    private static bool SafeProduct(ulong a)
    {
        ulong field = (a & Infinity) >> TFormat.FractionBits;
        return field > 1 && field != FieldMax;
    }

    [MethodImpl(Inline)]
    private static ulong HostAdd(ulong a, ulong b) => TFormat.FractionBits == 52
        ? BitConverter.DoubleToUInt64Bits(BitConverter.UInt64BitsToDouble(a) + BitConverter.UInt64BitsToDouble(b))
        : BitConverter.SingleToUInt32Bits(
            BitConverter.UInt32BitsToSingle((uint)a) + BitConverter.UInt32BitsToSingle((uint)b));
}
