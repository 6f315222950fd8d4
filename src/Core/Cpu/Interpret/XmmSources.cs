using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>Where an SSE operation's source operand comes from.</summary>
internal unsafe interface IXmmSource
{
    /// <summary>Whether <see cref="Pointer"/> can return null because a fault is pending.</summary>
    public static abstract bool CanFault { get; }

    /// <summary>The operand's bytes, as many as its kind has.</summary>
    public static abstract Xmm* Pointer(CpuState* s, Op* op);
}

/// <summary>An XMM register.</summary>
internal readonly unsafe struct XmmRegister : IXmmSource
{
    public static bool CanFault => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Xmm* Pointer(CpuState* s, Op* op) => (Xmm*)((byte*)s + op->Source);
}

/// <summary>Memory of the size of T, on any address.</summary>
internal readonly unsafe struct XmmMemory<T> : IXmmSource
    where T : unmanaged
{
    public static bool CanFault => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Xmm* Pointer(CpuState* s, Op* op) => (Xmm*)MemoryAccess.Load<T>(s, op, AnyAddress.Of(s, op));
}

/// <summary>Sixteen bytes of memory that must lie on a 16-byte boundary (#GP).</summary>
internal readonly unsafe struct AlignedXmmMemory : IXmmSource
{
    public static bool CanFault => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Xmm* Pointer(CpuState* s, Op* op)
    {
        ulong address = AnyAddress.Of(s, op);
        return (address & 15) == 0
            ? (Xmm*)MemoryAccess.Load<Xmm>(s, op, address)
            : (Xmm*)Flow.Fault(s, op, Vector.GeneralProtection);
    }
}
