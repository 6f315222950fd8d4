using Iced.Intel;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Binding;

/// <content>Stack and string instructions.</content>
internal static unsafe partial class OpBinder
{
    private static BindResult BindStack(in Instruction i, Op* op, int mode)
    {
        bool long64 = (mode & BlockMode.SizeMask) == BlockMode.Code64;
        switch (i.Mnemonic)
        {
            case Mnemonic.Push: return BindPush(i, op, mode, long64);
            case Mnemonic.Pop: return BindPop(i, op, mode, long64);
            case Mnemonic.Pusha: return Simple(op, &Stack.PushAll<ushort>);
            case Mnemonic.Pushad: return Simple(op, &Stack.PushAll<uint>);
            case Mnemonic.Popa: return Simple(op, &Stack.PopAll<ushort>);
            case Mnemonic.Popad: return Simple(op, &Stack.PopAll<uint>);
            case Mnemonic.Pushf: return Simple(op, &Stack.PushFlags<ushort>);
            case Mnemonic.Pushfd: return Simple(op, &Stack.PushFlags<uint>);
            case Mnemonic.Pushfq: return Simple(op, &Stack.PushFlags<ulong>);
            case Mnemonic.Popf: return Simple(op, &Stack.PopFlags<ushort>);
            case Mnemonic.Popfd: return Simple(op, &Stack.PopFlags<uint>);
            case Mnemonic.Popfq: return Simple(op, &Stack.PopFlags<ulong>);
            case Mnemonic.Leave:
                op->Handler = i.Code switch { Code.Leavew => &Stack.Leave<ushort>, Code.Leaved => &Stack.Leave<uint>, _ => &Stack.Leave<ulong> };
                return BindResult.Continue;
            case Mnemonic.Enter:
                op->Immediate = (long)i.GetImmediate(0);
                op->Source = (ushort)i.GetImmediate(1);
                op->Handler = i.Code switch { Code.Enterw_imm16_imm8 => &Stack.Enter<ushort>, Code.Enterd_imm16_imm8 => &Stack.Enter<uint>, _ => &Stack.Enter<ulong> };
                return BindResult.Continue;
            default:
                return BindResult.Undefined;
        }
    }

    private static int StackOperandSize(in Instruction i) => Math.Abs(i.StackPointerIncrement);

    private static BindResult BindPush(in Instruction i, Op* op, int mode, bool long64)
    {
        int size = StackOperandSize(i);
        if (i.Op0Kind == OpKind.Register && i.Op0Register.IsSegmentRegister())
        {
            op->Source = (ushort)OperandBinder.SegmentIndex(i.Op0Register);
            op->Handler = Pick(size, null, &Stack.PushSegment<ushort>, &Stack.PushSegment<uint>, &Stack.PushSegment<ulong>);
        }
        else if (i.Op0Kind == OpKind.Register)
        {
            op->Source = OperandBinder.Offset(i.Op0Register);
            op->Base = Registers.Rsp * 8;
            op->Handler = long64 && size == 8
                ? &Stack.Push64<RegisterSource>
                : Pick(size, null, &Stack.Push<ushort, RegisterSource>, &Stack.Push<uint, RegisterSource>, &Stack.Push<ulong, RegisterSource>);
        }
        else if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Handler = Pick(size, null, &Stack.Push<ushort, MemorySource<AnyAddress>>, &Stack.Push<uint, MemorySource<AnyAddress>>, &Stack.Push<ulong, MemorySource<AnyAddress>>);
        }
        else
        {
            op->Immediate = (long)i.GetImmediate(0);
            op->Base = Registers.Rsp * 8;
            op->Handler = long64 && size == 8
                ? &Stack.Push64<ImmediateSource>
                : Pick(size, null, &Stack.Push<ushort, ImmediateSource>, &Stack.Push<uint, ImmediateSource>, &Stack.Push<ulong, ImmediateSource>);
        }

        return BindResult.Continue;
    }

    private static BindResult BindPop(in Instruction i, Op* op, int mode, bool long64)
    {
        int size = StackOperandSize(i);
        if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Handler = Pick(size, null, &Stack.PopMemory<ushort>, &Stack.PopMemory<uint>, &Stack.PopMemory<ulong>);
            return BindResult.Continue;
        }

        op->Base = Registers.Rsp * 8;
        if (i.Op0Register.IsSegmentRegister())
        {
            op->Destination = (ushort)OperandBinder.SegmentIndex(i.Op0Register);
            op->Handler = Pick(size, null, &Stack.PopSegment<ushort>, &Stack.PopSegment<uint>, &Stack.PopSegment<ulong>);
            return BindResult.EndWithFallThrough;
        }

        op->Destination = OperandBinder.Offset(i.Op0Register);
        op->Handler = long64 && size == 8
            ? &Stack.Pop64
            : Pick(size, null, &Stack.PopRegister<ushort>, &Stack.PopRegister<uint>, &Stack.PopRegister<ulong>);
        return BindResult.Continue;
    }

    private static BindResult BindString(in Instruction i, Op* op, int mode)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Movsb: return String(i, op, mode, &Strings.Move<byte>);
            case Mnemonic.Movsw: return String(i, op, mode, &Strings.Move<ushort>);
            case Mnemonic.Movsd: return String(i, op, mode, &Strings.Move<uint>);
            case Mnemonic.Movsq: return String(i, op, mode, &Strings.Move<ulong>);
            case Mnemonic.Stosb: return String(i, op, mode, &Strings.Fill<byte>);
            case Mnemonic.Stosw: return String(i, op, mode, &Strings.Fill<ushort>);
            case Mnemonic.Stosd: return String(i, op, mode, &Strings.Fill<uint>);
            case Mnemonic.Stosq: return String(i, op, mode, &Strings.Fill<ulong>);
            case Mnemonic.Lodsb: return String(i, op, mode, &Strings.LoadElements<byte>);
            case Mnemonic.Lodsw: return String(i, op, mode, &Strings.LoadElements<ushort>);
            case Mnemonic.Lodsd: return String(i, op, mode, &Strings.LoadElements<uint>);
            case Mnemonic.Lodsq: return String(i, op, mode, &Strings.LoadElements<ulong>);
            case Mnemonic.Scasb: return String(i, op, mode, &Strings.Scan<byte>);
            case Mnemonic.Scasw: return String(i, op, mode, &Strings.Scan<ushort>);
            case Mnemonic.Scasd: return String(i, op, mode, &Strings.Scan<uint>);
            case Mnemonic.Scasq: return String(i, op, mode, &Strings.Scan<ulong>);
            case Mnemonic.Cmpsb: return String(i, op, mode, &Strings.Compare<byte>);
            case Mnemonic.Cmpsw: return String(i, op, mode, &Strings.Compare<ushort>);
            case Mnemonic.Cmpsd: return String(i, op, mode, &Strings.Compare<uint>);
            case Mnemonic.Cmpsq: return String(i, op, mode, &Strings.Compare<ulong>);
            case Mnemonic.Insb: return String(i, op, mode, &Strings.Input<byte>);
            case Mnemonic.Insw: return String(i, op, mode, &Strings.Input<ushort>);
            case Mnemonic.Insd: return String(i, op, mode, &Strings.Input<uint>);
            case Mnemonic.Outsb: return String(i, op, mode, &Strings.Output<byte>);
            case Mnemonic.Outsw: return String(i, op, mode, &Strings.Output<ushort>);
            case Mnemonic.Outsd: return String(i, op, mode, &Strings.Output<uint>);
            default: return BindResult.Undefined;
        }
    }

    private static BindResult String(in Instruction i, Op* op, int mode, delegate*<CpuState*, Op*, Op*> handler)
    {
        OperandBinder.SetString(i, op, mode, StringAddressWidth(i));
        op->Bits |= i.HasRepnePrefix ? OpBits.RepeatNotEqual : i.HasRepePrefix ? OpBits.Repeat : (byte)0;
        op->Handler = handler;
        return BindResult.Continue;
    }

    private static int StringAddressWidth(in Instruction i)
    {
        for (int n = 0; n < i.OpCount; n++)
        {
            switch (i.GetOpKind(n))
            {
                case OpKind.MemorySegSI or OpKind.MemorySegDI or OpKind.MemoryESDI: return 2;
                case OpKind.MemorySegESI or OpKind.MemorySegEDI or OpKind.MemoryESEDI: return 4;
                case OpKind.MemorySegRSI or OpKind.MemorySegRDI or OpKind.MemoryESRDI: return 8;
                default: break;
            }
        }

        return 8;
    }
}
