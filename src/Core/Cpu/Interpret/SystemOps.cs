using System.Runtime.CompilerServices;
using KprobeTrace.Cpu.Blocks;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;

namespace KprobeTrace.Cpu.Interpret;

/// <summary>Privileged and mode-changing instructions: control registers, descriptor tables, MSRs, time, halt, flags.</summary>
internal static unsafe class SystemOps
{
    /// <summary>NOP, PAUSE, PREFETCH, fences, INVD, WBINVD: nothing that this processor's guest could observe.</summary>
    [System.Runtime.CompilerServices.MethodImpl(Flow.Hot)]
    public static Op* Nothing(CpuState* s, Op* op) => Flow.Next(s, op);

    /// <summary>CLFLUSH: touches its operand for reading.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* TouchForReading(CpuState* s, Op* op) =>
        MemoryAccess.Load<byte>(s, op, AnyAddress.Of(s, op)) == null ? null : op + 1;

    /// <summary>Raises #UD: an instruction that is undefined, undeclared or not valid here.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Undefined(CpuState* s, Op* op)
    {
        Processor.Of(s).ReportUndefined(op);
        return Flow.Fault(s, op, Vector.InvalidOpcode);
    }

    /// <summary>Raises #GP(0): an instruction that is too long, or privileged where CPL is not 0.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* GeneralProtection(CpuState* s, Op* op) => Flow.Fault(s, op, Vector.GeneralProtection);

    /// <summary>HLT retires, then waits.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Halt(CpuState* s, Op* op)
    {
        s->Halted = 1;
        s->ExitRequest = 1;
        return Flow.StopAfter(s, op);
    }

    /// <summary>CLI.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ClearInterrupts(CpuState* s, Op* op)
    {
        s->SystemFlags &= ~(ulong)Rflags.IF;
        return op + 1;
    }

    /// <summary>STI: interrupts are taken after the instruction that follows.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* SetInterrupts(CpuState* s, Op* op)
    {
        if ((s->SystemFlags & Rflags.IF) == 0)
        {
            s->SystemFlags |= Rflags.IF;
            s->InterruptShadow = 1;
            s->ExitRequest = 1;
        }

        return op + 1;
    }

    /// <summary>CLC, STC, CMC: the immediate is the bit's new value, or 2 to complement it.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ChangeCarry(CpuState* s, Op* op)
    {
        LazyFlags.SetCarry(s, op->Immediate == 2 ? !LazyFlags.Carry(s) : op->Immediate != 0);
        return op + 1;
    }

    /// <summary>CLD, STD: the immediate is the bit's new value.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ChangeDirection(CpuState* s, Op* op)
    {
        s->SystemFlags = op->Immediate != 0 ? s->SystemFlags | Rflags.DF : s->SystemFlags & ~(ulong)Rflags.DF;
        return op + 1;
    }

    /// <summary>CLAC, STAC: the immediate is the bit's new value.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ChangeAlignmentCheck(CpuState* s, Op* op)
    {
        s->SystemFlags = op->Immediate != 0 ? s->SystemFlags | Rflags.AC : s->SystemFlags & ~(ulong)Rflags.AC;
        Processor.Of(s).UpdateMode();
        return op + 1;
    }

    /// <summary>LAHF.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* LoadFlagsIntoAh(CpuState* s, Op* op)
    {
        *((byte*)s + 1) = (byte)(LazyFlags.Status(s) | Rflags.Fixed);
        return op + 1;
    }

    /// <summary>SAHF.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* StoreAhIntoFlags(CpuState* s, Op* op)
    {
        uint overflow = LazyFlags.Overflow(s) ? Rflags.OF : 0;
        LazyFlags.SetStatus(s, *((byte*)s + 1) | overflow);
        return op + 1;
    }

    /// <summary>What POPF does with the value it read; the stack pointer has moved already.</summary>
    public static Op* ChangeFlags(CpuState* s, Op* op, ulong value, int size)
    {
        ulong mask = Rflags.Status | Rflags.DF | Rflags.TF | Rflags.NT | Rflags.AC | Rflags.ID;
        if (s->Cpl <= s->IoPrivilege)
        {
            mask |= Rflags.IF;
        }

        if (s->Cpl == 0)
        {
            mask |= Rflags.IOPL;
        }

        if (size == 2)
        {
            mask &= 0xFFFF;
        }

        ulong old = LazyFlags.Get(s);
        ulong flags = (old & ~mask & ~(ulong)Rflags.RF) | (value & mask);
        LazyFlags.Set(s, flags);
        if (((old ^ flags) & Rflags.AC) != 0)
        {
            Processor.Of(s).UpdateMode();
        }

        if ((flags & Rflags.TF) != 0 || ((flags & Rflags.IF) != 0 && s->InterruptPending != 0))
        {
            s->ExitRequest = 1;
        }

        return op + 1;
    }

    /// <summary>MOV from CRn; the register's number is in Source.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ReadControl(CpuState* s, Op* op)
    {
        ulong value = op->Source switch
        {
            0 => s->Cr0,
            2 => s->Cr2,
            3 => s->Cr3,
            4 => s->Cr4,
            _ => Processor.Of(s).Bus.TaskPriority,
        };
        WriteNative(s, op->Destination, value);
        return op + 1;
    }

    /// <summary>MOV to CRn; the register's number is in Destination.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* WriteControl(CpuState* s, Op* op)
    {
        Processor cpu = Processor.Of(s);
        ulong value = s->In64BitCode ? *(ulong*)((byte*)s + op->Source) : *(uint*)((byte*)s + op->Source);
        bool accepted = op->Destination switch
        {
            0 => cpu.TryWriteCr0(value),
            2 => WriteCr2(s, value),
            3 => TryWriteCr3(s, cpu, value),
            4 => TryWriteCr4(s, cpu, value),
            _ => TryWriteCr8(cpu, value),
        };
        if (!accepted)
        {
            return Flow.Fault(s, op, Vector.GeneralProtection);
        }

        s->ExitRequest = 1;
        return Flow.StopAfter(s, op);
    }

    /// <summary>CLTS.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ClearTaskSwitched(CpuState* s, Op* op)
    {
        s->Cr0 &= ~Cr0.TS;

        // What follows in the block was decoded for the mode before, so it must be left here and not gone on with.
        Processor.Of(s).UpdateMode();
        s->ExitRequest = 1;
        return Flow.StopAfter(s, op);
    }

    /// <summary>SMSW to a register, T wide; the memory form stores 16 bits.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* StoreMachineStatus(CpuState* s, Op* op)
    {
        return StoreWord(s, op, s->Cr0);
    }

    /// <summary>LMSW: the low four bits of CR0; PE can be set but not cleared.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* LoadMachineStatus<TSource>(CpuState* s, Op* op)
        where TSource : struct, ISource
    {
        byte* p = TSource.Pointer<ushort>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        ulong low = *(ushort*)p & 0xFUL;
        Processor.Of(s).TryWriteCr0((s->Cr0 & ~0xEUL) | low);
        s->ExitRequest = 1;
        return Flow.StopAfter(s, op);
    }

    /// <summary>MOV from DRn; the register's number is in Source.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ReadDebug(CpuState* s, Op* op)
    {
        int number = DebugRegister(s, op->Source);
        if (number < 0)
        {
            return Undefined(s, op);
        }

        if ((s->Dr[7] & (1 << 13)) != 0)
        {
            return GeneralDetect(s, op);
        }

        WriteNative(s, op->Destination, s->Dr[number]);
        return op + 1;
    }

    /// <summary>MOV to DRn; the register's number is in Destination.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* WriteDebug(CpuState* s, Op* op)
    {
        int number = DebugRegister(s, op->Destination);
        if (number < 0)
        {
            return Undefined(s, op);
        }

        if ((s->Dr[7] & (1 << 13)) != 0)
        {
            return GeneralDetect(s, op);
        }

        ulong value = *(ulong*)((byte*)s + op->Source);
        if (number >= 6 && value >> 32 != 0)
        {
            return Flow.Fault(s, op, Vector.GeneralProtection);
        }

        s->Dr[number] = number switch
        {
            6 => (value & 0xE00F) | 0xFFFF0FF0,
            7 => (value & 0xFFFF2BFF) | 0x400,
            _ => value,
        };
        Processor.Of(s).UpdateBreakpoints();
        s->ExitRequest = 1;
        return Flow.StopAfter(s, op);
    }

    /// <summary>RDTSC and, with the immediate 1, RDTSCP.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ReadTimestamp(CpuState* s, Op* op)
    {
        ulong tsc = (ulong)(Flow.RetiredBefore(s, op) + s->IdleTime + s->TscOffset);
        s->R[Registers.Rax] = (uint)tsc;
        s->R[Registers.Rdx] = tsc >> 32;
        if (op->Immediate != 0)
        {
            s->R[Registers.Rcx] = (uint)s->TscAux;
        }

        return op + 1;
    }

    /// <summary>RDPMC: there is no counter to read.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ReadPerformanceCounter(CpuState* s, Op* op) => Flow.Fault(s, op, Vector.GeneralProtection);

    /// <summary>CPUID.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* Identify(CpuState* s, Op* op)
    {
        Processor cpu = Processor.Of(s);
        CpuIdentity.Leaf leaf = CpuIdentity.Read(s, (uint)s->R[Registers.Rax], (uint)s->R[Registers.Rcx], cpu.Index, cpu.Group.Count);
        s->R[Registers.Rax] = leaf.Eax;
        s->R[Registers.Rbx] = leaf.Ebx;
        s->R[Registers.Rcx] = leaf.Ecx;
        s->R[Registers.Rdx] = leaf.Edx;
        return op + 1;
    }

    /// <summary>RDMSR.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ReadMsr(CpuState* s, Op* op)
    {
        if (!Processor.Of(s).TryReadMsr(op, (uint)s->R[Registers.Rcx], out ulong value))
        {
            return Flow.Fault(s, op, Vector.GeneralProtection);
        }

        s->R[Registers.Rax] = (uint)value;
        s->R[Registers.Rdx] = value >> 32;
        return op + 1;
    }

    /// <summary>WRMSR.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* WriteMsr(CpuState* s, Op* op)
    {
        ulong value = (uint)s->R[Registers.Rax] | (s->R[Registers.Rdx] << 32);
        if (!Processor.Of(s).TryWriteMsr(op, (uint)s->R[Registers.Rcx], value))
        {
            return Flow.Fault(s, op, Vector.GeneralProtection);
        }

        s->ExitRequest = 1;
        return op + 1;
    }

    /// <summary>INVLPG; the operand's address is formed, never accessed.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* InvalidatePage(CpuState* s, Op* op)
    {
        // The page may be the one that this code runs in.
        Processor.Of(s).InvalidatePage(AnyAddress.Of(s, op));
        s->ExitRequest = 1;
        return op + 1;
    }

    /// <summary>LGDT and, with the immediate 1, LIDT.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* LoadTable(CpuState* s, Op* op)
    {
        ulong address = AnyAddress.Of(s, op);
        byte* p = s->In64BitCode ? MemoryAccess.SlowLoad(s, op, address, 10) : MemoryAccess.SlowLoad(s, op, address, 6);
        if (p == null)
        {
            return null;
        }

        uint limit = *(ushort*)p;
        ulong start = s->In64BitCode ? *(ulong*)(p + 2) : *(uint*)(p + 2);
        if (!PageWalker.IsCanonical(start))
        {
            return Flow.Fault(s, op, Vector.GeneralProtection);
        }

        if (op->Immediate != 0)
        {
            (s->IdtBase, s->IdtLimit) = (start, limit);
        }
        else
        {
            (s->GdtBase, s->GdtLimit) = (start, limit);
        }

        return op + 1;
    }

    /// <summary>SGDT and, with the immediate 1, SIDT.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* StoreTable(CpuState* s, Op* op)
    {
        byte* image = stackalloc byte[16];
        *(ushort*)image = (ushort)(op->Immediate != 0 ? s->IdtLimit : s->GdtLimit);
        *(ulong*)(image + 2) = op->Immediate != 0 ? s->IdtBase : s->GdtBase;
        return MemoryAccess.SlowStoreBytes(s, op, AnyAddress.Of(s, op), image, s->In64BitCode ? 10 : 6) ? op + 1 : null;
    }

    /// <summary>SLDT and, with the immediate 1, STR.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* StoreSystemSelector(CpuState* s, Op* op)
    {
        return StoreWord(s, op, op->Immediate != 0 ? s->Tr.Selector : s->Ldtr.Selector);
    }

    /// <summary>LLDT and, with the immediate 1, LTR.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* LoadSystemSelector<TSource>(CpuState* s, Op* op)
        where TSource : struct, ISource
    {
        byte* p = TSource.Pointer<ushort>(s, op);
        if (TSource.CanFault && p == null)
        {
            return null;
        }

        // The immediate is the operand itself when the source is an immediate, so the choice stands in Destination.
        Processor cpu = Processor.Of(s);
        bool ok = op->Destination != 0 ? cpu.TryLoadTaskRegister(*(ushort*)p) : cpu.TryLoadLdt(*(ushort*)p);
        return ok ? op + 1 : Flow.StopBefore(s, op);
    }

    /// <summary>SWAPGS.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* SwapGs(CpuState* s, Op* op)
    {
        (s->Segments.Gs.Base, s->KernelGsBase) = (s->KernelGsBase, s->Segments.Gs.Base);
        return op + 1;
    }

    /// <summary>RDFSBASE and RDGSBASE, T wide; the segment's index is in Source.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* ReadSegmentBase<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        Registers.Write<T>(s, op->Destination, s->Segments[op->Source].Base);
        return op + 1;
    }

    /// <summary>WRFSBASE and WRGSBASE, T wide; the segment's index is in Destination.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* WriteSegmentBase<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        ulong value = Registers.Read<T>(s, op->Source);
        if (!PageWalker.IsCanonical(value))
        {
            return Flow.Fault(s, op, Vector.GeneralProtection);
        }

        s->Segments[op->Destination].Base = value;
        return op + 1;
    }

    /// <summary>IN into rAX, T wide; the port is the immediate, or DX when that is negative.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PortInput<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        Processor cpu = Processor.Of(s);
        ushort port = op->Immediate < 0 ? (ushort)s->R[Registers.Rdx] : (ushort)op->Immediate;
        if (!cpu.MayAccessPort(port, sizeof(T)))
        {
            return Flow.StopBefore(s, op);
        }

        Registers.Write<T>(s, 0, cpu.ReadPort(op, port, sizeof(T)));
        return op + 1;
    }

    /// <summary>OUT from rAX, T wide; the port is the immediate, or DX when that is negative.</summary>
    [MethodImpl(Flow.Hot)]
    public static Op* PortOutput<T>(CpuState* s, Op* op)
        where T : unmanaged
    {
        Processor cpu = Processor.Of(s);
        ushort port = op->Immediate < 0 ? (ushort)s->R[Registers.Rdx] : (ushort)op->Immediate;
        if (!cpu.MayAccessPort(port, sizeof(T)))
        {
            return Flow.StopBefore(s, op);
        }

        cpu.WritePort(op, port, (uint)Registers.Read<T>(s, 0), sizeof(T));
        return op + 1;
    }

    /// <summary>Stores 16 bits to memory, or the whole value to a register of the width in <see cref="Op.Source"/>.</summary>
    private static Op* StoreWord(CpuState* s, Op* op, ulong value)
    {
        switch (op->Source)
        {
            case 0:
                return MemoryAccess.SlowStore(s, op, AnyAddress.Of(s, op), (ushort)value, 2) ? op + 1 : null;
            case 2:
                Registers.Write<ushort>(s, op->Destination, value);
                return op + 1;
            case 4:
                Registers.Write<uint>(s, op->Destination, value);
                return op + 1;
            default:
                Registers.Write<ulong>(s, op->Destination, value);
                return op + 1;
        }
    }

    private static bool WriteCr2(CpuState* s, ulong value)
    {
        s->Cr2 = value;
        return true;
    }

    private static bool TryWriteCr3(CpuState* s, Processor cpu, ulong value)
    {
        if (s->InLongMode && value >> PageWalker.PhysicalAddressBits != 0)
        {
            return false;
        }

        cpu.LoadCr3(value);
        return true;
    }

    private static bool TryWriteCr4(CpuState* s, Processor cpu, ulong value)
    {
        if ((value & ~Cr4.Implemented) != 0 || (s->InLongMode && (value & Cr4.PAE) == 0))
        {
            return false;
        }

        s->Cr4 = value;
        cpu.FlushTranslations();
        cpu.UpdateMode();
        return true;
    }

    private static bool TryWriteCr8(Processor cpu, ulong value)
    {
        if (value > 15)
        {
            return false;
        }

        cpu.Bus.TaskPriority = (uint)value;
        return true;
    }

    private static int DebugRegister(CpuState* s, int number) => number switch
    {
        4 or 5 => (s->Cr4 & Cr4.DE) != 0 ? -1 : number + 2,
        _ => number,
    };

    [MethodImpl(Flow.Hot)]
    private static Op* GeneralDetect(CpuState* s, Op* op)
    {
        Processor.Of(s).RecordDebugConditions(Processor.DebugGeneralDetect);
        s->Dr[7] &= ~Processor.DebugGeneralDetect;
        return Flow.Fault(s, op, Vector.Debug);
    }

    private static void WriteNative(CpuState* s, int offset, ulong value) =>
        *(ulong*)((byte*)s + offset) = s->In64BitCode ? value : (uint)value;
}
