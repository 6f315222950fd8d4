using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>Near JMP, Jcc, LOOP, JrCXZ, CALL and RET, and the compare-and-branch pairs that run as one operation.</summary>
/// <remarks>
/// In 64-bit code the operand-size prefix makes a near branch one of 16 bits, as on AMD's processors: the target is cut to
/// 16 bits, and CALL and RET move two bytes of stack. Intel's processors ignore the prefix there.
/// </remarks>
internal static unsafe class Branches
{
    /// <summary>Goes on with the block that follows in memory; stands at the end of blocks that were cut, and retires nothing.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* FallThrough(CpuState* s, Op* op) => Flow.Branch(s, op);

    /// <summary>Ends a block of limited length; its successor is looked up by the run loop.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* EndOfPartialBlock(CpuState* s, Op* op)
    {
        s->Rip = (ulong)op->Immediate;
        return null;
    }

    /// <summary>JMP rel.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Jump(CpuState* s, Op* op) => Flow.Branch(s, op);

    /// <summary>Jcc; not taken goes on to the fall-through operation that follows it.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* JumpIf<TCondition>(CpuState* s, Op* op)
        where TCondition : struct, Conditions.ICondition =>
        TCondition.Holds(s) ? Flow.Branch(s, op) : Flow.Next(s, op);

    /// <summary>CMP register, source with the Jcc after it.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* CompareAndJump<T, TSource, TCondition>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TCondition : struct, Conditions.ICondition
    {
        if (!TSource.TryPoint<T>(s, op, out byte* p))
        {
            return TSource.Miss<T>(s, op);
        }

        ulong a = Registers.Read<T>(s, op->Destination);
        ulong b = LittleEndian.Get<T>(p);
        ulong r = Registers.Cut<T>(a - b);
        LazyFlags.SetSub<T>(s, a, b, r);
        op++;
        return TCondition.AfterCompare<T>(a, b, r) ? Flow.Branch(s, op) : Flow.Next(s, op);
    }

    /// <summary>CMP memory, register or immediate with the Jcc after it.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* CompareMemoryAndJump<T, TSource, TAddress, TCondition>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TAddress : struct, IAddress
        where TCondition : struct, Conditions.ICondition
    {
        ulong address = TAddress.Of(s, op);
        if (!MemoryAccess.TryLoad<T>(s, address, out byte* p))
        {
            return MemoryAccess.MissLoad(s, op, address, sizeof(T));
        }

        ulong a = LittleEndian.Get<T>(p);
        ulong b = LittleEndian.Get<T>(TSource.Pointer<T>(s, op));
        ulong r = Registers.Cut<T>(a - b);
        LazyFlags.SetSub<T>(s, a, b, r);
        op++;
        return TCondition.AfterCompare<T>(a, b, r) ? Flow.Branch(s, op) : Flow.Next(s, op);
    }

    /// <summary>TEST register, register or immediate with the Jcc after it.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* TestAndJump<T, TSource, TCondition>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TCondition : struct, Conditions.ICondition
    {
        ulong r = Registers.Read<T>(s, op->Destination) & LittleEndian.Get<T>(TSource.Pointer<T>(s, op));
        LazyFlags.SetLogic<T>(s, r);
        op++;
        return TCondition.AfterCompare<T>(r, 0, r) ? Flow.Branch(s, op) : Flow.Next(s, op);
    }

    /// <summary>TEST memory, register or immediate with the Jcc after it.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* TestMemoryAndJump<T, TSource, TAddress, TCondition>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
        where TAddress : struct, IAddress
        where TCondition : struct, Conditions.ICondition
    {
        ulong address = TAddress.Of(s, op);
        if (!MemoryAccess.TryLoad<T>(s, address, out byte* p))
        {
            return MemoryAccess.MissLoad(s, op, address, sizeof(T));
        }

        ulong r = LittleEndian.Get<T>(p) & LittleEndian.Get<T>(TSource.Pointer<T>(s, op));
        LazyFlags.SetLogic<T>(s, r);
        op++;
        return TCondition.AfterCompare<T>(r, 0, r) ? Flow.Branch(s, op) : Flow.Next(s, op);
    }

    /// <summary>An arithmetic operation on registers or immediates with the Jcc after it.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* OperateAndJump<T, TOperation, TSource, TCondition>(CpuState* s, Op* op)
        where T : unmanaged
        where TOperation : struct, Alu.IBinary
        where TSource : struct, ISource
        where TCondition : struct, Conditions.ICondition
    {
        ulong a = Registers.Read<T>(s, op->Destination);
        ulong r = TOperation.Apply<T, Yes>(s, a, LittleEndian.Get<T>(TSource.Pointer<T>(s, op)));
        Registers.Write<T>(s, op->Destination, r);
        op++;
        return TCondition.Holds(s) ? Flow.Branch(s, op) : Flow.Next(s, op);
    }

    /// <summary>JCXZ, JECXZ, JRCXZ: T is the address size.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* JumpIfCounterZero<T>(CpuState* s, Op* op)
        where T : unmanaged =>
        Registers.Read<T>(s, Registers.Rcx * 8) == 0 ? Flow.Branch(s, op) : Flow.Next(s, op);

    /// <summary>LOOP, LOOPE, LOOPNE: T is the address size; the immediate's partner bits in <see cref="Op.Source"/> say which (0, 1, 2).</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Loop<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong counter = Registers.Cut<T>(Registers.Read<T>(s, Registers.Rcx * 8) - 1);
        Registers.Write<T>(s, Registers.Rcx * 8, counter);
        bool taken = counter != 0 && (op->Source == 0 || LazyFlags.Zero(s) == (op->Source == 1));
        return taken ? Flow.Branch(s, op) : Flow.Next(s, op);
    }

    /// <summary>JMP to an address in a register or in memory.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* JumpIndirect<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        if (!TSource.TryPoint<T>(s, op, out byte* p))
        {
            return TSource.Miss<T>(s, op);
        }

        ulong target = LittleEndian.Get<T>(p);
        return PageWalker.IsCanonical(target) ? Flow.Indirect(s, target) : Flow.Fault(s, op, Vector.GeneralProtection);
    }

    /// <summary>CALL rel in 64-bit code.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Call64(CpuState* s, Op* op)
    {
        ulong sp = s->R[Registers.Rsp] - 8;
        if (!MemoryAccess.TryStore<ulong>(s, sp, out byte* p))
        {
            return MemoryAccess.MissStore(s, op, sp, 8);
        }

        *(ulong*)p = (ulong)op->Displacement;
        s->R[Registers.Rsp] = sp;
        return Flow.Branch(s, op);
    }

    /// <summary>CALL through a register or memory in 64-bit code; the return address is in the op's Link.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* CallIndirect64<TSource>(CpuState* s, Op* op)
        where TSource : struct, ISource
    {
        byte* from = TSource.Pointer<ulong>(s, op);
        if (TSource.CanFault && from == null)
        {
            return null;
        }

        ulong target = *(ulong*)from;
        ulong sp = s->R[Registers.Rsp] - 8;
        if (!PageWalker.IsCanonical(target))
        {
            return RefuseCall64(s, op, sp);
        }

        if (!MemoryAccess.TryStore<ulong>(s, sp, out byte* p))
        {
            return SlowCall64(s, op, sp, target);
        }

        *(ulong*)p = (ulong)op->Link;
        s->R[Registers.Rsp] = sp;
        return Flow.Indirect(s, target);
    }

    /// <summary>RET and RET imm16 in 64-bit code.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Return64(CpuState* s, Op* op)
    {
        ulong sp = s->R[Registers.Rsp];
        if (!MemoryAccess.TryLoad<ulong>(s, sp, out byte* p))
        {
            return MemoryAccess.MissLoad(s, op, sp, 8);
        }

        ulong target = *(ulong*)p;
        if (!PageWalker.IsCanonical(target))
        {
            return Flow.Fault(s, op, Vector.GeneralProtection);
        }

        s->R[Registers.Rsp] = sp + 8 + (ulong)op->Immediate;
        return Flow.Indirect(s, target);
    }

    /// <summary>CALL in 16- and 32-bit code and, with 16-bit operands, in 64-bit code, direct or through an operand; T is the operand size.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Call<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        byte* from = TSource.Pointer<T>(s, op);
        if (TSource.CanFault && from == null)
        {
            return null;
        }

        ulong target = LittleEndian.Get<T>(from);
        ulong codeBase = CodeBase(s);
        if (typeof(TSource) != typeof(ImmediateSource))
        {
            target = (uint)(target + codeBase);
        }

        return Stack.TryPush<T>(s, op, (ulong)op->Link - codeBase) ? Flow.Leave(s, target) : null;
    }

    /// <summary>JMP through an operand in 16- and 32-bit code and, with 16-bit operands, in 64-bit code; T is the operand size.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* JumpIndirectLegacy<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        byte* from = TSource.Pointer<T>(s, op);
        return TSource.CanFault && from == null ? null : Flow.Leave(s, (uint)(CodeBase(s) + LittleEndian.Get<T>(from)));
    }

    /// <summary>RET in 16- and 32-bit code and, with 16-bit operands, in 64-bit code; T is the operand size.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Return<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        byte* p = MemoryAccess.Load<T>(s, op, StackPointer.Linear(s, s->R[Registers.Rsp]));
        if (p == null)
        {
            return StackPointer.Fault(s);
        }

        ulong target = LittleEndian.Get<T>(p);
        StackPointer.Move(s, sizeof(T) + op->Immediate);
        return Flow.Leave(s, (uint)(CodeBase(s) + target));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong CodeBase(CpuState* s) => s->In64BitCode ? 0 : s->Segments.Cs.Base;

    /// <summary>A call to an address that is not canonical: the stack is looked at first.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Op* RefuseCall64(CpuState* s, Op* op, ulong sp) =>
        Processor.Of(s).ProbeStore(op, sp, 8) ? Flow.Fault(s, op, Vector.GeneralProtection) : StackPointer.Fault(s);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Op* SlowCall64(CpuState* s, Op* op, ulong sp, ulong target)
    {
        if (!MemoryAccess.SlowStore(s, op, sp, Op.NextIpOf(op), 8))
        {
            return StackPointer.Fault(s);
        }

        s->R[Registers.Rsp] = sp;
        return Flow.Leave(s, target);
    }
}
