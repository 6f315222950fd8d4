namespace KprobeTrace.Cpu.Float;

/// <content>FPREM and FPREM1.</content>
internal static partial class X87Float
{
    /// <summary>The remainder of a / b, or a step towards it.</summary>
    /// <param name="a">Dividend.</param>
    /// <param name="b">Divisor.</param>
    /// <param name="nearest">Whether the quotient is rounded to nearest (FPREM1) or towards zero (FPREM).</param>
    /// <param name="quotient">The low bits of the quotient's magnitude when complete.</param>
    /// <param name="partial">Whether the exponents were 64 or more apart, so that only part of the way was gone.</param>
    /// <param name="status">Receives the flags.</param>
    /// <remarks>
    /// The manual lets a partial step lower the exponent difference D by any N from 32 to 63; processors take
    /// N = 32 + D mod 32, and so does this.
    /// </remarks>
    public static Float80 Remainder(
        Float80 a, Float80 b, bool nearest, out ulong quotient, out bool partial, ref FloatStatus status)
    {
        quotient = 0;
        partial = false;
        status.RoundedUp = false;
        if (NotNumbers(a, b, ref status, out Float80 nan))
        {
            return nan;
        }
        if (a.IsInfinity || b.IsZero)
        {
            return Invalid(ref status);
        }
        NoteDenormals(a, b, ref status);
        if (a.IsZero)
        {
            return a;
        }
        Unrounded x = Unpack(a);
        if (b.IsInfinity)
        {
            return Round64(x, ref status);
        }
        Unrounded y = Unpack(b);
        int difference = x.Exponent - y.Exponent;
        if (difference < (nearest ? -1 : 0))
        {
            return Round64(x, ref status);
        }

        partial = difference >= 64;
        int steps = partial ? (difference & 31) | 32 : difference;
        UInt128 rest = x.High;
        UInt128 divisor = y.High;
        bool negative = x.Negative;
        int exponent = x.Exponent - Math.Max(steps, 0);
        if (difference < 0)
        {
            // |a| < |b|, but perhaps more than half of it.
            divisor <<= 1;
        }
        else
        {
            for (int i = 0; ; i++)
            {
                quotient <<= 1;
                if (rest >= divisor)
                {
                    rest -= divisor;
                    quotient |= 1;
                }
                if (i == steps)
                {
                    break;
                }
                rest <<= 1;
            }
        }
        if (nearest && !partial)
        {
            UInt128 other = divisor - rest;
            if (rest > other || (rest == other && (quotient & 1) != 0))
            {
                rest = other;
                negative = !negative;
                quotient++;
            }
        }
        if (partial)
        {
            quotient = 0;
        }
        if (rest == 0)
        {
            return Float80.Zero(a.Negative);
        }
        // The remainder is less than the divisor, hence of at most 64 bits.
        Unrounded result = ExactArithmetic.Normalize(new Unrounded(negative, exponent, (ulong)rest));
        return Round64(result, ref status);
    }
}
