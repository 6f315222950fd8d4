namespace KprobeTrace.Cpu.Float;

/// <summary>
/// A finite number before rounding: ±(High.Low / 2^63)·2^Exponent with the top bit of <see cref="High"/> set, or zero
/// with both words zero. The lowest bit of <see cref="Low"/> also stands for everything below it.
/// </summary>
internal struct Unrounded
{
    /// <summary>Upper 64 significand bits; bit 63 has weight 1.</summary>
    public ulong High;

    /// <summary>Lower 64 significand bits, the last one sticky.</summary>
    public ulong Low;

    /// <summary>The unbiased exponent.</summary>
    public int Exponent;

    /// <summary>The sign.</summary>
    public bool Negative;

    /// <summary>Whether the number is exactly zero.</summary>
    public readonly bool IsZero => (High | Low) == 0;

    /// <summary>Makes a number of its parts.</summary>
    public Unrounded(bool negative, int exponent, ulong high, ulong low = 0)
    {
        Negative = negative;
        Exponent = exponent;
        High = high;
        Low = low;
    }
}
