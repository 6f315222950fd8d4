namespace KprobeTrace.Cpu.Float;

/// <summary>Rounds exact results into a format, raising overflow, underflow and inexact as the masks demand.</summary>
/// <remarks>Tininess is judged after rounding with an unbounded exponent (Intel SDM vol. 1 §4.9.1.5).</remarks>
internal static class Rounder
{
    /// <summary>How far an unmasked overflow or underflow moves an x87 register result's exponent.</summary>
    internal const int ExponentWrap = 24576;

    /// <summary>Whether rounding adds one unit in the last place to the magnitude.</summary>
    /// <param name="mode">Direction.</param>
    /// <param name="negative">Sign of the number.</param>
    /// <param name="odd">Whether the kept part's last bit is set.</param>
    /// <param name="rest">The dropped part as a 64-bit fraction of one unit in the last place.</param>
    public static bool RoundsAway(RoundingMode mode, bool negative, bool odd, ulong rest) => mode switch
    {
        RoundingMode.Nearest => rest > 1UL << 63 || (rest == 1UL << 63 && odd),
        RoundingMode.Down => negative && rest != 0,
        RoundingMode.Up => !negative && rest != 0,
        _ => false,
    };

    /// <summary>Shifts a 128-bit significand right, keeping the lowest bit sticky.</summary>
    public static void ShiftRightSticky(ref ulong high, ref ulong low, int count)
    {
        if (count <= 0)
        {
            return;
        }
        if (count < 64)
        {
            ulong lost = low << (64 - count);
            low = (low >> count) | (high << (64 - count)) | (lost != 0 ? 1UL : 0);
            high >>= count;
        }
        else if (count == 64)
        {
            low = high | (low != 0 ? 1UL : 0);
            high = 0;
        }
        else if (count < 128)
        {
            ulong lost = (high << (128 - count)) | low;
            low = (high >> (count - 64)) | (lost != 0 ? 1UL : 0);
            high = 0;
        }
        else
        {
            low = (high | low) != 0 ? 1UL : 0;
            high = 0;
        }
    }

    /// <summary>Rounds to a precision and exponent range.</summary>
    /// <param name="x">The number; not zero.</param>
    /// <param name="precision">Significand bits of the target, 1 to 64.</param>
    /// <param name="minExponent">Exponent of the smallest normal number.</param>
    /// <param name="maxExponent">Exponent of the largest finite number.</param>
    /// <param name="wraps">Whether unmasked overflow and underflow wrap the exponent (x87 register results).</param>
    /// <param name="status">Rounding control and flags.</param>
    public static Rounded Round(
        in Unrounded x, int precision, int minExponent, int maxExponent, bool wraps, ref FloatStatus status)
    {
        bool negative = x.Negative;
        int exponent = x.Exponent;
        ulong high = x.High;
        ulong low = x.Low;
        ulong all = ulong.MaxValue >> (64 - precision);

        Split(high, low, precision, out ulong kept, out ulong rest);
        bool away = RoundsAway(status.Rounding, negative, (kept & 1) != 0, rest);
        if (exponent < minExponent && !(exponent == minExponent - 1 && away && kept == all))
        {
            bool unmasked = !status.Masked(FloatFlags.Underflow);
            if (unmasked && wraps)
            {
                status.Raise(FloatFlags.Underflow);
                exponent += ExponentWrap;
                if (exponent < minExponent)
                {
                    // Only a scale by a huge power gets here: nothing of the number is left even after wrapping.
                    status.Raise(FloatFlags.Precision);
                    status.RoundedUp = false;
                    return new Rounded(negative, 0, 0);
                }
            }
            else if (!unmasked && status.FlushToZero)
            {
                status.Raise(FloatFlags.Underflow | FloatFlags.Precision);
                status.RoundedUp = false;
                return new Rounded(negative, 0, 0);
            }
            else
            {
                bool inexactBefore = rest != 0;
                ShiftRightSticky(ref high, ref low, minExponent - exponent);
                Split(high, low, precision, out kept, out rest);
                away = RoundsAway(status.Rounding, negative, (kept & 1) != 0, rest);
                if (unmasked)
                {
                    status.Raise(FloatFlags.Underflow | (inexactBefore ? FloatFlags.Precision : FloatFlags.None));
                }
                else if (rest != 0)
                {
                    status.Raise(FloatFlags.Underflow | FloatFlags.Precision);
                }
                status.RoundedUp = away;
                kept += away ? 1UL : 0;
                return new Rounded(negative, minExponent, kept << (64 - precision));
            }
        }

        status.RoundedUp = away;
        if (away)
        {
            if (kept == all)
            {
                kept = 1UL << (precision - 1);
                exponent++;
            }
            else
            {
                kept++;
            }
        }
        if (exponent > maxExponent)
        {
            return Overflow(negative, exponent, kept, rest, precision, maxExponent, wraps, ref status);
        }
        if (rest != 0)
        {
            status.Raise(FloatFlags.Precision);
        }
        return new Rounded(negative, exponent, kept << (64 - precision));
    }

    private static Rounded Overflow(
        bool negative, int exponent, ulong kept, ulong rest, int precision, int maxExponent, bool wraps,
        ref FloatStatus status)
    {
        status.Raise(FloatFlags.Overflow);
        if (!status.Masked(FloatFlags.Overflow))
        {
            status.Raise(rest != 0 ? FloatFlags.Precision : FloatFlags.None);
            if (wraps && exponent - ExponentWrap <= maxExponent)
            {
                return new Rounded(negative, exponent - ExponentWrap, kept << (64 - precision));
            }
            if (wraps)
            {
                // Only a scale by a huge power gets here; processors answer infinity whatever the rounding control.
                status.Raise(FloatFlags.Precision);
                status.RoundedUp = true;
                return new Rounded(negative, maxExponent + 1, 1UL << 63);
            }
        }
        else
        {
            status.Raise(FloatFlags.Precision);
        }
        bool toInfinity = status.Rounding switch
        {
            RoundingMode.Nearest => true,
            RoundingMode.Down => negative,
            RoundingMode.Up => !negative,
            _ => false,
        };
        status.RoundedUp = toInfinity;
        return toInfinity
            ? new Rounded(negative, maxExponent + 1, 1UL << 63)
            : new Rounded(negative, maxExponent, ulong.MaxValue << (64 - precision));
    }

    private static void Split(ulong high, ulong low, int precision, out ulong kept, out ulong rest)
    {
        if (precision == 64)
        {
            kept = high;
            rest = low;
        }
        else
        {
            kept = high >> (64 - precision);
            rest = (high << precision) | (low != 0 ? 1UL : 0);
        }
    }
}
