using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Decode;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>How a memory operand's linear address is formed.</summary>
internal unsafe interface IAddress
{
    public static abstract ulong Of(CpuState* s, Op* op);
}

/// <summary>Where an operation's source operand comes from.</summary>
internal unsafe interface ISource
{
    /// <summary>Whether <see cref="Pointer{T}"/> can return null because a fault is pending.</summary>
    public static abstract bool CanFault { get; }

    public static abstract byte* Pointer<T>(CpuState* s, Op* op)
        where T : unmanaged;
}

/// <summary>Base register and displacement: most operands.</summary>
internal readonly unsafe struct BaseAddress : IAddress
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(CpuState* s, Op* op) => *(ulong*)((byte*)s + op->Base) + (ulong)op->Displacement;
}

/// <summary>Base, scaled index and displacement.</summary>
internal readonly unsafe struct IndexedAddress : IAddress
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(CpuState* s, Op* op) =>
        *(ulong*)((byte*)s + op->Base) + (*(ulong*)((byte*)s + op->Index) << op->Scale) + (ulong)op->Displacement;
}

/// <summary>Any operand: with a segment base, and with offsets that wrap at 16 or 32 bits.</summary>
internal readonly unsafe struct AnyAddress : IAddress
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(CpuState* s, Op* op)
    {
        ulong offset = IndexedAddress.Of(s, op);
        return op->Segment == OpBits.NoSegment && (op->Bits & OpBits.Wraps) == 0 ? offset : Segmented(s, op, offset);
    }

    /// <summary>Adds the segment base to an offset, wrapping both as the operand's sizes demand.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ulong Segmented(CpuState* s, Op* op, ulong offset)
    {
        if ((op->Bits & OpBits.Offset32) != 0)
        {
            offset = (uint)offset;
        }
        else if ((op->Bits & OpBits.Offset16) != 0)
        {
            offset = (ushort)offset;
        }

        ulong linear = (&s->Segments.Es)[op->Segment].Base + offset;
        return (op->Bits & OpBits.Linear32) != 0 ? (uint)linear : linear;
    }
}

/// <summary>A register operand.</summary>
internal readonly unsafe struct RegisterSource : ISource
{
    public static bool CanFault => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Pointer<T>(CpuState* s, Op* op)
        where T : unmanaged => (byte*)s + op->Source;
}

/// <summary>An immediate operand.</summary>
internal readonly unsafe struct ImmediateSource : ISource
{
    public static bool CanFault => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Pointer<T>(CpuState* s, Op* op)
        where T : unmanaged => (byte*)&op->Immediate;
}

/// <summary>A memory operand.</summary>
internal readonly unsafe struct MemorySource<TAddress> : ISource
    where TAddress : struct, IAddress
{
    public static bool CanFault => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Pointer<T>(CpuState* s, Op* op)
        where T : unmanaged => MemoryAccess.Load<T>(s, op, TAddress.Of(s, op));
}

/// <summary>A compile-time boolean.</summary>
internal interface IFlag
{
    public static abstract bool Value { get; }
}

/// <summary>True.</summary>
internal readonly struct Yes : IFlag
{
    public static bool Value => true;
}

/// <summary>False.</summary>
internal readonly struct No : IFlag
{
    public static bool Value => false;
}
