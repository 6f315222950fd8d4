using Iced.Intel;
using KprobeTrace.Cpu.Float;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;
using unsafe FloatImmediate = delegate*<KprobeTrace.Cpu.State.Xmm*, KprobeTrace.Cpu.State.Xmm*, int, ref KprobeTrace.Cpu.Float.FloatStatus, void>;
using unsafe FloatLane = delegate*<KprobeTrace.Cpu.State.Xmm*, KprobeTrace.Cpu.State.Xmm*, ref KprobeTrace.Cpu.Float.FloatStatus, void>;

namespace KprobeTrace.Cpu.Binding;

/// <content>Floating-point operations of SSE.</content>
internal static unsafe partial class OpBinder
{
    private static BindResult BindFloat(in Instruction i, Op* op, int mode)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Addps: return BindFloatLanes(i, op, mode, &FloatLanes.Addps);
            case Mnemonic.Addpd: return BindFloatLanes(i, op, mode, &FloatLanes.Addpd);
            case Mnemonic.Addss: return BindFloatLanes(i, op, mode, &FloatLanes.Addss);
            case Mnemonic.Addsd: return BindFloatLanes(i, op, mode, &FloatLanes.Addsd);
            case Mnemonic.Subps: return BindFloatLanes(i, op, mode, &FloatLanes.Subps);
            case Mnemonic.Subpd: return BindFloatLanes(i, op, mode, &FloatLanes.Subpd);
            case Mnemonic.Subss: return BindFloatLanes(i, op, mode, &FloatLanes.Subss);
            case Mnemonic.Subsd: return BindFloatLanes(i, op, mode, &FloatLanes.Subsd);
            case Mnemonic.Mulps: return BindFloatLanes(i, op, mode, &FloatLanes.Mulps);
            case Mnemonic.Mulpd: return BindFloatLanes(i, op, mode, &FloatLanes.Mulpd);
            case Mnemonic.Mulss: return BindFloatLanes(i, op, mode, &FloatLanes.Mulss);
            case Mnemonic.Mulsd: return BindFloatLanes(i, op, mode, &FloatLanes.Mulsd);
            case Mnemonic.Divps: return BindFloatLanes(i, op, mode, &FloatLanes.Divps);
            case Mnemonic.Divpd: return BindFloatLanes(i, op, mode, &FloatLanes.Divpd);
            case Mnemonic.Divss: return BindFloatLanes(i, op, mode, &FloatLanes.Divss);
            case Mnemonic.Divsd: return BindFloatLanes(i, op, mode, &FloatLanes.Divsd);
            case Mnemonic.Minps: return BindFloatLanes(i, op, mode, &FloatLanes.Minps);
            case Mnemonic.Minpd: return BindFloatLanes(i, op, mode, &FloatLanes.Minpd);
            case Mnemonic.Minss: return BindFloatLanes(i, op, mode, &FloatLanes.Minss);
            case Mnemonic.Minsd: return BindFloatLanes(i, op, mode, &FloatLanes.Minsd);
            case Mnemonic.Maxps: return BindFloatLanes(i, op, mode, &FloatLanes.Maxps);
            case Mnemonic.Maxpd: return BindFloatLanes(i, op, mode, &FloatLanes.Maxpd);
            case Mnemonic.Maxss: return BindFloatLanes(i, op, mode, &FloatLanes.Maxss);
            case Mnemonic.Maxsd: return BindFloatLanes(i, op, mode, &FloatLanes.Maxsd);
            case Mnemonic.Sqrtps: return BindFloatLanes(i, op, mode, &FloatLanes.Sqrtps);
            case Mnemonic.Sqrtpd: return BindFloatLanes(i, op, mode, &FloatLanes.Sqrtpd);
            case Mnemonic.Sqrtss: return BindFloatLanes(i, op, mode, &FloatLanes.Sqrtss);
            case Mnemonic.Sqrtsd: return BindFloatLanes(i, op, mode, &FloatLanes.Sqrtsd);
            case Mnemonic.Haddps: return BindFloatLanes(i, op, mode, &FloatLanes.Haddps);
            case Mnemonic.Haddpd: return BindFloatLanes(i, op, mode, &FloatLanes.Haddpd);
            case Mnemonic.Hsubps: return BindFloatLanes(i, op, mode, &FloatLanes.Hsubps);
            case Mnemonic.Hsubpd: return BindFloatLanes(i, op, mode, &FloatLanes.Hsubpd);
            case Mnemonic.Addsubps: return BindFloatLanes(i, op, mode, &FloatLanes.Addsubps);
            case Mnemonic.Addsubpd: return BindFloatLanes(i, op, mode, &FloatLanes.Addsubpd);
            case Mnemonic.Cvtdq2ps: return BindFloatLanes(i, op, mode, &FloatLanes.Cvtdq2ps);
            case Mnemonic.Cvtdq2pd: return BindFloatLanes(i, op, mode, &FloatLanes.Cvtdq2pd);
            case Mnemonic.Cvtps2dq: return BindFloatLanes(i, op, mode, &FloatLanes.Cvtps2dq);
            case Mnemonic.Cvttps2dq: return BindFloatLanes(i, op, mode, &FloatLanes.Cvttps2dq);
            case Mnemonic.Cvtpd2dq: return BindFloatLanes(i, op, mode, &FloatLanes.Cvtpd2dq);
            case Mnemonic.Cvttpd2dq: return BindFloatLanes(i, op, mode, &FloatLanes.Cvttpd2dq);
            case Mnemonic.Cvtps2pd: return BindFloatLanes(i, op, mode, &FloatLanes.Cvtps2pd);
            case Mnemonic.Cvtpd2ps: return BindFloatLanes(i, op, mode, &FloatLanes.Cvtpd2ps);
            case Mnemonic.Cvtss2sd: return BindFloatLanes(i, op, mode, &FloatLanes.Cvtss2sd);
            case Mnemonic.Cvtsd2ss: return BindFloatLanes(i, op, mode, &FloatLanes.Cvtsd2ss);
            case Mnemonic.Cmpps: return BindFloatImmediate(i, op, mode, &FloatLanes.Cmpps);
            case Mnemonic.Cmppd: return BindFloatImmediate(i, op, mode, &FloatLanes.Cmppd);
            case Mnemonic.Cmpss: return BindFloatImmediate(i, op, mode, &FloatLanes.Cmpss);
            case Mnemonic.Cmpsd: return BindFloatImmediate(i, op, mode, &FloatLanes.Cmpsd);
            case Mnemonic.Roundps: return BindFloatImmediate(i, op, mode, &FloatLanes.Roundps);
            case Mnemonic.Roundpd: return BindFloatImmediate(i, op, mode, &FloatLanes.Roundpd);
            case Mnemonic.Roundss: return BindFloatImmediate(i, op, mode, &FloatLanes.Roundss);
            case Mnemonic.Roundsd: return BindFloatImmediate(i, op, mode, &FloatLanes.Roundsd);
            case Mnemonic.Dpps: return BindFloatImmediate(i, op, mode, &FloatLanes.Dpps);
            case Mnemonic.Dppd: return BindFloatImmediate(i, op, mode, &FloatLanes.Dppd);
            case Mnemonic.Ucomiss:
                op->Handler = SetLaneOperands(i, op, mode) == LaneSource.XmmRegister
                    ? &Sse.Compare<Binary32, No, XmmRegister>
                    : &Sse.Compare<Binary32, No, XmmMemory<uint>>;
                return BindResult.Continue;
            case Mnemonic.Ucomisd:
                op->Handler = SetLaneOperands(i, op, mode) == LaneSource.XmmRegister
                    ? &Sse.Compare<Binary64, No, XmmRegister>
                    : &Sse.Compare<Binary64, No, XmmMemory<ulong>>;
                return BindResult.Continue;
            case Mnemonic.Comiss:
                op->Handler = SetLaneOperands(i, op, mode) == LaneSource.XmmRegister
                    ? &Sse.Compare<Binary32, Yes, XmmRegister>
                    : &Sse.Compare<Binary32, Yes, XmmMemory<uint>>;
                return BindResult.Continue;
            case Mnemonic.Comisd:
                op->Handler = SetLaneOperands(i, op, mode) == LaneSource.XmmRegister
                    ? &Sse.Compare<Binary64, Yes, XmmRegister>
                    : &Sse.Compare<Binary64, Yes, XmmMemory<ulong>>;
                return BindResult.Continue;
            case Mnemonic.Cvtsi2ss: return BindFromInteger<Binary32>(i, op, mode);
            case Mnemonic.Cvtsi2sd: return BindFromInteger<Binary64>(i, op, mode);
            case Mnemonic.Cvtss2si: return BindToInteger<Binary32, uint, No>(i, op, mode);
            case Mnemonic.Cvttss2si: return BindToInteger<Binary32, uint, Yes>(i, op, mode);
            case Mnemonic.Cvtsd2si: return BindToInteger<Binary64, ulong, No>(i, op, mode);
            case Mnemonic.Cvttsd2si: return BindToInteger<Binary64, ulong, Yes>(i, op, mode);
            case Mnemonic.Cvtpi2ps: return BindFromMmx(i, op, mode, &FloatLanes.Cvtpi2ps);
            case Mnemonic.Cvtpi2pd: return BindFromMmx(i, op, mode, &FloatLanes.Cvtdq2pd);
            case Mnemonic.Cvtps2pi: return BindToMmx(i, op, mode, &FloatLanes.Cvtps2pi);
            case Mnemonic.Cvttps2pi: return BindToMmx(i, op, mode, &FloatLanes.Cvttps2pi);
            case Mnemonic.Cvtpd2pi: return BindToMmx(i, op, mode, &FloatLanes.Cvtpd2dq);
            case Mnemonic.Cvttpd2pi: return BindToMmx(i, op, mode, &FloatLanes.Cvttpd2dq);
            default: return BindResult.Undefined;
        }
    }

    private static BindResult BindFloatLanes(in Instruction i, Op* op, int mode, FloatLane lane)
    {
        op->Link = (Op*)lane;
        op->Handler = SetLaneOperands(i, op, mode) switch
        {
            LaneSource.XmmRegister => &Sse.Float<XmmRegister>,
            LaneSource.XmmMemory4 => &Sse.Float<XmmMemory<uint>>,
            LaneSource.XmmMemory8 => &Sse.Float<XmmMemory<ulong>>,
            _ => &Sse.Float<AlignedXmmMemory>,
        };
        return BindResult.Continue;
    }

    private static BindResult BindFloatImmediate(in Instruction i, Op* op, int mode, FloatImmediate lane)
    {
        op->Link = (Op*)lane;
        op->Immediate = i.Immediate8;
        op->Handler = SetLaneOperands(i, op, mode) switch
        {
            LaneSource.XmmRegister => &Sse.FloatImmediate<XmmRegister>,
            LaneSource.XmmMemory4 => &Sse.FloatImmediate<XmmMemory<uint>>,
            LaneSource.XmmMemory8 => &Sse.FloatImmediate<XmmMemory<ulong>>,
            _ => &Sse.FloatImmediate<AlignedXmmMemory>,
        };
        return BindResult.Continue;
    }

    private static BindResult BindFromInteger<TFormat>(in Instruction i, Op* op, int mode)
        where TFormat : struct, IFloatFormat
    {
        op->Destination = VectorOffset(i.Op0Register);
        bool wide = OperandBinder.Size(i, 1) == 8;
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = OperandBinder.Offset(i.Op1Register);
            op->Handler = wide
                ? &Sse.FromInteger<TFormat, ulong, RegisterSource>
                : &Sse.FromInteger<TFormat, uint, RegisterSource>;
        }
        else
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Handler = wide
                ? &Sse.FromInteger<TFormat, ulong, MemorySource<AnyAddress>>
                : &Sse.FromInteger<TFormat, uint, MemorySource<AnyAddress>>;
        }

        return BindResult.Continue;
    }

    private static BindResult BindToInteger<TFormat, TMemory, TTruncate>(in Instruction i, Op* op, int mode)
        where TFormat : struct, IFloatFormat
        where TMemory : unmanaged
        where TTruncate : struct, IFlag
    {
        op->Destination = OperandBinder.Offset(i.Op0Register);
        bool wide = OperandBinder.Size(i, 0) == 8;
        if (i.Op1Kind == OpKind.Register)
        {
            op->Source = VectorOffset(i.Op1Register);
            op->Handler = wide
                ? &Sse.ToInteger<TFormat, ulong, TTruncate, XmmRegister>
                : &Sse.ToInteger<TFormat, uint, TTruncate, XmmRegister>;
        }
        else
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Handler = wide
                ? &Sse.ToInteger<TFormat, ulong, TTruncate, XmmMemory<TMemory>>
                : &Sse.ToInteger<TFormat, uint, TTruncate, XmmMemory<TMemory>>;
        }

        return BindResult.Continue;
    }

    private static BindResult BindFromMmx(in Instruction i, Op* op, int mode, FloatLane lane)
    {
        op->Link = (Op*)lane;
        op->Handler = SetLaneOperands(i, op, mode) == LaneSource.XmmRegister
            ? &Mmx.ConvertToXmm<XmmRegister>
            : &Mmx.ConvertToXmm<XmmMemory<ulong>>;
        return BindResult.Continue;
    }

    private static BindResult BindToMmx(in Instruction i, Op* op, int mode, FloatLane lane)
    {
        op->Link = (Op*)lane;
        SetLaneOperands(i, op, mode);
        op->Handler = i.Op1Kind == OpKind.Register ? &Mmx.ConvertFromXmm<XmmRegister>
            : i.MemorySize.GetSize() == 8 ? &Mmx.ConvertFromXmm<XmmMemory<ulong>>
            : &Mmx.ConvertFromXmm<AlignedXmmMemory>;
        return BindResult.Continue;
    }
}
