namespace KprobeTrace.Cpu.Float;

/// <content>Transcendental functions: special cases, then <see cref="Float.Transcendental"/>.</content>
internal static partial class X87Float
{
    /// <summary>sin and cos of an angle (FSIN, FCOS, FSINCOS, FPTAN).</summary>
    /// <param name="a">The angle in radians.</param>
    /// <param name="function">Which of them.</param>
    /// <param name="outOfRange">Whether the angle is 2^63 or more in magnitude and comes back unchanged (C2).</param>
    /// <param name="cosine">The cosine, for <see cref="X87Angle.SineAndCosine"/>.</param>
    /// <param name="status">Receives the flags.</param>
    public static Float80 Trigonometric(
        Float80 a, X87Angle function, out bool outOfRange, out Float80 cosine, ref FloatStatus status)
    {
        outOfRange = false;
        status.RoundedUp = false;
        cosine = a;
        if (NotNumber(a, ref status, out Float80 nan))
        {
            cosine = nan;
            return nan;
        }
        if (a.IsInfinity)
        {
            cosine = Float80.DefaultNaN;
            return Invalid(ref status);
        }
        if (a.IsZero)
        {
            cosine = Float80.One;
            return function == X87Angle.Cosine ? Float80.One : a;
        }
        Unrounded x = Unpack(a);
        if (x.Exponent >= 63)
        {
            outOfRange = true;
            return a;
        }
        NoteDenormals(a, a, ref status);
        WideFloat r = Float.Transcendental.ReduceAngle(x, out int quadrant);
        switch (function)
        {
            case X87Angle.Sine:
                return Round64(SineOf(r, quadrant).ToInexact(), ref status);
            case X87Angle.Cosine:
                return Round64(SineOf(r, quadrant + 1).ToInexact(), ref status);
            case X87Angle.Tangent:
                return Round64((SineOf(r, quadrant) / SineOf(r, quadrant + 1)).ToInexact(), ref status);
            default:
                Float80 sine = Round64(SineOf(r, quadrant).ToInexact(), ref status);
                cosine = Round64(SineOf(r, quadrant + 1).ToInexact(), ref status);
                return sine;
        }
    }

    private static WideFloat SineOf(WideFloat r, int quadrant)
    {
        WideFloat value = (quadrant & 1) == 0 ? Float.Transcendental.Sine(r) : Float.Transcendental.Cosine(r);
        return (quadrant & 2) == 0 ? value : -value;
    }

    /// <summary>The angle of the point (x, y) (FPATAN, Intel SDM vol. 2 table 3-30).</summary>
    public static Float80 Arctangent(Float80 y, Float80 x, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumbers(y, x, ref status, out Float80 nan))
        {
            return nan;
        }
        NoteDenormals(x, y, ref status);
        if (y.IsInfinity)
        {
            return x.IsInfinity ? PiFraction(x.Negative ? 3u : 1u, 4, y.Negative, ref status)
                : PiFraction(1, 2, y.Negative, ref status);
        }
        if (y.IsZero || x.IsInfinity)
        {
            return x.Negative ? PiFraction(1, 1, y.Negative, ref status) : Float80.Zero(y.Negative);
        }
        if (x.IsZero)
        {
            return PiFraction(1, 2, y.Negative, ref status);
        }
        WideFloat angle = Float.Transcendental.Arctangent(WideFloat.From(Unpack(y)), WideFloat.From(Unpack(x)));
        return Round64(angle.ToInexact(), ref status);
    }

    private static Float80 PiFraction(uint numerator, uint denominator, bool negative, ref FloatStatus status)
    {
        WideFloat value = WideFloat.Pi * WideFloat.FromInteger(negative, numerator) / denominator;
        return Round64(value.ToInexact(), ref status);
    }

    /// <summary>2^a - 1 (F2XM1). The manual leaves |a| &gt; 1 undefined; such an operand comes back unchanged.</summary>
    public static Float80 PowerOfTwoMinusOne(Float80 a, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumber(a, ref status, out Float80 nan))
        {
            return nan;
        }
        if (a.IsInfinity)
        {
            return a.Negative ? Float80.One.WithSign(true) : a;
        }
        if (a.IsZero)
        {
            return a;
        }
        NoteDenormals(a, a, ref status);
        Unrounded x = Unpack(a);
        if (x.Exponent >= 0)
        {
            bool one = x.Exponent == 0 && x.High == Float80.IntegerBit;
            status.Raise(FloatFlags.Precision);
            return one && x.Negative ? new Float80(0xBFFE, Float80.IntegerBit) : a;
        }
        return Round64(Float.Transcendental.PowerOfTwoMinusOne(WideFloat.From(x)).ToInexact(), ref status);
    }

    /// <summary>y·log2 x (FYL2X).</summary>
    public static Float80 Logarithm(Float80 y, Float80 x, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumbers(x, y, ref status, out Float80 nan))
        {
            return nan;
        }
        if ((x.Negative && !x.IsZero) || (x.IsZero && y.IsZero))
        {
            return Invalid(ref status);
        }
        if (x.IsZero && !y.IsInfinity)
        {
            status.Raise(FloatFlags.DivideByZero);
            return Float80.Infinity(!y.Negative);
        }
        bool isOne = x.Field == Float80.Bias && x.Mantissa == Float80.IntegerBit;
        if ((y.IsInfinity && isOne) || (y.IsZero && x.IsInfinity))
        {
            return Invalid(ref status);
        }
        NoteDenormals(x, y, ref status);
        bool negative = y.Negative != (x.Field < Float80.Bias);
        if (y.IsInfinity || x.IsInfinity)
        {
            return Float80.Infinity(negative);
        }
        if (y.IsZero || isOne)
        {
            return Float80.Zero(negative);
        }
        Unrounded argument = Unpack(x);
        Unrounded factor = Unpack(y);
        if (argument.High == Float80.IntegerBit)
        {
            return TimesWholeLogarithm(argument.Exponent, factor, ref status);
        }
        WideFloat logarithm = Float.Transcendental.LogarithmOfTwo(argument);
        return Round64((logarithm * WideFloat.From(factor)).ToInexact(), ref status);
    }

    /// <summary>The product with the logarithm of a power of two: exact but for the product; processors report it as inexact all the same.</summary>
    private static Float80 TimesWholeLogarithm(int logarithm, in Unrounded factor, ref FloatStatus status)
    {
        status.Raise(FloatFlags.Precision);
        Unrounded whole = Unpack(FromInteger(logarithm));
        Float80 product = Round64(ExactArithmetic.Multiply(whole, factor), ref status);
        status.Raise(product.IsDenormal ? FloatFlags.Underflow : FloatFlags.None);
        return product;
    }

    /// <summary>
    /// y·log2(1 + x) (FYL2XP1). The manual leaves x ≤ -1 undefined; such an operand comes back unchanged.
    /// </summary>
    public static Float80 LogarithmOfOnePlus(Float80 y, Float80 x, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (NotNumbers(x, y, ref status, out Float80 nan))
        {
            return nan;
        }
        if ((x.IsInfinity && x.Negative) || (x.IsZero && y.IsInfinity) || (x.IsInfinity && y.IsZero))
        {
            return Invalid(ref status);
        }
        NoteDenormals(x, y, ref status);
        bool negative = x.Negative != y.Negative;
        if (x.IsInfinity || y.IsInfinity)
        {
            return Float80.Infinity(negative);
        }
        if (x.IsZero || y.IsZero)
        {
            return Float80.Zero(negative);
        }
        if (x.Negative && x.Field >= Float80.Bias)
        {
            status.Raise(FloatFlags.Precision);
            return x;
        }
        WideFloat argument = WideFloat.From(Unpack(x));
        WideFloat sum = argument + WideFloat.One;
        bool isExact = argument.Exponent is >= -1 and < 64;
        if (isExact && sum.IsPowerOfTwo)
        {
            return TimesWholeLogarithm(sum.Exponent, Unpack(y), ref status);
        }
        WideFloat logarithm = Float.Transcendental.LogarithmOfOnePlus(argument);
        return Round64((logarithm * WideFloat.From(Unpack(y))).ToInexact(), ref status);
    }
}
