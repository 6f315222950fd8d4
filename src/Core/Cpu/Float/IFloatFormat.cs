namespace KprobeTrace.Cpu.Float;

/// <summary>The layout of an IEEE 754 interchange format with a hidden integer bit.</summary>
internal interface IFloatFormat
{
    /// <summary>Stored significand bits.</summary>
    public static abstract int FractionBits { get; }

    /// <summary>Exponent bits.</summary>
    public static abstract int ExponentBits { get; }
}
