using System.Numerics;

namespace KprobeTrace.Cpu.Float;

/// <summary>
/// Arithmetic on extended-precision numbers as the x87 instructions define it: results are rounded to
/// <see cref="FloatStatus.Precision"/> bits with the full exponent range (Intel SDM vol. 1 chapter 8).
/// </summary>
/// <remarks>
/// NaN operands: a quiet NaN wins over a signalling one, otherwise the one with the larger significand, and of equal
/// ones the positive (Intel SDM vol. 1 table 4-7). Unsupported encodings are invalid operands.
/// </remarks>
internal static partial class X87Float
{
    /// <summary>Sum.</summary>
    public static Float80 Add(Float80 a, Float80 b, ref FloatStatus status) =>
        AddSigned(a, b, b.Negative, ref status);

    /// <summary>Difference.</summary>
    public static Float80 Subtract(Float80 a, Float80 b, ref FloatStatus status) =>
        AddSigned(a, b, !b.Negative, ref status);

    private static Float80 AddSigned(Float80 a, Float80 b, bool negativeB, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumbers(a, b, ref status, out Float80 nan))
        {
            return nan;
        }
        if (a.IsInfinity && b.IsInfinity && a.Negative != negativeB)
        {
            return Invalid(ref status);
        }
        NoteDenormals(a, b, ref status);
        if (a.IsInfinity)
        {
            return a;
        }
        if (b.IsInfinity)
        {
            return b.WithSign(negativeB);
        }
        if (a.IsZero && b.IsZero)
        {
            return a.Negative == negativeB ? a : Float80.Zero(status.Rounding == RoundingMode.Down);
        }
        if (a.IsZero || b.IsZero)
        {
            Unrounded only = Unpack(a.IsZero ? b.WithSign(negativeB) : a);
            return Round(only, ref status);
        }
        Unrounded sum = ExactArithmetic.Add(Unpack(a), Unpack(b.WithSign(negativeB)));
        return sum.IsZero ? Float80.Zero(status.Rounding == RoundingMode.Down) : Round(sum, ref status);
    }

    /// <summary>Product.</summary>
    public static Float80 Multiply(Float80 a, Float80 b, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumbers(a, b, ref status, out Float80 nan))
        {
            return nan;
        }
        bool negative = a.Negative != b.Negative;
        if ((a.IsInfinity && b.IsZero) || (a.IsZero && b.IsInfinity))
        {
            return Invalid(ref status);
        }
        NoteDenormals(a, b, ref status);
        if (a.IsInfinity || b.IsInfinity)
        {
            return Float80.Infinity(negative);
        }
        if (a.IsZero || b.IsZero)
        {
            return Float80.Zero(negative);
        }
        return Round(ExactArithmetic.Multiply(Unpack(a), Unpack(b)), ref status);
    }

    /// <summary>Quotient.</summary>
    public static Float80 Divide(Float80 a, Float80 b, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumbers(a, b, ref status, out Float80 nan))
        {
            return nan;
        }
        bool negative = a.Negative != b.Negative;
        if ((a.IsInfinity && b.IsInfinity) || (a.IsZero && b.IsZero))
        {
            return Invalid(ref status);
        }
        if (b.IsZero && !a.IsInfinity)
        {
            status.Raise(FloatFlags.DivideByZero);
            return Float80.Infinity(negative);
        }
        NoteDenormals(a, b, ref status);
        if (a.IsInfinity)
        {
            return Float80.Infinity(negative);
        }
        if (a.IsZero || b.IsInfinity)
        {
            return Float80.Zero(negative);
        }
        return Round(ExactArithmetic.Divide(Unpack(a), Unpack(b)), ref status);
    }

    /// <summary>Square root.</summary>
    public static Float80 SquareRoot(Float80 a, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumber(a, ref status, out Float80 nan))
        {
            return nan;
        }
        if (a.IsZero)
        {
            return a;
        }
        if (a.Negative)
        {
            return Invalid(ref status);
        }
        if (a.IsInfinity)
        {
            return a;
        }
        NoteDenormals(a, a, ref status);
        return Round(ExactArithmetic.SquareRoot(Unpack(a)), ref status);
    }

    /// <summary>Comparison.</summary>
    /// <param name="a">First operand.</param>
    /// <param name="b">Second operand.</param>
    /// <param name="signals">Whether a quiet NaN is invalid too (FCOM), or not (FUCOM).</param>
    /// <param name="status">Receives the flags.</param>
    public static FloatRelation Compare(Float80 a, Float80 b, bool signals, ref FloatStatus status)
    {
        if (a.IsUnsupported || b.IsUnsupported)
        {
            status.Raise(FloatFlags.Invalid);
            return FloatRelation.Unordered;
        }
        if (a.IsNaN || b.IsNaN)
        {
            if (signals || a.IsSignaling || b.IsSignaling)
            {
                status.Raise(FloatFlags.Invalid);
            }
            return FloatRelation.Unordered;
        }
        NoteDenormals(a, b, ref status);
        if (a.IsZero && b.IsZero)
        {
            return FloatRelation.Equal;
        }
        if (a.Negative != b.Negative)
        {
            return a.Negative ? FloatRelation.Less : FloatRelation.Greater;
        }
        int order = CompareMagnitude(a, b);
        return order == 0 ? FloatRelation.Equal
            : order < 0 != a.Negative ? FloatRelation.Less : FloatRelation.Greater;
    }

    /// <summary>Rounds to an integral value by the rounding control (FRNDINT).</summary>
    public static Float80 RoundToIntegral(Float80 a, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumber(a, ref status, out Float80 nan))
        {
            return nan;
        }
        if (a.IsZero || a.IsInfinity)
        {
            return a;
        }
        NoteDenormals(a, a, ref status);
        Unrounded x = Unpack(a);
        if (x.Exponent >= 63)
        {
            return a;
        }
        ulong high = x.High;
        ulong low = 0;
        Rounder.ShiftRightSticky(ref high, ref low, 63 - x.Exponent);
        if (low == 0)
        {
            return a;
        }
        status.Raise(FloatFlags.Precision);
        bool away = Rounder.RoundsAway(status.Rounding, x.Negative, (high & 1) != 0, low);
        status.RoundedUp = away;
        high += away ? 1UL : 0;
        if (high == 0)
        {
            return Float80.Zero(x.Negative);
        }
        int shift = BitOperations.LeadingZeroCount(high);
        return Pack(new Rounded(x.Negative, 63 - shift, high << shift));
    }

    /// <summary>a · 2^trunc(b) (FSCALE); the result is rounded to 64 bits whatever the precision control.</summary>
    public static Float80 Scale(Float80 a, Float80 b, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumbers(a, b, ref status, out Float80 nan))
        {
            return nan;
        }
        if (b.IsInfinity)
        {
            if (b.Negative ? a.IsInfinity : a.IsZero)
            {
                return Invalid(ref status);
            }
            NoteDenormals(a, a, ref status);
            return b.Negative ? Float80.Zero(a.Negative) : Float80.Infinity(a.Negative);
        }
        NoteDenormals(a, b, ref status);
        if (a.IsInfinity || a.IsZero)
        {
            return a;
        }
        Unrounded x = Unpack(a);
        if (!b.IsZero)
        {
            Unrounded power = Unpack(b);
            int scale = power.Exponent < 0 ? 0
                : power.Exponent > 16 ? 0x10000
                : (int)(power.High >> (63 - power.Exponent));
            x.Exponent += power.Negative ? -scale : scale;
        }
        return Round64(x, ref status);
    }

    /// <summary>Splits into exponent and significand (FXTRACT).</summary>
    /// <param name="a">The number.</param>
    /// <param name="exponent">The unbiased exponent as a number; minus infinity for zero.</param>
    /// <param name="status">Receives the flags.</param>
    /// <returns>The significand with the sign of <paramref name="a"/>, at least 1 and less than 2.</returns>
    public static Float80 Extract(Float80 a, out Float80 exponent, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumber(a, ref status, out Float80 nan))
        {
            exponent = nan;
            return nan;
        }
        if (a.IsInfinity)
        {
            exponent = Float80.Infinity(false);
            return a;
        }
        if (a.IsZero)
        {
            status.Raise(FloatFlags.DivideByZero);
            exponent = Float80.Infinity(true);
            return a;
        }
        NoteDenormals(a, a, ref status);
        Unrounded x = Unpack(a);
        exponent = FromInteger(x.Exponent);
        return Pack(new Rounded(x.Negative, 0, x.High));
    }

    internal static Float80 Invalid(ref FloatStatus status)
    {
        status.Raise(FloatFlags.Invalid);
        return Float80.DefaultNaN;
    }

    internal static void NoteDenormals(Float80 a, Float80 b, ref FloatStatus status)
    {
        if (a.IsDenormal || b.IsDenormal)
        {
            status.Raise(FloatFlags.Denormal);
        }
    }

    /// <summary>Whether the operand is a NaN or unsupported, and what the operation then returns.</summary>
    internal static bool NotNumber(Float80 a, ref FloatStatus status, out Float80 result) =>
        NotNumbers(a, a, ref status, out result);

    /// <summary>Whether an operand is a NaN or unsupported, and what the operation then returns.</summary>
    internal static bool NotNumbers(Float80 a, Float80 b, ref FloatStatus status, out Float80 result)
    {
        result = default;
        if (a.IsUnsupported || b.IsUnsupported)
        {
            result = Invalid(ref status);
            return true;
        }
        if (!a.IsNaN && !b.IsNaN)
        {
            return false;
        }
        bool signalingA = a.IsSignaling;
        bool signalingB = b.IsSignaling;
        if (signalingA || signalingB)
        {
            status.Raise(FloatFlags.Invalid);
        }
        a.Mantissa |= a.IsNaN ? Float80.QuietBit : 0;
        b.Mantissa |= b.IsNaN ? Float80.QuietBit : 0;
        if (!b.IsNaN)
        {
            result = a;
        }
        else if (!a.IsNaN)
        {
            result = b;
        }
        else if (signalingA != signalingB)
        {
            result = signalingA ? b : a;
        }
        else if (a.Mantissa != b.Mantissa)
        {
            result = a.Mantissa > b.Mantissa ? a : b;
        }
        else
        {
            result = a.Negative ? b : a;
        }
        return true;
    }

    private static int CompareMagnitude(Float80 a, Float80 b)
    {
        // A pseudo-denormal has exponent field 0 but the weight of field 1.
        int fieldA = Math.Max(a.Field, 1);
        int fieldB = Math.Max(b.Field, 1);
        return fieldA != fieldB ? fieldA.CompareTo(fieldB) : a.Mantissa.CompareTo(b.Mantissa);
    }

    /// <summary>The parts of a finite number that is not zero.</summary>
    internal static Unrounded Unpack(Float80 a)
    {
        int exponent = Math.Max(a.Field, 1) - Float80.Bias;
        int shift = BitOperations.LeadingZeroCount(a.Mantissa);
        return new Unrounded(a.Negative, exponent - shift, a.Mantissa << shift);
    }

    /// <summary>Rounds to the precision control.</summary>
    internal static Float80 Round(in Unrounded x, ref FloatStatus status) => Pack(
        Rounder.Round(x, status.Precision, Float80.MinExponent, Float80.MaxExponent, wraps: true, ref status));

    /// <summary>Rounds to 64 bits.</summary>
    internal static Float80 Round64(in Unrounded x, ref FloatStatus status) => Pack(
        Rounder.Round(x, 64, Float80.MinExponent, Float80.MaxExponent, wraps: true, ref status));

    internal static Float80 Pack(in Rounded x)
    {
        int field = (long)x.Significand < 0 ? x.Exponent + Float80.Bias : 0;
        return new Float80((ushort)(field | (x.Negative ? 0x8000 : 0)), x.Significand);
    }
}
