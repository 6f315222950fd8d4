using Iced.Intel;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;
using unsafe Handler = delegate*<KprobeTrace.Cpu.State.CpuState*, KprobeTrace.Cpu.State.Op*, KprobeTrace.Cpu.State.Op*>;

namespace KprobeTrace.Cpu.Binding;

/// <content>Moves of MMX and SSE, single elements, masks, strings and state.</content>
internal static unsafe partial class OpBinder
{
    private static BindResult BindVectorMove(in Instruction i, Op* op, int mode)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Movaps or Mnemonic.Movapd or Mnemonic.Movdqa or Mnemonic.Movntdqa:
                return i.Op0Kind == OpKind.Memory ? BindVectorStore<Yes>(i, op, mode) : BindInlined<Sse.Move>(i, op, mode, null);
            case Mnemonic.Movntps or Mnemonic.Movntpd or Mnemonic.Movntdq:
                return BindVectorStore<Yes>(i, op, mode);
            case Mnemonic.Movups or Mnemonic.Movupd or Mnemonic.Movdqu or Mnemonic.Lddqu:
                if (i.Op0Kind == OpKind.Memory)
                {
                    return BindVectorStore<No>(i, op, mode);
                }

                op->Handler = SetLaneOperands(i, op, mode) == LaneSource.XmmRegister
                    ? &Sse.Inlined<Sse.Move, XmmRegister>
                    : &Sse.Inlined<Sse.Move, XmmMemory<Xmm>>;
                return BindResult.Continue;
            case Mnemonic.Movss:
                return i.Op0Kind == OpKind.Memory ? BindElementStore<uint>(i, op, mode, 0)
                    : i.Op1Kind == OpKind.Memory ? BindGeneralLoad<uint>(i, op, mode)
                    : BindLanes(i, op, mode, &MoveLanes.LowSingle, null);
            case Mnemonic.Movsd:
                return i.Op0Kind == OpKind.Memory ? BindElementStore<ulong>(i, op, mode, 0)
                    : i.Op1Kind == OpKind.Memory ? BindGeneralLoad<ulong>(i, op, mode)
                    : BindLanes(i, op, mode, &MoveLanes.LowDouble, null);
            case Mnemonic.Movlps or Mnemonic.Movlpd:
                return i.Op0Kind == OpKind.Memory
                    ? BindElementStore<ulong>(i, op, mode, 0)
                    : BindLanes(i, op, mode, &MoveLanes.LowDouble, null);
            case Mnemonic.Movhps or Mnemonic.Movhpd:
                return i.Op0Kind == OpKind.Memory
                    ? BindElementStore<ulong>(i, op, mode, 1)
                    : BindLanes(i, op, mode, &MoveLanes.LowToHigh, null);
            case Mnemonic.Movhlps: return BindLanes(i, op, mode, &MoveLanes.HighToLow, null);
            case Mnemonic.Movlhps: return BindLanes(i, op, mode, &MoveLanes.LowToHigh, null);
            case Mnemonic.Movd: return BindMoveLow<uint>(i, op, mode);
            case Mnemonic.Movq: return BindMoveLow<ulong>(i, op, mode);
            case Mnemonic.Movntq: return BindMmxStore<ulong>(i, op, mode);
            case Mnemonic.Movq2dq: return BindRegisters(i, op, &Mmx.ToXmm);
            case Mnemonic.Movdq2q: return BindRegisters(i, op, &Mmx.FromXmm);
            case Mnemonic.Emms: return Simple(op, &Mmx.Empty);
            case Mnemonic.Maskmovdqu: return BindMaskedStore(i, op, mode, &Sse.MaskedStore);
            case Mnemonic.Maskmovq: return BindMaskedStore(i, op, mode, &Mmx.MaskedStore);
            case Mnemonic.Movnti:
                op->Source = OperandBinder.Offset(i.Op1Register);
                OperandBinder.SetMemory(i, op, mode);
                op->Handler = OperandBinder.Size(i, 1) == 8 ? &SimdMisc.StoreGeneral<ulong> : &SimdMisc.StoreGeneral<uint>;
                return BindResult.Continue;
            default: return BindResult.Undefined;
        }
    }

    private static BindResult BindElement(in Instruction i, Op* op, int mode)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Pmovmskb:
                return i.Op1Register.IsMM() ? BindRegisters(i, op, &Mmx.Mask) : BindMask(i, op, &IntegerLanes.Pmovmskb);
            case Mnemonic.Movmskps: return BindMask(i, op, &IntegerLanes.Movmskps);
            case Mnemonic.Movmskpd: return BindMask(i, op, &IntegerLanes.Movmskpd);
            case Mnemonic.Pextrb: return BindExtract<byte>(i, op, mode);
            case Mnemonic.Pextrw: return BindExtract<ushort>(i, op, mode);
            case Mnemonic.Pextrd or Mnemonic.Extractps: return BindExtract<uint>(i, op, mode);
            case Mnemonic.Pextrq: return BindExtract<ulong>(i, op, mode);
            case Mnemonic.Pinsrb: return BindInsert<byte>(i, op, mode);
            case Mnemonic.Pinsrw: return BindInsert<ushort>(i, op, mode);
            case Mnemonic.Pinsrd: return BindInsert<uint>(i, op, mode);
            case Mnemonic.Pinsrq: return BindInsert<ulong>(i, op, mode);
            case Mnemonic.Ptest:
                op->Handler = SetLaneOperands(i, op, mode) == LaneSource.XmmRegister
                    ? &Sse.Test<XmmRegister>
                    : &Sse.Test<AlignedXmmMemory>;
                return BindResult.Continue;
            case Mnemonic.Crc32: return BindChecksum(i, op, mode);
            case Mnemonic.Pcmpestri or Mnemonic.Pcmpestri64: return BindStrings(i, op, mode, Sse.Explicit);
            case Mnemonic.Pcmpestrm or Mnemonic.Pcmpestrm64: return BindStrings(i, op, mode, Sse.Explicit | Sse.ResultMask);
            case Mnemonic.Pcmpistri: return BindStrings(i, op, mode, 0);
            case Mnemonic.Pcmpistrm: return BindStrings(i, op, mode, Sse.ResultMask);
            case Mnemonic.Ldmxcsr: return BindState(i, op, mode, &SimdState.LoadMxcsr);
            case Mnemonic.Stmxcsr: return BindState(i, op, mode, &SimdState.StoreMxcsr);
            case Mnemonic.Fxsave: return BindState(i, op, mode, &SimdState.Save);
            case Mnemonic.Fxrstor: return BindState(i, op, mode, &SimdState.Restore);
            case Mnemonic.Fxsave64:
                op->Bits |= OpBits.Family;
                return BindState(i, op, mode, &SimdState.Save);
            case Mnemonic.Fxrstor64:
                op->Bits |= OpBits.Family;
                return BindState(i, op, mode, &SimdState.Restore);
            default: return BindResult.Undefined;
        }
    }

    private static BindResult BindRegisters(in Instruction i, Op* op, Handler handler)
    {
        op->Destination = AnyOffset(i.Op0Register);
        op->Source = AnyOffset(i.Op1Register);
        op->Handler = handler;
        return BindResult.Continue;
    }

    private static ushort AnyOffset(Register register) =>
        register.IsGPR() ? OperandBinder.Offset(register) : VectorOffset(register);

    private static BindResult BindMask(in Instruction i, Op* op, delegate*<Xmm*, uint> mask)
    {
        op->Link = (Op*)mask;
        return BindRegisters(i, op, &Sse.Mask);
    }

    private static BindResult BindState(in Instruction i, Op* op, int mode, Handler handler)
    {
        OperandBinder.SetMemory(i, op, mode);
        op->Handler = handler;
        return BindResult.Continue;
    }

    private static BindResult BindVectorStore<TAligned>(in Instruction i, Op* op, int mode)
        where TAligned : struct, IFlag
    {
        op->Source = VectorOffset(i.Op1Register);
        return BindState(i, op, mode, &Sse.Store<TAligned>);
    }

    private static BindResult BindElementStore<T>(in Instruction i, Op* op, int mode, int element)
        where T : unmanaged
    {
        op->Source = VectorOffset(i.Op1Register);
        op->Immediate = element;
        return BindState(i, op, mode, &Sse.StoreElement<T>);
    }

    private static BindResult BindMmxStore<T>(in Instruction i, Op* op, int mode)
        where T : unmanaged
    {
        op->Source = VectorOffset(i.Op1Register);
        return BindState(i, op, mode, &Mmx.Store<T>);
    }

    private static BindResult BindGeneralLoad<T>(in Instruction i, Op* op, int mode)
        where T : unmanaged
    {
        op->Destination = VectorOffset(i.Op0Register);
        return BindState(i, op, mode, &Sse.FromGeneral<T, MemorySource<AnyAddress>>);
    }

    /// <summary>MOVD and MOVQ in all their directions.</summary>
    private static BindResult BindMoveLow<T>(in Instruction i, Op* op, int mode)
        where T : unmanaged
    {
        if (i.Op0Kind == OpKind.Memory)
        {
            return i.Op1Register.IsMM() ? BindMmxStore<T>(i, op, mode) : BindElementStore<T>(i, op, mode, 0);
        }

        bool toMmx = i.Op0Register.IsMM();
        if (i.Op1Kind == OpKind.Memory)
        {
            op->Destination = VectorOffset(i.Op0Register);
            return BindState(
                i, op, mode, toMmx ? &Mmx.Load<T, MemorySource<AnyAddress>> : &Sse.FromGeneral<T, MemorySource<AnyAddress>>);
        }

        if (i.Op0Register.IsGPR())
        {
            return BindRegisters(i, op, i.Op1Register.IsMM() ? &Mmx.ToGeneral<T> : &Sse.ToGeneral<T>);
        }

        return BindRegisters(i, op, toMmx ? &Mmx.Load<T, RegisterSource> : &Sse.FromGeneral<T, RegisterSource>);
    }

    private static BindResult BindExtract<T>(in Instruction i, Op* op, int mode)
        where T : unmanaged
    {
        bool mmx = i.Op1Register.IsMM();
        op->Immediate = i.Immediate8 & ((mmx ? 8 : 16) / sizeof(T) - 1);
        if (i.Op0Kind == OpKind.Memory)
        {
            op->Source = VectorOffset(i.Op1Register);
            return BindState(i, op, mode, &Sse.StoreElement<T>);
        }

        return BindRegisters(i, op, mmx ? &Mmx.ToGeneral<T> : &Sse.ToGeneral<T>);
    }

    private static BindResult BindInsert<T>(in Instruction i, Op* op, int mode)
        where T : unmanaged
    {
        bool mmx = i.Op0Register.IsMM();
        op->Immediate = i.Immediate8 & ((mmx ? 8 : 16) / sizeof(T) - 1);
        if (i.Op1Kind == OpKind.Memory)
        {
            op->Destination = VectorOffset(i.Op0Register);
            return BindState(
                i, op, mode, mmx ? &Mmx.InsertWord<MemorySource<AnyAddress>> : &Sse.Insert<T, MemorySource<AnyAddress>>);
        }

        return BindRegisters(i, op, mmx ? &Mmx.InsertWord<RegisterSource> : &Sse.Insert<T, RegisterSource>);
    }

    private static BindResult BindMaskedStore(in Instruction i, Op* op, int mode, Handler handler)
    {
        int width = i.Op0Kind switch { OpKind.MemorySegDI => 2, OpKind.MemorySegEDI => 4, _ => 8 };
        OperandBinder.SetString(i, op, mode, width);
        op->Base = Registers.Rdi * 8;
        op->Destination = VectorOffset(i.Op1Register);
        op->Source = VectorOffset(i.Op2Register);
        op->Handler = handler;
        return BindResult.Continue;
    }

    private static BindResult BindChecksum(in Instruction i, Op* op, int mode)
    {
        op->Destination = OperandBinder.Offset(i.Op0Register);
        int size = OperandBinder.Size(i, 1);
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = OperandBinder.Offset(i.Op1Register);
            op->Handler = Pick(
                size, &Sse.Checksum<byte, RegisterSource>, &Sse.Checksum<ushort, RegisterSource>,
                &Sse.Checksum<uint, RegisterSource>, &Sse.Checksum<ulong, RegisterSource>);
        }
        else
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Handler = Pick(
                size, &Sse.Checksum<byte, MemorySource<AnyAddress>>, &Sse.Checksum<ushort, MemorySource<AnyAddress>>,
                &Sse.Checksum<uint, MemorySource<AnyAddress>>, &Sse.Checksum<ulong, MemorySource<AnyAddress>>);
        }

        return BindResult.Continue;
    }

    private static BindResult BindStrings(in Instruction i, Op* op, int mode, int kind)
    {
        bool wide = i.Mnemonic is Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64;
        op->Immediate = i.Immediate8 | kind | (wide ? Sse.ExplicitWide : 0);
        op->Handler = SetLaneOperands(i, op, mode) == LaneSource.XmmRegister
            ? &Sse.CompareStrings<XmmRegister>
            : &Sse.CompareStrings<XmmMemory<Xmm>>;
        return BindResult.Continue;
    }
}
