namespace KprobeTrace.Cpu.Float;

/// <summary>
/// A number that fits its format: the significand left-aligned in 64 bits with the integer bit at bit 63. A clear
/// integer bit means zero or a denormal (exponent field 0); infinity has the exponent above the largest.
/// </summary>
internal readonly struct Rounded(bool negative, int exponent, ulong significand)
{
    /// <summary>The sign.</summary>
    public bool Negative { get; } = negative;

    /// <summary>The unbiased exponent; meaningless when bit 63 of the significand is clear.</summary>
    public int Exponent { get; } = exponent;

    /// <summary>The significand, integer bit at bit 63.</summary>
    public ulong Significand { get; } = significand;
}
