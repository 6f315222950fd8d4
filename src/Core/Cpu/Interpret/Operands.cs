using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>How a memory operand's linear address is formed.</summary>
internal unsafe interface IAddress
{
    public static abstract ulong Of(CpuState* s, Op* op);
}

/// <summary>Where an operation's source operand comes from.</summary>
/// <remarks>
/// The handlers that matter use <see cref="TryPoint{T}"/> and end with <see cref="Miss{T}"/> when it fails: a call anywhere but
/// at its end would cost a handler a stack frame.
/// </remarks>
internal unsafe interface ISource
{
    /// <summary>Whether the operand is memory: <see cref="Pointer{T}"/> can return null, and <see cref="TryPoint{T}"/> false.</summary>
    public static abstract bool CanFault { get; }

    /// <summary>The operand's bytes, or null because a fault is pending.</summary>
    public static abstract byte* Pointer<T>(CpuState* s, Op* op)
        where T : unmanaged;

    /// <summary>The operand's bytes when no slow path is needed.</summary>
    public static abstract bool TryPoint<T>(CpuState* s, Op* op, out byte* host)
        where T : unmanaged;

    /// <summary>What a handler returns when <see cref="TryPoint{T}"/> failed and nothing has changed yet: see <see cref="MemoryAccess.MissLoad"/>.</summary>
    public static abstract Op* Miss<T>(CpuState* s, Op* op)
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
    public static ulong Of(CpuState* s, Op* op) => Segmented(s, op, IndexedAddress.Of(s, op));

    /// <summary>Adds the segment base to an offset, wrapping both as the operand's sizes demand.</summary>
    /// <remarks>Without a branch or a call, so that handlers need no stack frame.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Segmented(CpuState* s, Op* op, ulong offset) =>
        OpBits.CutLinear(op->Bits, (&s->Segments.Es)[op->Segment].Base + OpBits.CutOffset(op->Bits, offset));
}

/// <summary>A register operand.</summary>
internal readonly unsafe struct RegisterSource : ISource
{
    public static bool CanFault => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Pointer<T>(CpuState* s, Op* op)
        where T : unmanaged => (byte*)s + op->Source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryPoint<T>(CpuState* s, Op* op, out byte* host)
        where T : unmanaged
    {
        host = (byte*)s + op->Source;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* Miss<T>(CpuState* s, Op* op)
        where T : unmanaged => op;
}

/// <summary>An immediate operand.</summary>
internal readonly unsafe struct ImmediateSource : ISource
{
    public static bool CanFault => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Pointer<T>(CpuState* s, Op* op)
        where T : unmanaged => (byte*)&op->Immediate;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryPoint<T>(CpuState* s, Op* op, out byte* host)
        where T : unmanaged
    {
        host = (byte*)&op->Immediate;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* Miss<T>(CpuState* s, Op* op)
        where T : unmanaged => op;
}

/// <summary>A memory operand.</summary>
internal readonly unsafe struct MemorySource<TAddress> : ISource
    where TAddress : struct, IAddress
{
    public static bool CanFault => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Pointer<T>(CpuState* s, Op* op)
        where T : unmanaged => MemoryAccess.Load<T>(s, op, TAddress.Of(s, op));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryPoint<T>(CpuState* s, Op* op, out byte* host)
        where T : unmanaged => MemoryAccess.TryLoad<T>(s, TAddress.Of(s, op), out host);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Op* Miss<T>(CpuState* s, Op* op)
        where T : unmanaged => MemoryAccess.MissLoad(s, op, TAddress.Of(s, op), sizeof(T));
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
