using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>MOV, MOVZX, MOVSX, LEA, CMOVcc, SETcc, XCHG, BSWAP, CBW and CWD families.</summary>
internal static unsafe class Moves
{
    /// <summary>MOV and, with a narrower TFrom, MOVZX: zero-extends the source into the destination register.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ToRegister<T, TFrom, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TFrom : unmanaged
        where TSource : struct, ISource
    {
        if (!TSource.TryPoint<TFrom>(s, op, out byte* p))
        {
            return TSource.Miss<TFrom>(s, op);
        }

        Registers.Write<T>(s, op->Destination, LittleEndian.Get<TFrom>(p));
        return Flow.Next(s, op);
    }

    /// <summary>MOVSX and MOVSXD.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* SignExtended<T, TFrom, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TFrom : unmanaged
        where TSource : struct, ISource
    {
        if (!TSource.TryPoint<TFrom>(s, op, out byte* p))
        {
            return TSource.Miss<TFrom>(s, op);
        }

        Registers.Write<T>(s, op->Destination, (ulong)LazyFlags.SignExtend<TFrom>(LittleEndian.Get<TFrom>(p)));
        return Flow.Next(s, op);
    }

    /// <summary>MOV to memory.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ToMemory<T, TSource, TAddress>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TAddress : struct, IAddress =>
        MemoryAccess.Store<T>(s, op, TAddress.Of(s, op), LittleEndian.Get<T>(TSource.Pointer<T>(s, op)));

    /// <summary>LEA; the operand's segment is flat, and a narrow address size has been put into its wrap bits.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Lea<T, TAddress>(CpuState* s, Op* op)
        where T : unmanaged
        where TAddress : struct, IAddress
    {
        Registers.Write<T>(s, op->Destination, TAddress.Of(s, op));
        return Flow.Next(s, op);
    }

    /// <summary>CMOVcc: the source is read whether or not the condition holds, and a 32-bit destination is always zero-extended.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Conditional<T, TSource, TCondition>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TCondition : struct, Conditions.ICondition
    {
        if (!TSource.TryPoint<T>(s, op, out byte* p))
        {
            return TSource.Miss<T>(s, op);
        }

        ulong value = TCondition.Holds(s) ? LittleEndian.Get<T>(p) : Registers.Read<T>(s, op->Destination);
        Registers.Write<T>(s, op->Destination, value);
        return Flow.Next(s, op);
    }

    /// <summary>SETcc to a register.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* SetRegister<TCondition>(CpuState* s, Op* op)
        where TCondition : struct, Conditions.ICondition
    {
        *((byte*)s + op->Destination) = TCondition.Holds(s) ? (byte)1 : (byte)0;
        return Flow.Next(s, op);
    }

    /// <summary>SETcc to memory.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* SetMemory<TCondition>(CpuState* s, Op* op)
        where TCondition : struct, Conditions.ICondition =>
        MemoryAccess.Store<byte>(s, op, AnyAddress.Of(s, op), TCondition.Holds(s) ? 1u : 0);

    /// <summary>XCHG of two registers.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ExchangeRegisters<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong a = Registers.Read<T>(s, op->Destination);
        Registers.Write<T>(s, op->Destination, Registers.Read<T>(s, op->Source));
        Registers.Write<T>(s, op->Source, a);
        return Flow.Next(s, op);
    }

    /// <summary>XCHG of memory and a register.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ExchangeMemory<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong address = AnyAddress.Of(s, op);
        if (!MemoryAccess.TryStore<T>(s, address, out byte* p))
        {
            return MemoryAccess.MissModify(s, op, address, sizeof(T));
        }

        ulong old = LittleEndian.Get<T>(p);
        LittleEndian.Put<T>(p, Registers.Read<T>(s, op->Source));
        Registers.Write<T>(s, op->Source, old);
        return Flow.Next(s, op);
    }

    /// <summary>BSWAP; a 16-bit operand is undefined and gives zero, as processors do.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ByteSwap<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong v = Registers.Read<T>(s, op->Destination);
        ulong r = sizeof(T) == 8 ? BinaryPrimitives.ReverseEndianness(v) : sizeof(T) == 4 ? BinaryPrimitives.ReverseEndianness((uint)v) : 0;
        Registers.Write<T>(s, op->Destination, r);
        return Flow.Next(s, op);
    }

    /// <summary>CBW, CWDE, CDQE: sign-extends the lower half of rAX.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ExtendAccumulator<T, THalf>(CpuState* s, Op* op)
        where T : unmanaged
        where THalf : unmanaged
    {
        Registers.Write<T>(s, 0, (ulong)LazyFlags.SignExtend<THalf>(Registers.Read<THalf>(s, 0)));
        return Flow.Next(s, op);
    }

    /// <summary>CWD, CDQ, CQO: fills rDX with the sign of rAX.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ExtendIntoDx<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        Registers.Write<T>(s, Registers.Rdx * 8, (ulong)(LazyFlags.SignExtend<T>(Registers.Read<T>(s, 0)) >> 63));
        return Flow.Next(s, op);
    }

    /// <summary>XLAT: the table's address without AL is the memory operand.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Translate(CpuState* s, Op* op)
    {
        ulong offset = *(ulong*)((byte*)s + op->Base) + (byte)s->R[0];
        byte* p = MemoryAccess.Load<byte>(s, op, AnyAddress.Segmented(s, op, offset));
        if (p == null)
        {
            return null;
        }

        *(byte*)s = *p;
        return Flow.Next(s, op);
    }
}
