namespace KprobeTrace.Cpu.Float;

/// <summary>
/// The six floating-point exceptions, with the bit numbers that MXCSR and the x87 status word share
/// (Intel SDM vol. 1 §8.1.3 and §10.2.3).
/// </summary>
[Flags]
internal enum FloatFlags
{
    /// <summary>No exception.</summary>
    None = 0,

    /// <summary>IE: an operand or a pair of operands for which the operation has no result.</summary>
    Invalid = 1,

    /// <summary>DE: an operand is denormal.</summary>
    Denormal = 2,

    /// <summary>ZE: a finite number was divided by zero.</summary>
    DivideByZero = 4,

    /// <summary>OE: the rounded result is too large for its format.</summary>
    Overflow = 8,

    /// <summary>UE: the result is tiny after rounding and, where the exception is masked, inexact.</summary>
    Underflow = 16,

    /// <summary>PE: the result is not exact.</summary>
    Precision = 32,

    /// <summary>The exceptions found before anything is computed.</summary>
    PreComputation = Invalid | Denormal | DivideByZero,

    /// <summary>All six.</summary>
    All = 63,
}
