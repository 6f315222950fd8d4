namespace KprobeTrace.Cpu.Float;

/// <summary>Double precision.</summary>
internal readonly struct Binary64 : IFloatFormat
{
    /// <inheritdoc/>
    public static int FractionBits => 52;

    /// <inheritdoc/>
    public static int ExponentBits => 11;
}
