namespace KprobeTrace.Cpu.Float;

/// <summary>The rounding control, encoded as in MXCSR, the x87 control word and the immediate of ROUNDSD.</summary>
internal enum RoundingMode
{
    /// <summary>To the nearest value, ties to the even one.</summary>
    Nearest = 0,

    /// <summary>Towards minus infinity.</summary>
    Down = 1,

    /// <summary>Towards plus infinity.</summary>
    Up = 2,

    /// <summary>Towards zero.</summary>
    Zero = 3,
}
