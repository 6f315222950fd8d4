using System.Numerics;

namespace KprobeTrace.Cpu.Float;

/// <summary>The four operations and the square root on finite, nonzero, normalised numbers of up to 64 bits.</summary>
/// <remarks>Operands have a zero lower word; results are exact up to the sticky lowest bit.</remarks>
internal static class ExactArithmetic
{
    /// <summary>a + b; an exact zero has both words zero and a positive sign.</summary>
    public static Unrounded Add(in Unrounded a, in Unrounded b)
    {
        if (a.Exponent < b.Exponent || (a.Exponent == b.Exponent && a.High < b.High))
        {
            return AddOrdered(b, a);
        }
        return AddOrdered(a, b);
    }

    private static Unrounded AddOrdered(in Unrounded larger, in Unrounded smaller)
    {
        ulong otherHigh = smaller.High;
        ulong otherLow = 0;
        Rounder.ShiftRightSticky(ref otherHigh, ref otherLow, larger.Exponent - smaller.Exponent);
        Unrounded sum = larger;
        if (larger.Negative == smaller.Negative)
        {
            sum.High = larger.High + otherHigh;
            sum.Low = otherLow;
            if (sum.High < otherHigh)
            {
                sum.Low = (sum.Low >> 1) | (sum.Low & 1) | (sum.High << 63);
                sum.High = (sum.High >> 1) | (1UL << 63);
                sum.Exponent++;
            }
            return sum;
        }
        sum.Low = 0UL - otherLow;
        sum.High = larger.High - otherHigh - (otherLow != 0 ? 1UL : 0);
        return Normalize(sum);
    }

    /// <summary>Shifts left until the top bit is set; zero becomes a positive zero.</summary>
    public static Unrounded Normalize(Unrounded x)
    {
        if (x.High == 0)
        {
            if (x.Low == 0)
            {
                return default;
            }
            x.High = x.Low;
            x.Low = 0;
            x.Exponent -= 64;
        }
        int shift = BitOperations.LeadingZeroCount(x.High);
        if (shift != 0)
        {
            x.High = (x.High << shift) | (x.Low >> (64 - shift));
            x.Low <<= shift;
            x.Exponent -= shift;
        }
        return x;
    }

    /// <summary>a · b.</summary>
    public static Unrounded Multiply(in Unrounded a, in Unrounded b)
    {
        ulong high = Math.BigMul(a.High, b.High, out ulong low);
        int exponent = a.Exponent + b.Exponent + 1;
        if ((long)high >= 0)
        {
            high = (high << 1) | (low >> 63);
            low <<= 1;
            exponent--;
        }
        return new Unrounded(a.Negative != b.Negative, exponent, high, low);
    }

    /// <summary>a / b.</summary>
    public static Unrounded Divide(in Unrounded a, in Unrounded b)
    {
        int exponent = a.Exponent - b.Exponent;
        UInt128 numerator;
        if (a.High < b.High)
        {
            numerator = new UInt128(a.High, 0);
            exponent--;
        }
        else
        {
            numerator = new UInt128(a.High >> 1, a.High << 63);
        }
        ulong quotient = (ulong)(numerator / b.High);
        ulong remainder = (ulong)numerator - (quotient * b.High);
        ulong low = remainder == 0 ? 0
            : ((remainder >= b.High - remainder ? 1UL << 63 : 0) | (remainder == b.High - remainder ? 0 : 1UL));
        return new Unrounded(a.Negative != b.Negative, exponent, quotient, low);
    }

    /// <summary>√a for a positive a.</summary>
    public static Unrounded SquareRoot(in Unrounded a)
    {
        bool odd = (a.Exponent & 1) != 0;
        UInt128 square = odd ? new UInt128(a.High, 0) : new UInt128(a.High >> 1, a.High << 63);
        ulong root = IntegerSquareRoot(square);
        UInt128 rest = square - ((UInt128)root * root);
        ulong low = rest > root ? (1UL << 63) | 1 : rest != 0 ? 1UL : 0;
        return new Unrounded(false, (a.Exponent - (odd ? 1 : 0)) / 2, root, low);
    }

    /// <summary>⌊√n⌋ for n at least 2^126.</summary>
    private static ulong IntegerSquareRoot(UInt128 n)
    {
        // The estimate has about 52 good bits; one Newton step doubles that, so at most one unit is left to correct.
        double estimate = Math.Sqrt((double)(ulong)(n >> 64)) * 4294967296.0;
        ulong x = estimate >= 18446744073709551615.0 ? ulong.MaxValue : (ulong)estimate;
        UInt128 step = ((UInt128)x + (n / x)) >> 1;
        x = step > ulong.MaxValue ? ulong.MaxValue : (ulong)step;
        while ((UInt128)x * x > n)
        {
            x--;
        }
        while (x != ulong.MaxValue && ((UInt128)x + 1) * ((UInt128)x + 1) <= n)
        {
            x++;
        }
        return x;
    }
}
