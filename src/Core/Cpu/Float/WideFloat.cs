using System.Numerics;

namespace KprobeTrace.Cpu.Float;

/// <summary>
/// A number with 128 significand bits for the inside of transcendental functions: ±Significand/2^127·2^Exponent, the
/// top bit set, or zero. Results are truncated, so each operation errs by at most one unit in the 128th bit.
/// </summary>
internal readonly struct WideFloat
{
    /// <summary>π.</summary>
    public static WideFloat Pi => new(false, 1, new UInt128(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1));

    /// <summary>ln 2.</summary>
    public static WideFloat Ln2 => new(false, -1, new UInt128(0xB17217F7D1CF79AB, 0xC9E3B39803F2F6AF));

    /// <summary>1 / ln 2.</summary>
    public static WideFloat Log2E => new(false, 0, new UInt128(0xB8AA3B295C17F0BB, 0xBE87FED0691D3E88));

    /// <summary>1.</summary>
    public static WideFloat One => new(false, 0, UInt128.One << 127);

    /// <summary>The significand, top bit set unless the number is zero.</summary>
    public UInt128 Significand { get; }

    /// <summary>The unbiased exponent.</summary>
    public int Exponent { get; }

    /// <summary>The sign.</summary>
    public bool Negative { get; }

    /// <summary>Makes a number of its parts, which must be normalised.</summary>
    public WideFloat(bool negative, int exponent, UInt128 significand)
    {
        Negative = negative;
        Exponent = exponent;
        Significand = significand;
    }

    /// <summary>Whether this is zero.</summary>
    public bool IsZero => Significand == 0;

    /// <summary>Whether the magnitude is a power of two.</summary>
    public bool IsPowerOfTwo => Significand == UInt128.One << 127;

    /// <summary>The same number, of at most 64 significand bits.</summary>
    public static WideFloat From(in Unrounded x) => new(x.Negative, x.Exponent, new UInt128(x.High, x.Low));

    /// <summary>value · 2^scale.</summary>
    public static WideFloat FromInteger(bool negative, UInt128 value, int scale = 0)
    {
        if (value == 0)
        {
            return default;
        }
        int shift = (int)UInt128.LeadingZeroCount(value);
        return new WideFloat(negative, 127 - shift + scale, value << shift);
    }

    /// <summary>This number as an inexact one, ready for rounding.</summary>
    public Unrounded ToInexact() =>
        new(Negative, Exponent, (ulong)(Significand >> 64), (ulong)Significand | 1);

    /// <summary>The magnitude.</summary>
    public WideFloat Abs() => new(false, Exponent, Significand);

    /// <summary>This number times a power of two.</summary>
    public WideFloat Scale(int power) => IsZero ? this : new(Negative, Exponent + power, Significand);

    /// <summary>The same number with the sign turned round.</summary>
    public static WideFloat operator -(WideFloat a) => new(!a.Negative, a.Exponent, a.Significand);

    /// <summary>Difference.</summary>
    public static WideFloat operator -(WideFloat a, WideFloat b) => a + -b;

    /// <summary>Sum.</summary>
    public static WideFloat operator +(WideFloat a, WideFloat b)
    {
        if (a.IsZero)
        {
            return b;
        }
        if (b.IsZero)
        {
            return a;
        }
        if (a.Exponent < b.Exponent || (a.Exponent == b.Exponent && a.Significand < b.Significand))
        {
            (a, b) = (b, a);
        }
        int distance = a.Exponent - b.Exponent;
        UInt128 other = distance < 128 ? b.Significand >> distance : 0;
        if (a.Negative == b.Negative)
        {
            UInt128 sum = a.Significand + other;
            return sum < other
                ? new WideFloat(a.Negative, a.Exponent + 1, (sum >> 1) | (UInt128.One << 127))
                : new WideFloat(a.Negative, a.Exponent, sum);
        }
        // What was shifted out counts as one unit, so that the difference stays on the right side of a.
        if (distance >= 128 || (distance > 0 && other << distance != b.Significand))
        {
            other++;
        }
        UInt128 rest = a.Significand - other;
        return FromInteger(a.Negative, rest, a.Exponent - 127);
    }

    /// <summary>Product.</summary>
    public static WideFloat operator *(WideFloat a, WideFloat b)
    {
        if (a.IsZero || b.IsZero)
        {
            return default;
        }
        ulong aHigh = (ulong)(a.Significand >> 64);
        ulong aLow = (ulong)a.Significand;
        ulong bHigh = (ulong)(b.Significand >> 64);
        ulong bLow = (ulong)b.Significand;
        UInt128 middle1 = Math.BigMul(aHigh, bLow);
        UInt128 middle2 = Math.BigMul(aLow, bHigh);
        UInt128 carry = (Math.BigMul(aLow, bLow) >> 64) + (ulong)middle1 + (ulong)middle2;
        UInt128 high = Math.BigMul(aHigh, bHigh) + (middle1 >> 64) + (middle2 >> 64) + (carry >> 64);
        int exponent = a.Exponent + b.Exponent + 1;
        if (UInt128.LeadingZeroCount(high) != 0)
        {
            high = (high << 1) | ((carry >> 63) & 1);
            exponent--;
        }
        return new WideFloat(a.Negative != b.Negative, exponent, high);
    }

    /// <summary>Quotient by a small integer.</summary>
    public static WideFloat operator /(WideFloat a, uint divisor)
    {
        if (a.IsZero)
        {
            return a;
        }
        // By hand, 32 bits at a time below the first word: the runtime's 128-bit division is several times slower.
        ulong first = (ulong)(a.Significand >> 64);
        ulong low = (ulong)a.Significand;
        ulong high = first / divisor;
        ulong rest = ((first - (high * divisor)) << 32) | (low >> 32);
        ulong middle = rest / divisor;
        rest = ((rest - (middle * divisor)) << 32) | (uint)low;
        ulong last = rest / divisor;
        ulong left = rest - (last * divisor);
        // What is left fills the bits that normalisation frees, so that the quotient keeps 128 of them.
        int shift = BitOperations.LeadingZeroCount(high);
        UInt128 quotient = new UInt128(high, (middle << 32) | last) << shift;
        return new WideFloat(a.Negative, a.Exponent - shift, quotient | (left << shift) / divisor);
    }

    /// <summary>Quotient.</summary>
    public static WideFloat operator /(WideFloat a, WideFloat b)
    {
        if (a.IsZero)
        {
            return a;
        }
        int exponent = a.Exponent - b.Exponent;
        UInt128 rest = a.Significand;
        bool carry = false;
        if (rest < b.Significand)
        {
            exponent--;
            carry = rest >> 127 != 0;
            rest <<= 1;
        }
        UInt128 quotient = 0;
        for (int i = 0; i < 128; i++)
        {
            quotient <<= 1;
            if (carry || rest >= b.Significand)
            {
                rest -= b.Significand;
                quotient |= 1;
            }
            carry = rest >> 127 != 0;
            rest <<= 1;
        }
        return new WideFloat(a.Negative != b.Negative, exponent, quotient);
    }
}
