namespace KprobeTrace.Cpu.Float;

/// <summary>The trigonometric functions of the x87 unit.</summary>
internal enum X87Angle
{
    /// <summary>FSIN.</summary>
    Sine,

    /// <summary>FCOS.</summary>
    Cosine,

    /// <summary>FPTAN.</summary>
    Tangent,

    /// <summary>FSINCOS.</summary>
    SineAndCosine,
}
