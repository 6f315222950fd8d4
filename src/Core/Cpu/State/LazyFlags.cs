using System.Numerics;
using System.Runtime.CompilerServices;

namespace KprobeTrace.Cpu.State;

/// <summary>Computes arithmetic flags from, and into, the three lazy fields of <see cref="CpuState"/>.</summary>
/// <remarks>
/// <list type="table">
/// <item><term>ZF</term><description><c>FlagResult == 0</c></description></item>
/// <item><term>SF</term><description>sign of <c>FlagResult</c>, inverted by bit 9 of <c>FlagAdjust</c></description></item>
/// <item><term>PF</term><description>parity of <c>FlagResult</c>'s low byte, inverted by bit 8 of <c>FlagAdjust</c></description></item>
/// <item><term>CF</term><description>bit 31 of <c>FlagCarry</c></description></item>
/// <item><term>OF</term><description>bit 31 xor bit 30 of <c>FlagCarry</c></description></item>
/// <item><term>AF</term><description>bit 4 of <c>FlagAdjust ^ FlagResult</c></description></item>
/// </list>
/// </remarks>
internal static unsafe class LazyFlags
{
    private const uint InvertParity = 1 << 8;
    private const uint InvertSign = 1 << 9;

    /// <summary>Carry flag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Carry(CpuState* s) => (int)s->FlagCarry < 0;

    /// <summary>Overflow flag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Overflow(CpuState* s) => (int)(s->FlagCarry ^ (s->FlagCarry << 1)) < 0;

    /// <summary>Zero flag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Zero(CpuState* s) => s->FlagResult == 0;

    /// <summary>Sign flag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Sign(CpuState* s) => (s->FlagResult < 0) != ((s->FlagAdjust & InvertSign) != 0);

    /// <summary>Parity flag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Parity(CpuState* s) =>
        ((BitOperations.PopCount((uint)s->FlagResult & 0xFF) & 1) == 0) != ((s->FlagAdjust & InvertParity) != 0);

    /// <summary>Auxiliary carry flag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Adjust(CpuState* s) => ((s->FlagAdjust ^ (uint)s->FlagResult) & 0x10) != 0;

    /// <summary>The six arithmetic flags as bits of RFLAGS.</summary>
    public static uint Status(CpuState* s) =>
        (Carry(s) ? Rflags.CF : 0) | (Parity(s) ? Rflags.PF : 0) | (Adjust(s) ? Rflags.AF : 0)
        | (Zero(s) ? Rflags.ZF : 0) | (Sign(s) ? Rflags.SF : 0) | (Overflow(s) ? Rflags.OF : 0);

    /// <summary>Sets the six arithmetic flags from bits of RFLAGS, in any combination.</summary>
    public static void SetStatus(CpuState* s, uint flags)
    {
        bool zero = (flags & Rflags.ZF) != 0;
        s->FlagResult = zero ? 0 : 1;
        uint adjust = (flags & Rflags.AF) != 0 ? 0x10u : 0;
        bool naturalParity = zero;
        adjust |= naturalParity != ((flags & Rflags.PF) != 0) ? InvertParity : 0;
        adjust |= (flags & Rflags.SF) != 0 ? InvertSign : 0;
        s->FlagAdjust = adjust;
        SetCarryOverflow(s, (flags & Rflags.CF) != 0, (flags & Rflags.OF) != 0);
    }

    /// <summary>Sets CF and OF alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetCarryOverflow(CpuState* s, bool carry, bool overflow) =>
        s->FlagCarry = (carry ? 0x8000_0000u : 0) | (carry != overflow ? 0x4000_0000u : 0);

    /// <summary>Sets CF alone, keeping OF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetCarry(CpuState* s, bool carry) => SetCarryOverflow(s, carry, Overflow(s));

    /// <summary>All of RFLAGS.</summary>
    public static ulong Get(CpuState* s) => s->SystemFlags | Status(s) | Rflags.Fixed;

    /// <summary>Sets all of RFLAGS; the caller decides which bits may change.</summary>
    public static void Set(CpuState* s, ulong flags)
    {
        SetStatus(s, (uint)flags);
        s->SystemFlags = flags & ~(ulong)(Rflags.Status | Rflags.Fixed);
    }

    /// <summary>Flags of <c>r = a + b (+ carry)</c>; operands and result are zero-extended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetAdd<T>(CpuState* s, ulong a, ulong b, ulong r)
        where T : unmanaged
    {
        SetCarries<T>(s, (a & b) | ((a | b) & ~r));
        s->FlagResult = SignExtend<T>(r);
        s->FlagAdjust = (byte)(a ^ b);
    }

    /// <summary>Flags of <c>r = a - b (- borrow)</c>; operands and result are zero-extended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetSub<T>(CpuState* s, ulong a, ulong b, ulong r)
        where T : unmanaged
    {
        SetCarries<T>(s, (~a & b) | (~(a ^ b) & r));
        s->FlagResult = SignExtend<T>(r);
        s->FlagAdjust = (byte)(a ^ b);
    }

    /// <summary>Flags of a logical operation: CF and OF clear, AF clear as hardware leaves it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetLogic<T>(CpuState* s, ulong r)
        where T : unmanaged
    {
        long result = SignExtend<T>(r);
        s->FlagCarry = 0;
        s->FlagResult = result;
        s->FlagAdjust = (byte)result;
    }

    /// <summary>ZF, SF and PF of a result, with CF and OF given and AF clear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetResult<T>(CpuState* s, ulong r, bool carry, bool overflow)
        where T : unmanaged
    {
        SetLogic<T>(s, r);
        SetCarryOverflow(s, carry, overflow);
    }

    /// <summary>A value of type T, sign-extended to 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long SignExtend<T>(ulong value)
        where T : unmanaged =>
        sizeof(T) switch { 1 => (sbyte)value, 2 => (short)value, 4 => (int)value, _ => (long)value };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetCarries<T>(CpuState* s, ulong carries)
        where T : unmanaged =>
        s->FlagCarry = sizeof(T) switch
        {
            1 => (uint)carries << 24,
            2 => (uint)carries << 16,
            4 => (uint)carries,
            _ => (uint)(carries >> 32),
        };
}
