using Iced.Intel;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Binding;

/// <content>System instructions and transfers between segments and privileges.</content>
internal static unsafe partial class OpBinder
{
    private static BindResult BindSystem(in Instruction i, Op* op, int mode)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Lfence or Mnemonic.Mfence or Mnemonic.Sfence or Mnemonic.Invd or Mnemonic.Wbinvd:
                return Simple(op, &SystemOps.Nothing);
            case Mnemonic.Hlt: return Ending(op, &SystemOps.Halt);
            case Mnemonic.Cli: return Simple(op, &SystemOps.ClearInterrupts);
            case Mnemonic.Sti: return Simple(op, &SystemOps.SetInterrupts);
            case Mnemonic.Clc: return WithImmediate(op, 0, &SystemOps.ChangeCarry);
            case Mnemonic.Stc: return WithImmediate(op, 1, &SystemOps.ChangeCarry);
            case Mnemonic.Cmc: return WithImmediate(op, 2, &SystemOps.ChangeCarry);
            case Mnemonic.Cld: return WithImmediate(op, 0, &SystemOps.ChangeDirection);
            case Mnemonic.Std: return WithImmediate(op, 1, &SystemOps.ChangeDirection);
            case Mnemonic.Clac: return WithImmediate(op, 0, &SystemOps.ChangeAlignmentCheck);
            case Mnemonic.Stac: return WithImmediate(op, 1, &SystemOps.ChangeAlignmentCheck);
            case Mnemonic.Lahf: return Simple(op, &SystemOps.LoadFlagsIntoAh);
            case Mnemonic.Sahf: return Simple(op, &SystemOps.StoreAhIntoFlags);
            case Mnemonic.Clts:
                op->Handler = &SystemOps.ClearTaskSwitched;
                return BindResult.EndWithFallThrough;
            case Mnemonic.Rdtsc: return WithImmediate(op, 0, &SystemOps.ReadTimestamp);
            case Mnemonic.Rdtscp: return WithImmediate(op, 1, &SystemOps.ReadTimestamp);
            case Mnemonic.Rdpmc: return Simple(op, &SystemOps.ReadPerformanceCounter);
            case Mnemonic.Cpuid: return Simple(op, &SystemOps.Identify);
            case Mnemonic.Rdmsr: return Simple(op, &SystemOps.ReadMsr);
            case Mnemonic.Wrmsr: return Simple(op, &SystemOps.WriteMsr);
            case Mnemonic.Swapgs: return Simple(op, &SystemOps.SwapGs);
            case Mnemonic.Syscall: return Ending(op, &ControlTransfer.Syscall);
            case Mnemonic.Sysret: return Ending(op, &ControlTransfer.Sysret);
            case Mnemonic.Sysretq:
                op->Immediate = 1;
                return Ending(op, &ControlTransfer.Sysret);
            case Mnemonic.Int:
                op->Immediate = (long)(i.GetImmediate(0) & 0xFF);
                return Ending(op, &ControlTransfer.SoftwareInterrupt);
            case Mnemonic.Int3:
                op->Immediate = Vector.Breakpoint;
                return Ending(op, &ControlTransfer.SoftwareInterrupt);
            case Mnemonic.Int1:
                return Ending(op, &ControlTransfer.DebugInterrupt);
            case Mnemonic.Into:
                op->Immediate = Vector.Overflow;
                op->Handler = &ControlTransfer.SoftwareInterrupt;
                return BindResult.EndWithFallThrough;
            case Mnemonic.Iret: return BindInterruptReturn(op, 2);
            case Mnemonic.Iretd: return BindInterruptReturn(op, 4);
            case Mnemonic.Iretq: return BindInterruptReturn(op, 8);
            case Mnemonic.Retf: return BindFarReturn(i, op);
            case Mnemonic.Jmp: return BindFar(i, op, mode, call: false);
            case Mnemonic.Call: return BindFar(i, op, mode, call: true);
            case Mnemonic.In: return BindPortInput(i, op);
            case Mnemonic.Out: return BindPortOutput(i, op);
            case Mnemonic.Mov: return BindSystemMove(i, op, mode);
            case Mnemonic.Lgdt: return BindMemory(i, op, mode, 0, &SystemOps.LoadTable);
            case Mnemonic.Lidt: return BindMemory(i, op, mode, 1, &SystemOps.LoadTable);
            case Mnemonic.Sgdt: return BindMemory(i, op, mode, 0, &SystemOps.StoreTable);
            case Mnemonic.Sidt: return BindMemory(i, op, mode, 1, &SystemOps.StoreTable);
            case Mnemonic.Invlpg: return BindMemory(i, op, mode, 0, &SystemOps.InvalidatePage);
            case Mnemonic.Clflush: return BindMemory(i, op, mode, 0, &SystemOps.TouchForReading);
            case Mnemonic.Sldt: return BindStoreWord(i, op, mode, 0, &SystemOps.StoreSystemSelector);
            case Mnemonic.Str: return BindStoreWord(i, op, mode, 1, &SystemOps.StoreSystemSelector);
            case Mnemonic.Smsw: return BindStoreWord(i, op, mode, 0, &SystemOps.StoreMachineStatus);
            case Mnemonic.Lldt: return BindLoadSelector(i, op, mode, 0);
            case Mnemonic.Ltr: return BindLoadSelector(i, op, mode, 1);
            case Mnemonic.Lmsw:
                op->Handler = SetSource(i, 0, op, mode) ? &SystemOps.LoadMachineStatus<MemorySource<AnyAddress>> : &SystemOps.LoadMachineStatus<RegisterSource>;
                return BindResult.EndWithFallThrough;
            case Mnemonic.Lar: return BindExamine(i, op, mode, 0, 1);
            case Mnemonic.Lsl: return BindExamine(i, op, mode, 1, 1);
            case Mnemonic.Verr: return BindExamine(i, op, mode, 2, 0);
            case Mnemonic.Verw: return BindExamine(i, op, mode, 3, 0);
            case Mnemonic.Lfs: return BindFarPointer(i, op, mode, Segment.Fs);
            case Mnemonic.Lgs: return BindFarPointer(i, op, mode, Segment.Gs);
            case Mnemonic.Lss: return BindFarPointer(i, op, mode, Segment.Ss);
            case Mnemonic.Lds: return BindFarPointer(i, op, mode, Segment.Ds);
            case Mnemonic.Les: return BindFarPointer(i, op, mode, Segment.Es);
            case Mnemonic.Rdfsbase or Mnemonic.Rdgsbase:
                op->Source = (ushort)(i.Mnemonic == Mnemonic.Rdfsbase ? Segment.Fs : Segment.Gs);
                op->Destination = OperandBinder.Offset(i.Op0Register);
                return Simple(op, i.Op0Register.GetSize() == 8 ? &SystemOps.ReadSegmentBase<ulong> : &SystemOps.ReadSegmentBase<uint>);
            case Mnemonic.Wrfsbase or Mnemonic.Wrgsbase:
                op->Destination = (ushort)(i.Mnemonic == Mnemonic.Wrfsbase ? Segment.Fs : Segment.Gs);
                op->Source = OperandBinder.Offset(i.Op0Register);
                return Simple(op, i.Op0Register.GetSize() == 8 ? &SystemOps.WriteSegmentBase<ulong> : &SystemOps.WriteSegmentBase<uint>);
            default:
                return BindResult.Undefined;
        }
    }

    private static BindResult Ending(Op* op, delegate*<CpuState*, Op*, Op*> handler)
    {
        op->Handler = handler;
        return BindResult.End;
    }

    private static BindResult WithImmediate(Op* op, long value, delegate*<CpuState*, Op*, Op*> handler)
    {
        op->Immediate = value;
        return Simple(op, handler);
    }

    private static BindResult BindMemory(in Instruction i, Op* op, int mode, long immediate, delegate*<CpuState*, Op*, Op*> handler)
    {
        OperandBinder.SetMemory(i, op, mode);
        return WithImmediate(op, immediate, handler);
    }

    private static BindResult BindStoreWord(in Instruction i, Op* op, int mode, long immediate, delegate*<CpuState*, Op*, Op*> handler)
    {
        if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
        }
        else
        {
            op->Destination = OperandBinder.Offset(i.Op0Register);
            op->Source = (ushort)i.Op0Register.GetSize();
        }

        return WithImmediate(op, immediate, handler);
    }

    private static BindResult BindLoadSelector(in Instruction i, Op* op, int mode, ushort which)
    {
        op->Handler = SetSource(i, 0, op, mode) ? &SystemOps.LoadSystemSelector<MemorySource<AnyAddress>> : &SystemOps.LoadSystemSelector<RegisterSource>;
        op->Destination = which;
        return BindResult.Continue;
    }

    private static BindResult BindExamine(in Instruction i, Op* op, int mode, long which, int source)
    {
        int size = source == 1 ? i.Op0Register.GetSize() : 2;
        op->Destination = source == 1 ? OperandBinder.Offset(i.Op0Register) : (ushort)0;
        op->Immediate = which;
        op->Handler = SetSource(i, source, op, mode)
            ? Pick(size, null, &ControlTransfer.ExamineSelector<ushort, MemorySource<AnyAddress>>, &ControlTransfer.ExamineSelector<uint, MemorySource<AnyAddress>>, &ControlTransfer.ExamineSelector<ulong, MemorySource<AnyAddress>>)
            : Pick(size, null, &ControlTransfer.ExamineSelector<ushort, RegisterSource>, &ControlTransfer.ExamineSelector<uint, RegisterSource>, &ControlTransfer.ExamineSelector<ulong, RegisterSource>);
        return BindResult.Continue;
    }

    private static BindResult BindFarPointer(in Instruction i, Op* op, int mode, int segment)
    {
        OperandBinder.SetMemory(i, op, mode);
        op->Destination = OperandBinder.Offset(i.Op0Register);
        op->Immediate = segment;
        op->Handler = Pick(i.Op0Register.GetSize(), null, &ControlTransfer.LoadFarPointer<ushort>, &ControlTransfer.LoadFarPointer<uint>, &ControlTransfer.LoadFarPointer<ulong>);
        return BindResult.Continue;
    }

    private static BindResult BindInterruptReturn(Op* op, int size)
    {
        op->Immediate = size;
        return Ending(op, &ControlTransfer.InterruptReturn);
    }

    private static BindResult BindFarReturn(in Instruction i, Op* op)
    {
        op->Source = (ushort)(i.Code switch
        {
            Code.Retfw or Code.Retfw_imm16 => 2,
            Code.Retfd or Code.Retfd_imm16 => 4,
            _ => 8,
        });
        op->Immediate = i.OpCount == 1 ? (long)i.GetImmediate(0) : 0;
        return Ending(op, &ControlTransfer.FarReturn);
    }

    private static BindResult BindFar(in Instruction i, Op* op, int mode, bool call)
    {
        if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Source = op->Destination = (ushort)(i.MemorySize.GetSize() - 2);
            return Ending(op, call ? &ControlTransfer.FarCall : &ControlTransfer.FarJump);
        }

        op->Destination = i.FarBranchSelector;
        op->Immediate = i.Op0Kind == OpKind.FarBranch16 ? i.FarBranch16 : i.FarBranch32;
        op->Source = (ushort)(i.Op0Kind == OpKind.FarBranch16 ? 2 : 4);
        return Ending(op, call ? &ControlTransfer.FarCallDirect : &ControlTransfer.FarJumpDirect);
    }

    private static BindResult BindPortInput(in Instruction i, Op* op)
    {
        op->Immediate = i.Op1Kind == OpKind.Register ? -1 : (long)(i.GetImmediate(1) & 0xFF);
        op->Handler = Pick(i.Op0Register.GetSize(), &SystemOps.PortInput<byte>, &SystemOps.PortInput<ushort>, &SystemOps.PortInput<uint>, null);
        return BindResult.Continue;
    }

    private static BindResult BindPortOutput(in Instruction i, Op* op)
    {
        op->Immediate = i.Op0Kind == OpKind.Register ? -1 : (long)(i.GetImmediate(0) & 0xFF);
        op->Handler = Pick(i.Op1Register.GetSize(), &SystemOps.PortOutput<byte>, &SystemOps.PortOutput<ushort>, &SystemOps.PortOutput<uint>, null);
        return BindResult.Continue;
    }

    private static BindResult BindSystemMove(in Instruction i, Op* op, int mode)
    {
        Register to = i.Op0Kind == OpKind.Register ? i.Op0Register : Register.None;
        Register from = i.Op1Kind == OpKind.Register ? i.Op1Register : Register.None;
        if (to.IsSegmentRegister())
        {
            op->Handler = SetSource(i, 1, op, mode) ? &ControlTransfer.LoadSegment<MemorySource<AnyAddress>> : &ControlTransfer.LoadSegment<RegisterSource>;
            op->Destination = (ushort)OperandBinder.SegmentIndex(to);
            return to == Register.SS ? BindResult.EndWithFallThrough : to == Register.CS ? BindResult.Undefined : BindResult.Continue;
        }

        if (from.IsSegmentRegister())
        {
            op->Source = (ushort)OperandBinder.SegmentIndex(from);
            if (i.Op0Kind == OpKind.Memory)
            {
                OperandBinder.SetMemory(i, op, mode);
                return Simple(op, &ControlTransfer.StoreSegmentToMemory);
            }

            op->Destination = OperandBinder.Offset(to);
            return Simple(op, Pick(to.GetSize(), null, &ControlTransfer.StoreSegment<ushort>, &ControlTransfer.StoreSegment<uint>, &ControlTransfer.StoreSegment<ulong>));
        }

        if (from.IsCR() || from.IsDR())
        {
            op->Destination = OperandBinder.Offset(to);
            op->Source = (ushort)from.GetNumber();
            bool valid = from.IsDR() ? op->Source < 8 : op->Source is 0 or 2 or 3 or 4 or 8;
            return !valid ? BindResult.Undefined : Simple(op, from.IsCR() ? &SystemOps.ReadControl : &SystemOps.ReadDebug);
        }

        if (to.IsCR() || to.IsDR())
        {
            op->Source = OperandBinder.Offset(from);
            op->Destination = (ushort)to.GetNumber();
            bool valid = to.IsDR() ? op->Destination < 8 : op->Destination is 0 or 2 or 3 or 4 or 8;
            op->Handler = to.IsCR() ? &SystemOps.WriteControl : &SystemOps.WriteDebug;
            return !valid ? BindResult.Undefined : BindResult.EndWithFallThrough;
        }

        return BindResult.Undefined;
    }
}
