namespace KprobeTrace.Cpu.Float;

/// <summary>Single precision.</summary>
internal readonly struct Binary32 : IFloatFormat
{
    /// <inheritdoc/>
    public static int FractionBits => 23;

    /// <inheritdoc/>
    public static int ExponentBits => 8;
}
