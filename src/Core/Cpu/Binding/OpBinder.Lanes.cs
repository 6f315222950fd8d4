using Iced.Intel;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;
using unsafe Lane = delegate*<KprobeTrace.Cpu.State.Xmm*, KprobeTrace.Cpu.State.Xmm*, void>;
using unsafe LaneImmediate = delegate*<KprobeTrace.Cpu.State.Xmm*, KprobeTrace.Cpu.State.Xmm*, int, void>;

namespace KprobeTrace.Cpu.Binding;

/// <content>Integer lanes of MMX and SSE.</content>
internal static unsafe partial class OpBinder
{
    private static BindResult BindIntegerLanes(in Instruction i, Op* op, int mode)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Pcmpeqb: return BindInlined<Sse.EqualBytes>(i, op, mode, &IntegerLanes.Pcmpeqb);
            case Mnemonic.Pminub: return BindInlined<Sse.MinimumBytes>(i, op, mode, &IntegerLanes.Pminub);
            case Mnemonic.Pand: return BindInlined<Sse.And>(i, op, mode, &IntegerLanes.Pand);
            case Mnemonic.Por: return BindInlined<Sse.Or>(i, op, mode, &IntegerLanes.Por);
            case Mnemonic.Pxor: return BindInlined<Sse.Xor>(i, op, mode, &IntegerLanes.Pxor);
            case Mnemonic.Paddb: return BindLanes(i, op, mode, &IntegerLanes.Paddb, &IntegerLanes.Paddb);
            case Mnemonic.Paddw: return BindLanes(i, op, mode, &IntegerLanes.Paddw, &IntegerLanes.Paddw);
            case Mnemonic.Paddd: return BindLanes(i, op, mode, &IntegerLanes.Paddd, &IntegerLanes.Paddd);
            case Mnemonic.Paddq: return BindLanes(i, op, mode, &IntegerLanes.Paddq, &IntegerLanes.Paddq);
            case Mnemonic.Psubb: return BindLanes(i, op, mode, &IntegerLanes.Psubb, &IntegerLanes.Psubb);
            case Mnemonic.Psubw: return BindLanes(i, op, mode, &IntegerLanes.Psubw, &IntegerLanes.Psubw);
            case Mnemonic.Psubd: return BindLanes(i, op, mode, &IntegerLanes.Psubd, &IntegerLanes.Psubd);
            case Mnemonic.Psubq: return BindLanes(i, op, mode, &IntegerLanes.Psubq, &IntegerLanes.Psubq);
            case Mnemonic.Paddsb: return BindLanes(i, op, mode, &IntegerLanes.Paddsb, &IntegerLanes.Paddsb);
            case Mnemonic.Paddsw: return BindLanes(i, op, mode, &IntegerLanes.Paddsw, &IntegerLanes.Paddsw);
            case Mnemonic.Paddusb: return BindLanes(i, op, mode, &IntegerLanes.Paddusb, &IntegerLanes.Paddusb);
            case Mnemonic.Paddusw: return BindLanes(i, op, mode, &IntegerLanes.Paddusw, &IntegerLanes.Paddusw);
            case Mnemonic.Psubsb: return BindLanes(i, op, mode, &IntegerLanes.Psubsb, &IntegerLanes.Psubsb);
            case Mnemonic.Psubsw: return BindLanes(i, op, mode, &IntegerLanes.Psubsw, &IntegerLanes.Psubsw);
            case Mnemonic.Psubusb: return BindLanes(i, op, mode, &IntegerLanes.Psubusb, &IntegerLanes.Psubusb);
            case Mnemonic.Psubusw: return BindLanes(i, op, mode, &IntegerLanes.Psubusw, &IntegerLanes.Psubusw);
            case Mnemonic.Pmullw: return BindLanes(i, op, mode, &IntegerLanes.Pmullw, &IntegerLanes.Pmullw);
            case Mnemonic.Pmulhw: return BindLanes(i, op, mode, &IntegerLanes.Pmulhw, &IntegerLanes.Pmulhw);
            case Mnemonic.Pmulhuw: return BindLanes(i, op, mode, &IntegerLanes.Pmulhuw, &IntegerLanes.Pmulhuw);
            case Mnemonic.Pavgb: return BindLanes(i, op, mode, &IntegerLanes.Pavgb, &IntegerLanes.Pavgb);
            case Mnemonic.Pavgw: return BindLanes(i, op, mode, &IntegerLanes.Pavgw, &IntegerLanes.Pavgw);
            case Mnemonic.Pmaxub: return BindLanes(i, op, mode, &IntegerLanes.Pmaxub, &IntegerLanes.Pmaxub);
            case Mnemonic.Pmaxsw: return BindLanes(i, op, mode, &IntegerLanes.Pmaxsw, &IntegerLanes.Pmaxsw);
            case Mnemonic.Pminsw: return BindLanes(i, op, mode, &IntegerLanes.Pminsw, &IntegerLanes.Pminsw);
            case Mnemonic.Pcmpeqw: return BindLanes(i, op, mode, &IntegerLanes.Pcmpeqw, &IntegerLanes.Pcmpeqw);
            case Mnemonic.Pcmpeqd: return BindLanes(i, op, mode, &IntegerLanes.Pcmpeqd, &IntegerLanes.Pcmpeqd);
            case Mnemonic.Pcmpgtb: return BindLanes(i, op, mode, &IntegerLanes.Pcmpgtb, &IntegerLanes.Pcmpgtb);
            case Mnemonic.Pcmpgtw: return BindLanes(i, op, mode, &IntegerLanes.Pcmpgtw, &IntegerLanes.Pcmpgtw);
            case Mnemonic.Pcmpgtd: return BindLanes(i, op, mode, &IntegerLanes.Pcmpgtd, &IntegerLanes.Pcmpgtd);
            case Mnemonic.Pandn: return BindLanes(i, op, mode, &IntegerLanes.Pandn, &IntegerLanes.Pandn);
            case Mnemonic.Pmuludq: return BindLanes(i, op, mode, &IntegerLanes.Pmuludq, &IntegerLanes.Pmuludq);
            case Mnemonic.Pmaddwd: return BindLanes(i, op, mode, &IntegerLanes.Pmaddwd, &IntegerLanes.Pmaddwd);
            case Mnemonic.Psadbw: return BindLanes(i, op, mode, &IntegerLanes.Psadbw, &IntegerLanes.Psadbw);
            case Mnemonic.Pabsb: return BindLanes(i, op, mode, &IntegerLanes.Pabsb, &IntegerLanes.Pabsb);
            case Mnemonic.Pabsw: return BindLanes(i, op, mode, &IntegerLanes.Pabsw, &IntegerLanes.Pabsw);
            case Mnemonic.Pabsd: return BindLanes(i, op, mode, &IntegerLanes.Pabsd, &IntegerLanes.Pabsd);
            case Mnemonic.Psignb: return BindLanes(i, op, mode, &IntegerLanes.Psignb, &IntegerLanes.Psignb);
            case Mnemonic.Psignw: return BindLanes(i, op, mode, &IntegerLanes.Psignw, &IntegerLanes.Psignw);
            case Mnemonic.Psignd: return BindLanes(i, op, mode, &IntegerLanes.Psignd, &IntegerLanes.Psignd);
            case Mnemonic.Pmulhrsw: return BindLanes(i, op, mode, &IntegerLanes.Pmulhrsw, &IntegerLanes.Pmulhrsw);
            case Mnemonic.Pmaddubsw: return BindLanes(i, op, mode, &IntegerLanes.Pmaddubsw, &IntegerLanes.Pmaddubsw);
            case Mnemonic.Packsswb: return BindLanes(i, op, mode, &IntegerLanes.Packsswb, &MmxLanes.Packsswb);
            case Mnemonic.Packssdw: return BindLanes(i, op, mode, &IntegerLanes.Packssdw, &MmxLanes.Packssdw);
            case Mnemonic.Packuswb: return BindLanes(i, op, mode, &IntegerLanes.Packuswb, &MmxLanes.Packuswb);
            case Mnemonic.Punpcklbw: return BindLanes(i, op, mode, &IntegerLanes.Punpcklbw, &MmxLanes.Punpcklbw);
            case Mnemonic.Punpcklwd: return BindLanes(i, op, mode, &IntegerLanes.Punpcklwd, &MmxLanes.Punpcklwd);
            case Mnemonic.Punpckldq: return BindLanes(i, op, mode, &IntegerLanes.Punpckldq, &MmxLanes.Punpckldq);
            case Mnemonic.Punpckhbw: return BindLanes(i, op, mode, &IntegerLanes.Punpckhbw, &MmxLanes.Punpckhbw);
            case Mnemonic.Punpckhwd: return BindLanes(i, op, mode, &IntegerLanes.Punpckhwd, &MmxLanes.Punpckhwd);
            case Mnemonic.Punpckhdq: return BindLanes(i, op, mode, &IntegerLanes.Punpckhdq, &MmxLanes.Punpckhdq);
            case Mnemonic.Pshufb: return BindLanes(i, op, mode, &IntegerLanes.Pshufb, &MmxLanes.Pshufb);
            case Mnemonic.Phaddw: return BindLanes(i, op, mode, &IntegerLanes.Phaddw, &MmxLanes.Phaddw);
            case Mnemonic.Phaddd: return BindLanes(i, op, mode, &IntegerLanes.Phaddd, &MmxLanes.Phaddd);
            case Mnemonic.Phaddsw: return BindLanes(i, op, mode, &IntegerLanes.Phaddsw, &MmxLanes.Phaddsw);
            case Mnemonic.Phsubw: return BindLanes(i, op, mode, &IntegerLanes.Phsubw, &MmxLanes.Phsubw);
            case Mnemonic.Phsubd: return BindLanes(i, op, mode, &IntegerLanes.Phsubd, &MmxLanes.Phsubd);
            case Mnemonic.Phsubsw: return BindLanes(i, op, mode, &IntegerLanes.Phsubsw, &MmxLanes.Phsubsw);
            case Mnemonic.Pmulld: return BindLanes(i, op, mode, &IntegerLanes.Pmulld, null);
            case Mnemonic.Pmuldq: return BindLanes(i, op, mode, &IntegerLanes.Pmuldq, null);
            case Mnemonic.Pmaxsb: return BindLanes(i, op, mode, &IntegerLanes.Pmaxsb, null);
            case Mnemonic.Pmaxsd: return BindLanes(i, op, mode, &IntegerLanes.Pmaxsd, null);
            case Mnemonic.Pmaxuw: return BindLanes(i, op, mode, &IntegerLanes.Pmaxuw, null);
            case Mnemonic.Pmaxud: return BindLanes(i, op, mode, &IntegerLanes.Pmaxud, null);
            case Mnemonic.Pminsb: return BindLanes(i, op, mode, &IntegerLanes.Pminsb, null);
            case Mnemonic.Pminsd: return BindLanes(i, op, mode, &IntegerLanes.Pminsd, null);
            case Mnemonic.Pminuw: return BindLanes(i, op, mode, &IntegerLanes.Pminuw, null);
            case Mnemonic.Pminud: return BindLanes(i, op, mode, &IntegerLanes.Pminud, null);
            case Mnemonic.Pcmpeqq: return BindLanes(i, op, mode, &IntegerLanes.Pcmpeqq, null);
            case Mnemonic.Pcmpgtq: return BindLanes(i, op, mode, &IntegerLanes.Pcmpgtq, null);
            case Mnemonic.Packusdw: return BindLanes(i, op, mode, &IntegerLanes.Packusdw, null);
            case Mnemonic.Phminposuw: return BindLanes(i, op, mode, &IntegerLanes.Phminposuw, null);
            case Mnemonic.Pmovsxbw: return BindLanes(i, op, mode, &IntegerLanes.Pmovsxbw, null);
            case Mnemonic.Pmovsxbd: return BindLanes(i, op, mode, &IntegerLanes.Pmovsxbd, null);
            case Mnemonic.Pmovsxbq: return BindLanes(i, op, mode, &IntegerLanes.Pmovsxbq, null);
            case Mnemonic.Pmovsxwd: return BindLanes(i, op, mode, &IntegerLanes.Pmovsxwd, null);
            case Mnemonic.Pmovsxwq: return BindLanes(i, op, mode, &IntegerLanes.Pmovsxwq, null);
            case Mnemonic.Pmovsxdq: return BindLanes(i, op, mode, &IntegerLanes.Pmovsxdq, null);
            case Mnemonic.Pmovzxbw: return BindLanes(i, op, mode, &IntegerLanes.Pmovzxbw, null);
            case Mnemonic.Pmovzxbd: return BindLanes(i, op, mode, &IntegerLanes.Pmovzxbd, null);
            case Mnemonic.Pmovzxbq: return BindLanes(i, op, mode, &IntegerLanes.Pmovzxbq, null);
            case Mnemonic.Pmovzxwd: return BindLanes(i, op, mode, &IntegerLanes.Pmovzxwd, null);
            case Mnemonic.Pmovzxwq: return BindLanes(i, op, mode, &IntegerLanes.Pmovzxwq, null);
            case Mnemonic.Pmovzxdq: return BindLanes(i, op, mode, &IntegerLanes.Pmovzxdq, null);
            case Mnemonic.Punpcklqdq: return BindLanes(i, op, mode, &IntegerLanes.Punpcklqdq, null);
            case Mnemonic.Punpckhqdq: return BindLanes(i, op, mode, &IntegerLanes.Punpckhqdq, null);
            case Mnemonic.Psllw: return BindLaneShift(i, op, mode, &IntegerLanes.Psllw);
            case Mnemonic.Pslld: return BindLaneShift(i, op, mode, &IntegerLanes.Pslld);
            case Mnemonic.Psllq: return BindLaneShift(i, op, mode, &IntegerLanes.Psllq);
            case Mnemonic.Psrlw: return BindLaneShift(i, op, mode, &IntegerLanes.Psrlw);
            case Mnemonic.Psrld: return BindLaneShift(i, op, mode, &IntegerLanes.Psrld);
            case Mnemonic.Psrlq: return BindLaneShift(i, op, mode, &IntegerLanes.Psrlq);
            case Mnemonic.Psraw: return BindLaneShift(i, op, mode, &IntegerLanes.Psraw);
            case Mnemonic.Psrad: return BindLaneShift(i, op, mode, &IntegerLanes.Psrad);
            case Mnemonic.Pslldq: return BindLaneShift(i, op, mode, &IntegerLanes.Pslldq);
            case Mnemonic.Psrldq: return BindLaneShift(i, op, mode, &IntegerLanes.Psrldq);
            case Mnemonic.Palignr: return BindLanes(i, op, mode, &IntegerLanes.Palignr, &MmxLanes.Palignr);
            case Mnemonic.Pshufw: return BindLanes(i, op, mode, null, &MmxLanes.Pshufw);
            case Mnemonic.Mpsadbw: return BindLanes(i, op, mode, &IntegerLanes.Mpsadbw, null);
            case Mnemonic.Pshufd: return BindLanes(i, op, mode, &IntegerLanes.Pshufd, null);
            case Mnemonic.Pshuflw: return BindLanes(i, op, mode, &IntegerLanes.Pshuflw, null);
            case Mnemonic.Pshufhw: return BindLanes(i, op, mode, &IntegerLanes.Pshufhw, null);
            case Mnemonic.Shufps: return BindLanes(i, op, mode, &IntegerLanes.Shufps, null);
            case Mnemonic.Shufpd: return BindLanes(i, op, mode, &IntegerLanes.Shufpd, null);
            case Mnemonic.Pblendw: return BindLanes(i, op, mode, &IntegerLanes.Pblendw, null);
            case Mnemonic.Blendps: return BindLanes(i, op, mode, &IntegerLanes.Blendps, null);
            case Mnemonic.Blendpd: return BindLanes(i, op, mode, &IntegerLanes.Blendpd, null);
            case Mnemonic.Insertps:
                return i.Op1Kind == OpKind.Memory
                    ? BindLanes(i, op, mode, &IntegerLanes.InsertpsMemory, null)
                    : BindLanes(i, op, mode, &IntegerLanes.InsertpsRegister, null);
            case Mnemonic.Andps or Mnemonic.Andpd: return BindInlined<Sse.And>(i, op, mode, null);
            case Mnemonic.Orps or Mnemonic.Orpd: return BindInlined<Sse.Or>(i, op, mode, null);
            case Mnemonic.Xorps or Mnemonic.Xorpd: return BindInlined<Sse.Xor>(i, op, mode, null);
            case Mnemonic.Andnps or Mnemonic.Andnpd: return BindLanes(i, op, mode, &IntegerLanes.Pandn, null);
            case Mnemonic.Unpcklps: return BindLanes(i, op, mode, &IntegerLanes.Punpckldq, null);
            case Mnemonic.Unpckhps: return BindLanes(i, op, mode, &IntegerLanes.Punpckhdq, null);
            case Mnemonic.Unpcklpd: return BindLanes(i, op, mode, &IntegerLanes.Punpcklqdq, null);
            case Mnemonic.Unpckhpd: return BindLanes(i, op, mode, &IntegerLanes.Punpckhqdq, null);
            case Mnemonic.Movddup: return BindLanes(i, op, mode, &MoveLanes.DuplicateLow, null);
            case Mnemonic.Movsldup: return BindLanes(i, op, mode, &MoveLanes.DuplicateEven, null);
            case Mnemonic.Movshdup: return BindLanes(i, op, mode, &MoveLanes.DuplicateOdd, null);
            case Mnemonic.Rcpps: return BindLanes(i, op, mode, &FloatLanes.Rcpps, null);
            case Mnemonic.Rcpss: return BindLanes(i, op, mode, &FloatLanes.Rcpss, null);
            case Mnemonic.Rsqrtps: return BindLanes(i, op, mode, &FloatLanes.Rsqrtps, null);
            case Mnemonic.Rsqrtss: return BindLanes(i, op, mode, &FloatLanes.Rsqrtss, null);
            case Mnemonic.Pblendvb: return BindBlend(i, op, mode, &IntegerLanes.Pblendvb);
            case Mnemonic.Blendvps: return BindBlend(i, op, mode, &IntegerLanes.Blendvps);
            case Mnemonic.Blendvpd: return BindBlend(i, op, mode, &IntegerLanes.Blendvpd);
            default: return BindResult.Undefined;
        }
    }

    private static BindResult BindLanes(in Instruction i, Op* op, int mode, Lane sse, Lane mmx)
    {
        op->Link = (Op*)(i.Op0Register.IsMM() ? mmx : sse);
        op->Handler = SetLaneOperands(i, op, mode) switch
        {
            LaneSource.MmxRegister => &Mmx.Lanes<ulong, RegisterSource>,
            LaneSource.MmxMemory when i.MemorySize.GetSize() == 4 => &Mmx.Lanes<uint, MemorySource<AnyAddress>>,
            LaneSource.MmxMemory => &Mmx.Lanes<ulong, MemorySource<AnyAddress>>,
            LaneSource.XmmRegister => &Sse.Lanes<XmmRegister>,
            LaneSource.XmmMemory2 => &Sse.Lanes<XmmMemory<ushort>>,
            LaneSource.XmmMemory4 => &Sse.Lanes<XmmMemory<uint>>,
            LaneSource.XmmMemory8 => &Sse.Lanes<XmmMemory<ulong>>,
            _ => &Sse.Lanes<AlignedXmmMemory>,
        };
        return BindResult.Continue;
    }

    private static BindResult BindInlined<TOperation>(in Instruction i, Op* op, int mode, Lane mmx)
        where TOperation : struct, ILaneOperation
    {
        if (i.Op0Register.IsMM())
        {
            return BindLanes(i, op, mode, null, mmx);
        }

        op->Handler = SetLaneOperands(i, op, mode) == LaneSource.XmmRegister
            ? &Sse.Inlined<TOperation, XmmRegister>
            : &Sse.Inlined<TOperation, AlignedXmmMemory>;
        return BindResult.Continue;
    }

    private static BindResult BindLanes(in Instruction i, Op* op, int mode, LaneImmediate sse, LaneImmediate mmx)
    {
        op->Link = (Op*)(i.Op0Register.IsMM() ? mmx : sse);
        op->Immediate = i.Immediate8;
        op->Handler = SetLaneOperands(i, op, mode) switch
        {
            LaneSource.MmxRegister => &Mmx.LanesImmediate<RegisterSource>,
            LaneSource.MmxMemory => &Mmx.LanesImmediate<MemorySource<AnyAddress>>,
            LaneSource.XmmRegister => &Sse.LanesImmediate<XmmRegister>,
            LaneSource.XmmMemory4 => &Sse.LanesImmediate<XmmMemory<uint>>,
            LaneSource.XmmMemory8 => &Sse.LanesImmediate<XmmMemory<ulong>>,
            _ => &Sse.LanesImmediate<AlignedXmmMemory>,
        };
        return BindResult.Continue;
    }

    private static BindResult BindLaneShift(in Instruction i, Op* op, int mode, Lane shift)
    {
        if (i.Op1Kind is OpKind.Register or OpKind.Memory)
        {
            return BindLanes(i, op, mode, shift, shift);
        }

        op->Link = (Op*)shift;
        op->Immediate = i.Immediate8;
        op->Destination = VectorOffset(i.Op0Register);
        op->Handler = i.Op0Register.IsMM() ? &Mmx.Shift : &Sse.Shift;
        return BindResult.Continue;
    }

    private static BindResult BindBlend(
        in Instruction i, Op* op, int mode, delegate*<Xmm*, Xmm*, Xmm*, void> blend)
    {
        op->Link = (Op*)blend;
        op->Handler = SetLaneOperands(i, op, mode) == LaneSource.XmmRegister
            ? &Sse.Blend<XmmRegister>
            : &Sse.Blend<AlignedXmmMemory>;
        return BindResult.Continue;
    }

    /// <summary>What kind of source a lane operation has.</summary>
    private static readonly int _mmxOffset = OffsetOfRegisters(mmx: true);
    private static readonly int _xmmOffset = OffsetOfRegisters(mmx: false);

    private enum LaneSource
    {
        MmxRegister,
        MmxMemory,
        XmmRegister,
        XmmMemory2,
        XmmMemory4,
        XmmMemory8,
        XmmMemory16,
    }

    /// <summary>Fills in a destination register and a source register or memory operand.</summary>
    private static LaneSource SetLaneOperands(in Instruction i, Op* op, int mode)
    {
        bool mmx = i.Op0Register.IsMM();
        op->Destination = VectorOffset(i.Op0Register);
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = VectorOffset(i.Op1Register);
            return mmx ? LaneSource.MmxRegister : LaneSource.XmmRegister;
        }

        OperandBinder.SetMemory(i, op, mode);
        return mmx ? LaneSource.MmxMemory : i.MemorySize.GetSize() switch
        {
            2 => LaneSource.XmmMemory2,
            4 => LaneSource.XmmMemory4,
            8 => LaneSource.XmmMemory8,
            _ => LaneSource.XmmMemory16,
        };
    }

    /// <summary>Byte offset in <see cref="CpuState"/> of an XMM or MMX register.</summary>
    private static ushort VectorOffset(Register register) => (ushort)(register.IsMM()
        ? _mmxOffset + ((register - Register.MM0) * 16)
        : _xmmOffset + ((register - Register.XMM0) * 16));

    private static int OffsetOfRegisters(bool mmx)
    {
        CpuState state;
        return (int)((mmx ? (byte*)state.FpuRegisters : (byte*)state.XmmRegisters) - (byte*)&state);
    }
}
