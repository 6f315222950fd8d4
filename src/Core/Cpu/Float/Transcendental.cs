namespace KprobeTrace.Cpu.Float;

/// <summary>
/// The functions behind the x87 transcendental instructions, for finite arguments, by series in 128-bit arithmetic.
/// </summary>
/// <remarks>
/// Relative errors stay below 2^-115, so that rounding to 64 bits gives the correctly rounded value but for one case in
/// about 2^50: well inside the one unit in the last place that the manual allows (Intel SDM vol. 1 §8.3.10).
/// </remarks>
internal static class Transcendental
{
    /// <summary>Terms below this fraction of the sum no longer matter.</summary>
    private static int NegligibleBits => 132;

    private static readonly WideFloat[] _arctangentOfEighths = ArctangentsOfEighths();

    /// <summary>
    /// Reduces an angle by multiples of π/2, with π taken as the 66-bit number that x87 processors use
    /// (Intel SDM vol. 1 §8.3.8).
    /// </summary>
    /// <param name="x">The angle, less than 2^63 in magnitude.</param>
    /// <param name="quadrant">How many quarter turns were taken away, modulo 4.</param>
    /// <returns>What is left, at most π/4 in magnitude.</returns>
    public static WideFloat ReduceAngle(in Unrounded x, out int quadrant)
    {
        quadrant = 0;
        if (x.Exponent < -2)
        {
            return WideFloat.From(x);
        }
        // In units of 2^-65 both x and π/2 are integers.
        UInt128 quarter = new(0x3, 0x243F6A8885A308D3);
        UInt128 rest = x.High;
        for (int i = x.Exponent + 2; ; i--)
        {
            quadrant <<= 1;
            if (rest >= quarter)
            {
                rest -= quarter;
                quadrant |= 1;
            }
            if (i == 0)
            {
                break;
            }
            rest <<= 1;
        }
        bool negative = x.Negative;
        if (rest > quarter >> 1)
        {
            rest = quarter - rest;
            negative = !negative;
            quadrant++;
        }
        quadrant = (x.Negative ? -quadrant : quadrant) & 3;
        return WideFloat.FromInteger(negative, rest, -65);
    }

    /// <summary>sin r for |r| ≤ π/4.</summary>
    public static WideFloat Sine(WideFloat r) => AlternatingFactorials(r, r * r, 2);

    /// <summary>cos r for |r| ≤ π/4.</summary>
    public static WideFloat Cosine(WideFloat r) => AlternatingFactorials(WideFloat.One, r * r, 1);

    /// <summary>first - first·square/(d(d+1)) + …</summary>
    /// <remarks>
    /// The first term is added last, here and in <see cref="OddPowers"/>: it is the argument or 1, so that the sum with the second
    /// may lie exactly on a number of 64 bits, and what the third adds decides the rounding. cos 2^-31 is such a case.
    /// </remarks>
    private static WideFloat AlternatingFactorials(WideFloat first, WideFloat square, uint divisor)
    {
        WideFloat term = -(first * square / (divisor * (divisor + 1)));
        WideFloat rest = term;
        while (!term.IsZero && term.Exponent > rest.Exponent - NegligibleBits)
        {
            divisor += 2;
            term = -(term * square / (divisor * (divisor + 1)));
            rest += term;
        }
        return first + rest;
    }

    /// <summary>The angle of the point (x, y), both finite and not zero, in (-π, π].</summary>
    public static WideFloat Arctangent(WideFloat y, WideFloat x)
    {
        WideFloat absY = y.Abs();
        WideFloat absX = x.Abs();
        bool steep = !(absY - absX).Negative;
        WideFloat angle = steep
            ? WideFloat.Pi.Scale(-1) - ArctangentUpToOne(absX / absY)
            : ArctangentUpToOne(absY / absX);
        if (x.Negative)
        {
            angle = WideFloat.Pi - angle;
        }
        return y.Negative ? -angle : angle;
    }

    private static WideFloat ArctangentUpToOne(WideFloat t)
    {
        int eighths = t.Exponent < -4 ? 0 : (int)((t.Significand >> (123 - t.Exponent)) + 1) >> 1;
        if (eighths == 0)
        {
            return ArctangentSeries(t);
        }
        WideFloat centre = WideFloat.FromInteger(false, (uint)eighths, -3);
        WideFloat rest = (t - centre) / (WideFloat.One + (t * centre));
        return _arctangentOfEighths[eighths] + ArctangentSeries(rest);
    }

    private static WideFloat ArctangentSeries(WideFloat t)
    {
        if (t.IsZero)
        {
            return t;
        }
        WideFloat square = -(t * t);
        return OddPowers(t, square);
    }

    /// <summary>t + t·q/3 + t·q²/5 + …</summary>
    private static WideFloat OddPowers(WideFloat t, WideFloat q)
    {
        WideFloat power = t * q;
        WideFloat term = power / 3;
        WideFloat rest = term;
        uint divisor = 5;
        while (!term.IsZero && term.Exponent > rest.Exponent - NegligibleBits)
        {
            power *= q;
            term = power / divisor;
            rest += term;
            divisor += 2;
        }
        return t + rest;
    }

    private static WideFloat[] ArctangentsOfEighths()
    {
        WideFloat[] table = new WideFloat[9];
        for (uint i = 1; i <= 8; i++)
        {
            // atan(i/8) - atan((i-1)/8) = atan((1/8) / (1 + i(i-1)/64)).
            WideFloat step = WideFloat.FromInteger(false, 8) / (64 + (i * (i - 1)));
            table[i] = table[i - 1] + ArctangentSeries(step);
        }
        return table;
    }

    /// <summary>2^x - 1 for |x| ≤ 1.</summary>
    public static WideFloat PowerOfTwoMinusOne(WideFloat x)
    {
        WideFloat y = x * WideFloat.Ln2;
        WideFloat sum = y;
        WideFloat term = y;
        uint n = 2;
        do
        {
            term = term * y / n;
            sum += term;
            n++;
        }
        while (!term.IsZero && term.Exponent > sum.Exponent - NegligibleBits);
        return sum;
    }

    /// <summary>log2 x for a positive x that is no power of two.</summary>
    public static WideFloat LogarithmOfTwo(in Unrounded x)
    {
        // The significand is brought between √½ and √2, so that the two parts of the sum never cancel.
        int whole = x.Exponent;
        WideFloat m = new(false, 0, new UInt128(x.High, 0));
        if (x.High > 0xB504F333F9DE6484)
        {
            whole++;
            m = m.Scale(-1);
        }
        WideFloat fraction = LogarithmFromQuotient(m - WideFloat.One, m + WideFloat.One);
        return whole == 0
            ? fraction
            : WideFloat.FromInteger(whole < 0, (uint)Math.Abs(whole)) + fraction;
    }

    /// <summary>log2(1 + x) for x above -1 and not zero.</summary>
    public static WideFloat LogarithmOfOnePlus(WideFloat x)
    {
        if (x.Exponent < -1)
        {
            return LogarithmFromQuotient(x, x + WideFloat.FromInteger(false, 2));
        }
        // Outside the interval the manual defines; the sum is exact enough here.
        WideFloat sum = x + WideFloat.One;
        int whole = sum.Exponent;
        WideFloat m = sum.Scale(-whole);
        WideFloat fraction = (m - WideFloat.One).IsZero
            ? default
            : LogarithmFromQuotient(m - WideFloat.One, m + WideFloat.One);
        return WideFloat.FromInteger(whole < 0, (uint)Math.Abs(whole)) + fraction;
    }

    /// <summary>(2 / ln 2)·artanh(n / d).</summary>
    private static WideFloat LogarithmFromQuotient(WideFloat numerator, WideFloat denominator)
    {
        WideFloat z = numerator / denominator;
        return (OddPowers(z, z * z) * WideFloat.Log2E).Scale(1);
    }
}
