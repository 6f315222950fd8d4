using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST and the one-operand INC, DEC, NEG, NOT.</summary>
internal static unsafe partial class Alu
{
    /// <summary>A two-operand operation on zero-extended values.</summary>
    internal interface IBinary
    {
        /// <summary>Whether the result is written back.</summary>
        public static abstract bool Writes { get; }

        public static abstract ulong Apply<T, TFlags>(CpuState* s, ulong a, ulong b)
            where T : unmanaged
            where TFlags : struct, IFlag;
    }

    /// <summary>A one-operand operation on a zero-extended value.</summary>
    internal interface IUnary
    {
        public static abstract ulong Apply<T>(CpuState* s, ulong a)
            where T : unmanaged;
    }

    /// <summary>Destination register, any source.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ToRegister<T, TOperation, TSource, TFlags>(CpuState* s, Op* op)
        where T : unmanaged
        where TOperation : struct, IBinary
        where TSource : struct, ISource
        where TFlags : struct, IFlag
    {
        if (!TSource.TryPoint<T>(s, op, out byte* p))
        {
            return TSource.Miss<T>(s, op);
        }

        ulong r = TOperation.Apply<T, TFlags>(s, Registers.Read<T>(s, op->Destination), LittleEndian.Get<T>(p));
        if (TOperation.Writes)
        {
            Registers.Write<T>(s, op->Destination, r);
        }

        return Flow.Next(s, op);
    }

    /// <summary>Destination memory, register or immediate source.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ToMemory<T, TOperation, TSource, TAddress>(CpuState* s, Op* op)
        where T : unmanaged
        where TOperation : struct, IBinary
        where TSource : struct, ISource
        where TAddress : struct, IAddress
    {
        ulong address = TAddress.Of(s, op);
        if (!TOperation.Writes)
        {
            if (!MemoryAccess.TryLoad<T>(s, address, out byte* read))
            {
                return MemoryAccess.MissLoad(s, op, address, sizeof(T));
            }

            TOperation.Apply<T, Yes>(s, LittleEndian.Get<T>(read), LittleEndian.Get<T>(TSource.Pointer<T>(s, op)));
            return Flow.Next(s, op);
        }

        if (!MemoryAccess.TryStore<T>(s, address, out byte* p))
        {
            return MemoryAccess.MissModify(s, op, address, sizeof(T));
        }

        ulong r = TOperation.Apply<T, Yes>(s, LittleEndian.Get<T>(p), LittleEndian.Get<T>(TSource.Pointer<T>(s, op)));
        LittleEndian.Put<T>(p, r);
        return Flow.Next(s, op);
    }

    /// <summary>One register operand.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Register<T, TOperation>(CpuState* s, Op* op)
        where T : unmanaged
        where TOperation : struct, IUnary
    {
        Registers.Write<T>(s, op->Destination, TOperation.Apply<T>(s, Registers.Read<T>(s, op->Destination)));
        return Flow.Next(s, op);
    }

    /// <summary>One memory operand.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Memory<T, TOperation>(CpuState* s, Op* op)
        where T : unmanaged
        where TOperation : struct, IUnary
    {
        ulong address = AnyAddress.Of(s, op);
        if (!MemoryAccess.TryStore<T>(s, address, out byte* p))
        {
            return MemoryAccess.MissModify(s, op, address, sizeof(T));
        }

        LittleEndian.Put<T>(p, TOperation.Apply<T>(s, LittleEndian.Get<T>(p)));
        return Flow.Next(s, op);
    }
}
