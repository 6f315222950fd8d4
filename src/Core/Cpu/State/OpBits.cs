using System.Runtime.CompilerServices;

namespace KprobeTrace.Cpu.State;

/// <summary>Bits of <see cref="Op.Bits"/>.</summary>
internal static class OpBits
{
    /// <summary>Value of <see cref="Op.Segment"/> that stands for a base of zero.</summary>
    public const byte NoSegment = 6;

    /// <summary>The operand's offset wraps at 32 bits.</summary>
    public const byte Offset32 = 2;

    /// <summary>The operand's offset wraps at 16 bits.</summary>
    public const byte Offset16 = 3;

    /// <summary>The linear address wraps at 32 bits.</summary>
    public const byte Linear32 = 4;

    /// <summary>Any of the wraps.</summary>
    public const byte Wraps = Offset16 | Linear32;

    /// <summary>A REP or REPE prefix.</summary>
    public const byte Repeat = 8;

    /// <summary>A REPNE prefix.</summary>
    public const byte RepeatNotEqual = 16;

    /// <summary>Free for the operation's family.</summary>
    public const byte Family = 32;

    /// <summary>Cuts an offset to the operand's address size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CutOffset(byte bits, ulong offset)
    {
        // A sixteenth of the bits to drop is what the width's two bits say.
        int unused = (bits & Offset16) << 4;
        return offset << unused >> unused;
    }

    /// <summary>Cuts a linear address to the width of the mode's address space.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong CutLinear(byte bits, ulong linear)
    {
        int unused = (bits & Linear32) << 3;
        return linear << unused >> unused;
    }
}
