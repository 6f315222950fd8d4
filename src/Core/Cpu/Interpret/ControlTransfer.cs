using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>SYSCALL, SYSRET, INT, IRET, far JMP, CALL and RET, and loads of segment registers.</summary>
internal static unsafe class ControlTransfer
{
    /// <summary>SYSCALL.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Syscall(CpuState* s, Op* op) => Finish(s, op, Processor.Of(s).Syscall(Op.NextIpOf(op)));

    /// <summary>SYSRET; the immediate is 1 for the form that returns to 64-bit code.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Sysret(CpuState* s, Op* op) => Finish(s, op, Processor.Of(s).Sysret(op->Immediate != 0));

    /// <summary>INT n, INT3, INTO: the vector is the immediate. The instruction completes; delivery happens in the run loop.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* SoftwareInterrupt(CpuState* s, Op* op)
    {
        if (op->Immediate == Vector.Overflow && op->Length == 1 && !LazyFlags.Overflow(s))
        {
            return op + 1;
        }

        s->FaultVector = (byte)op->Immediate;
        s->FaultErrorCode = 0;
        s->FaultIsSoftware = 1;
        s->FaultAddress = Op.IpOf(op);
        s->Rip = Op.NextIpOf(op);
        s->Left += op->Remaining - 1;
        return null;
    }

    /// <summary>INT1: a debug exception that the instruction completes with; the gate's privilege does not matter.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* DebugInterrupt(CpuState* s, Op* op)
    {
        s->FaultVector = Vector.Debug;
        s->FaultErrorCode = 0;
        s->FaultIsSoftware = 2;
        s->FaultAddress = Op.IpOf(op);
        s->Rip = Op.NextIpOf(op);
        s->Left += op->Remaining - 1;
        return null;
    }

    /// <summary>IRET, IRETD, IRETQ: the operand size in bytes is the immediate.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* InterruptReturn(CpuState* s, Op* op)
    {
        Processor cpu = Processor.Of(s);
        long retired = Flow.RetiredBefore(s, op) + 1;
        bool done = cpu.InterruptReturn((int)op->Immediate);
        if (done)
        {
            cpu.NoteReturn(retired);
        }

        return Finish(s, op, done);
    }

    /// <summary>Far RET: the operand size in bytes is in Source, what to release beyond it in the immediate.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* FarReturn(CpuState* s, Op* op) =>
        Finish(s, op, Processor.Of(s).FarReturn(op->Source, (int)op->Immediate));

    /// <summary>Far JMP through memory; the offset's size in bytes is in Source.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* FarJump(CpuState* s, Op* op)
    {
        if (!TryReadFarPointer(s, op, op->Source, out ushort selector, out ulong offset))
        {
            return null;
        }

        return Finish(s, op, Processor.Of(s).FarJump(selector, offset));
    }

    /// <summary>Far CALL through memory; the offset's size in bytes is in Source, that of each word pushed in Destination.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* FarCall(CpuState* s, Op* op)
    {
        if (!TryReadFarPointer(s, op, op->Source, out ushort selector, out ulong offset))
        {
            return null;
        }

        return Finish(s, op, Processor.Of(s).FarCall(selector, offset, Op.NextIpOf(op), op->Destination));
    }

    /// <summary>Far JMP with the pointer in the instruction: selector in Destination, offset in the immediate.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* FarJumpDirect(CpuState* s, Op* op) =>
        Finish(s, op, Processor.Of(s).FarJump(op->Destination, (ulong)op->Immediate));

    /// <summary>Far CALL with the pointer in the instruction.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* FarCallDirect(CpuState* s, Op* op) =>
        Finish(s, op, Processor.Of(s).FarCall(op->Destination, (ulong)op->Immediate, Op.NextIpOf(op), op->Source));

    /// <summary>MOV to a segment register, whose index is in Destination.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* LoadSegment<TSource>(CpuState* s, Op* op)
        where TSource : struct, ISource
    {
        byte* p = TSource.Pointer<ushort>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        if (!Processor.Of(s).TryLoadSegment(op->Destination, *(ushort*)p))
        {
            return Flow.StopBefore(s, op);
        }

        if (op->Destination != Segment.Ss)
        {
            return op + 1;
        }

        s->InterruptShadow = CpuState.StackSegmentShadow;
        s->ExitRequest = 1;
        return Flow.StopAfter(s, op);
    }

    /// <summary>MOV from a segment register to a register, T wide and zero-extended.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* StoreSegment<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        Registers.Write<T>(s, op->Destination, s->Segments[op->Source].Selector);
        return op + 1;
    }

    /// <summary>MOV from a segment register to memory.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* StoreSegmentToMemory(CpuState* s, Op* op) =>
        MemoryAccess.SlowStore(s, op, AnyAddress.Of(s, op), s->Segments[op->Source].Selector, 2) ? op + 1 : null;

    /// <summary>LDS, LES, LFS, LGS, LSS: the register is in Destination, the segment's index in the immediate, T the offset's width.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* LoadFarPointer<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        if (!TryReadFarPointer(s, op, sizeof(T), out ushort selector, out ulong offset))
        {
            return null;
        }

        if (!Processor.Of(s).TryLoadSegment((int)op->Immediate, selector))
        {
            return Flow.StopBefore(s, op);
        }

        Registers.Write<T>(s, op->Destination, offset);
        return op + 1;
    }

    /// <summary>LAR, LSL, VERR, VERW; which one is the immediate (0 to 3), T the width of the destination.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ExamineSelector<T, TSource>(CpuState* s, Op* op)
        where T : unmanaged
        where TSource : struct, ISource
    {
        byte* p = TSource.Pointer<ushort>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        if (!Processor.Of(s).TryExamineSelector((int)op->Immediate, *(ushort*)p, out bool valid, out uint result))
        {
            return Flow.StopBefore(s, op);
        }

        uint kept = LazyFlags.Status(s) & ~Rflags.ZF;
        LazyFlags.SetStatus(s, kept | (valid ? Rflags.ZF : 0));
        if (valid && op->Immediate < 2)
        {
            Registers.Write<T>(s, op->Destination, result);
        }

        return op + 1;
    }

    /// <summary>Reads a pointer of an offset, <paramref name="size"/> bytes, and a selector: two operands, each with its own alignment.</summary>
    private static bool TryReadFarPointer(CpuState* s, Op* op, int size, out ushort selector, out ulong offset)
    {
        selector = 0;
        ulong address = AnyAddress.Of(s, op);
        byte* p = MemoryAccess.SlowLoad(s, op, address, size);
        offset = p == null ? 0 : size switch { 2 => *(ushort*)p, 4 => *(uint*)p, _ => *(ulong*)p };
        if (p == null)
        {
            return false;
        }

        p = MemoryAccess.SlowLoad(s, op, address + (ulong)size, 2);
        selector = p == null ? (ushort)0 : *(ushort*)p;
        return p != null;
    }

    /// <summary>Ends the block after a transfer that has set RIP itself, or before it with the fault that it met.</summary>
    private static Op* Finish(CpuState* s, Op* op, bool done)
    {
        if (!done)
        {
            return Flow.StopBefore(s, op);
        }

        s->Left += op->Remaining - 1;
        s->ExitRequest = 1;
        return null;
    }
}
