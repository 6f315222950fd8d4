namespace KprobeTrace.Cpu.Float;

/// <summary>
/// What an operation is told about its surroundings (rounding, masks, treatment of denormals) and the place where it
/// leaves the exceptions it found.
/// </summary>
/// <remarks>
/// <see cref="Flags"/> only ever gains bits; whoever executes an instruction starts from none and merges the outcome
/// into the guest's register. Results are those of masked exceptions, except that tininess and overflow look at
/// <see cref="Masks"/>: an unmasked underflow is reported even when the result is exact, and x87 register results then
/// get a wrapped exponent.
/// </remarks>
internal struct FloatStatus
{
    /// <summary>The direction of rounding.</summary>
    public RoundingMode Rounding;

    /// <summary>The exceptions found so far.</summary>
    public FloatFlags Flags;

    /// <summary>The exceptions of stages that are over, where an instruction computes in stages (DPPS).</summary>
    public FloatFlags Settled;

    /// <summary>The exceptions that are masked.</summary>
    public FloatFlags Masks;

    /// <summary>Significand bits that x87 arithmetic rounds to: 24, 53 or 64.</summary>
    public int Precision;

    /// <summary>FTZ: a tiny result becomes zero (while underflow is masked).</summary>
    public bool FlushToZero;

    /// <summary>DAZ: a denormal operand counts as zero.</summary>
    public bool DenormalsAreZero;

    /// <summary>Whether the last rounding moved the result away from zero (x87 condition bit C1).</summary>
    public bool RoundedUp;

    /// <summary>
    /// Whether the host's own arithmetic may be used where result and operands are ordinary numbers: rounding is to
    /// nearest, and the inexact flag is masked and already raised so that missing it is impossible.
    /// </summary>
    public bool HostExact;

    /// <summary>The status described by an MXCSR value (Intel SDM vol. 1 §10.2.3).</summary>
    /// <param name="mxcsr">The guest's MXCSR.</param>
    /// <returns>A status with no flag raised.</returns>
    public static FloatStatus FromMxcsr(uint mxcsr) => new()
    {
        Rounding = (RoundingMode)((mxcsr >> 13) & 3),
        Masks = (FloatFlags)((mxcsr >> 7) & 63),
        Precision = 64,
        FlushToZero = (mxcsr & 0x8000) != 0,
        DenormalsAreZero = (mxcsr & 0x40) != 0,
        HostExact = (mxcsr & 0x7020) == 0x1020,
    };

    /// <summary>The status described by an x87 control word (Intel SDM vol. 1 §8.1.5).</summary>
    /// <param name="controlWord">The guest's FCW.</param>
    /// <returns>A status with no flag raised.</returns>
    public static FloatStatus FromControlWord(uint controlWord) => new()
    {
        Rounding = (RoundingMode)((controlWord >> 10) & 3),
        Masks = (FloatFlags)(controlWord & 63),
        Precision = ((controlWord >> 8) & 3) switch { 0 => 24, 2 => 53, _ => 64 },
    };

    /// <summary>Raises exceptions.</summary>
    /// <param name="flags">The ones found.</param>
    public void Raise(FloatFlags flags) => Flags |= flags;

    /// <summary>Whether all of the given exceptions are masked.</summary>
    /// <param name="flags">The exceptions asked about.</param>
    /// <returns>True when none of them is unmasked.</returns>
    public readonly bool Masked(FloatFlags flags) => (flags & ~Masks) == 0;

    /// <summary>
    /// The flags an instruction reports: where an exception found before computing is unmasked, those found while
    /// computing never come to be.
    /// </summary>
    public readonly FloatFlags Reported => Settled
        | ((Flags & ~Masks & FloatFlags.PreComputation) != 0 ? Flags & FloatFlags.PreComputation : Flags);

    /// <summary>Whether a reported exception is unmasked.</summary>
    public readonly bool Unmasked => ((Settled | Flags) & ~Masks) != 0;

    /// <summary>Ends a stage of an instruction that computes in several.</summary>
    /// <returns>False when an unmasked exception ends the instruction.</returns>
    public bool EndStage()
    {
        Settled = Reported;
        Flags = FloatFlags.None;
        return !Unmasked;
    }
}
