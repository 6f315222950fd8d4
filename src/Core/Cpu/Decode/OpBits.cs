namespace KprobeTrace.Cpu.Decode;

/// <summary>Bits of <see cref="Op.Bits"/>.</summary>
public static class OpBits
{
    /// <summary>Value of <see cref="Op.Segment"/> that stands for a base of zero.</summary>
    public const byte NoSegment = 6;

    /// <summary>The operand's offset wraps at 32 bits.</summary>
    public const byte Offset32 = 1;

    /// <summary>The operand's offset wraps at 16 bits.</summary>
    public const byte Offset16 = 2;

    /// <summary>The linear address wraps at 32 bits.</summary>
    public const byte Linear32 = 4;

    /// <summary>Any of the wraps.</summary>
    public const byte Wraps = Offset32 | Offset16 | Linear32;

    /// <summary>A REP or REPE prefix.</summary>
    public const byte Repeat = 8;

    /// <summary>A REPNE prefix.</summary>
    public const byte RepeatNotEqual = 16;

    /// <summary>Free for the operation's family.</summary>
    public const byte Family = 32;
}
