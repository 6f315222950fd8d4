namespace KprobeTrace.Cpu.Float;

/// <summary>Rounds numbers to signed integers with the x86 answer for what does not fit.</summary>
internal static class IntegerRounder
{
    /// <summary>The integer indefinite: the most negative integer of a width.</summary>
    public static long Indefinite(int bits) => long.MinValue >> (64 - bits);

    /// <summary>Rounds a finite number that is not zero to an integer.</summary>
    /// <param name="x">The number; its lower word is zero.</param>
    /// <param name="bits">Width of the integer: 16, 32 or 64.</param>
    /// <param name="mode">Direction.</param>
    /// <param name="status">Receives invalid or inexact.</param>
    public static long ToInteger(in Unrounded x, int bits, RoundingMode mode, ref FloatStatus status)
    {
        status.RoundedUp = false;
        if (x.Exponent > 63)
        {
            status.Raise(FloatFlags.Invalid);
            return Indefinite(bits);
        }
        ulong high = x.High;
        ulong low = x.Low;
        Rounder.ShiftRightSticky(ref high, ref low, 63 - x.Exponent);
        bool away = Rounder.RoundsAway(mode, x.Negative, (high & 1) != 0, low);
        ulong limit = (1UL << (bits - 1)) - (x.Negative ? 0UL : 1);
        if (high > limit || (away && high == limit))
        {
            status.Raise(FloatFlags.Invalid);
            return Indefinite(bits);
        }
        high += away ? 1UL : 0;
        if (low != 0)
        {
            status.Raise(FloatFlags.Precision);
            status.RoundedUp = away;
        }
        return x.Negative ? (long)(0UL - high) : (long)high;
    }
}
