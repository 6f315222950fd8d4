namespace KprobeTrace.Cpu.Float;

/// <summary>
/// RCPPS and RSQRTPS. The manual only bounds their relative error by 1.5·2^-12, and processors differ; here the value is
/// defined, so that every host gives the same one.
/// </summary>
/// <remarks>
/// The significand's upper 12 fraction bits choose an interval; the result is that of the interval's midpoint with 16
/// significand bits, rounded down: an error below 2^-13 + 2^-15. Denormal operands count as zero, tiny results become
/// zero, and no exception is raised (Intel SDM vol. 2, RCPPS and RSQRTPS).
/// </remarks>
internal static class ReciprocalApproximation
{
    internal const uint Infinity = 0x7F80_0000;
    internal const uint QuietBit = 0x0040_0000;

    /// <summary>About 1 / a, in single precision.</summary>
    public static uint Reciprocal(uint a)
    {
        uint sign = a & 0x8000_0000;
        uint magnitude = a & 0x7FFF_FFFF;
        if (magnitude > Infinity)
        {
            return a | QuietBit;
        }
        uint field = magnitude >> 23;
        if (field == 0)
        {
            return sign | Infinity;
        }
        if (field >= 253)
        {
            return sign;
        }
        // In units of 2^-13 the midpoint lies between 2^13 and 2^14, so the quotient between 2^15 and 2^16.
        uint midpoint = (((magnitude >> 11) & 0xFFF) * 2) + 8193;
        uint quotient = (1U << 29) / midpoint;
        return sign | ((253 - field) << 23) | ((quotient << 8) & 0x7F_FFFF);
    }

    /// <summary>About 1 / √a, in single precision.</summary>
    public static uint ReciprocalSquareRoot(uint a)
    {
        uint sign = a & 0x8000_0000;
        uint magnitude = a & 0x7FFF_FFFF;
        if (magnitude > Infinity)
        {
            return a | QuietBit;
        }
        uint field = magnitude >> 23;
        if (field == 0)
        {
            return sign | Infinity;
        }
        if (sign != 0)
        {
            return 0xFFC0_0000;
        }
        if (magnitude == Infinity)
        {
            return 0;
        }
        // The exponent is made even by doubling the midpoint, which then lies between 2^13 and 2^15.
        ulong midpoint = (((magnitude >> 11) & 0xFFF) * 2) + 8193;
        bool odd = (field & 1) == 0;
        ulong square = (1UL << 45) / (odd ? midpoint * 2 : midpoint);
        uint root = SquareRoot(square);
        int exponent = (int)(field - (odd ? 128u : 127u)) / 2;
        return ((uint)(126 - exponent) << 23) | ((root << 8) & 0x7F_FFFF);
    }

    /// <summary>⌊√n⌋ of a number from 2^30 to 2^32, one bit at a time.</summary>
    private static uint SquareRoot(ulong n)
    {
        ulong root = 0;
        for (ulong bit = 1 << 15; bit != 0; bit >>= 1)
        {
            ulong trial = root | bit;
            root = trial * trial <= n ? trial : root;
        }
        return (uint)root;
    }
}
