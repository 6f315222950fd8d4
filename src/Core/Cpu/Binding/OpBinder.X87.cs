using Iced.Intel;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;
using unsafe Worker = delegate*<KprobeTrace.Cpu.State.CpuState*, KprobeTrace.Cpu.State.Op*, bool>;

namespace KprobeTrace.Cpu.Binding;

/// <content>x87.</content>
internal static unsafe partial class OpBinder
{
    private static BindResult BindX87(in Instruction i, Op* op, int mode)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Fadd or Mnemonic.Faddp or Mnemonic.Fiadd: return BindArithmetic<X87.Add>(i, op, mode);
            case Mnemonic.Fsub or Mnemonic.Fsubp or Mnemonic.Fisub: return BindArithmetic<X87.Subtract>(i, op, mode);
            case Mnemonic.Fsubr or Mnemonic.Fsubrp or Mnemonic.Fisubr: return BindArithmetic<X87.SubtractReversed>(i, op, mode);
            case Mnemonic.Fmul or Mnemonic.Fmulp or Mnemonic.Fimul: return BindArithmetic<X87.Multiply>(i, op, mode);
            case Mnemonic.Fdiv or Mnemonic.Fdivp or Mnemonic.Fidiv: return BindArithmetic<X87.Divide>(i, op, mode);
            case Mnemonic.Fdivr or Mnemonic.Fdivrp or Mnemonic.Fidivr: return BindArithmetic<X87.DivideReversed>(i, op, mode);
            case Mnemonic.Fcom: return BindCompare<Yes>(i, op, mode, 0);
            case Mnemonic.Fcomp: return BindCompare<Yes>(i, op, mode, 1);
            case Mnemonic.Fcompp: return BindCompare<Yes>(i, op, mode, 2);
            case Mnemonic.Ficom: return BindCompare<Yes>(i, op, mode, 0);
            case Mnemonic.Ficomp: return BindCompare<Yes>(i, op, mode, 1);
            case Mnemonic.Fucom: return BindCompare<No>(i, op, mode, 0);
            case Mnemonic.Fucomp: return BindCompare<No>(i, op, mode, 1);
            case Mnemonic.Fucompp: return BindCompare<No>(i, op, mode, 2);
            case Mnemonic.Fcomi: return BindStack(i, op, &X87.CompareFlags<Yes>, 0);
            case Mnemonic.Fcomip: return BindStack(i, op, &X87.CompareFlags<Yes>, 1);
            case Mnemonic.Fucomi: return BindStack(i, op, &X87.CompareFlags<No>, 0);
            case Mnemonic.Fucomip: return BindStack(i, op, &X87.CompareFlags<No>, 1);
            case Mnemonic.Ftst: return BindStack(i, op, &X87.Test, 0);
            case Mnemonic.Fxam: return BindStack(i, op, &X87.Examine, 0);
            case Mnemonic.Fxch: return BindStack(i, op, &X87.Exchange, 0);
            case Mnemonic.Fchs: return BindStack(i, op, &X87.ChangeSign, 0);
            case Mnemonic.Fabs: return BindStack(i, op, &X87.Absolute, 0);
            case Mnemonic.Fsqrt: return BindStack(i, op, &X87.SquareRoot, 0);
            case Mnemonic.Frndint: return BindStack(i, op, &X87.RoundToIntegral, 0);
            case Mnemonic.Fscale: return BindStack(i, op, &X87.Scale, 0);
            case Mnemonic.Fprem: return BindStack(i, op, &X87.Remainder<No>, 0);
            case Mnemonic.Fprem1: return BindStack(i, op, &X87.Remainder<Yes>, 0);
            case Mnemonic.Fxtract: return BindStack(i, op, &X87.Extract, 0);
            case Mnemonic.F2xm1: return BindStack(i, op, &X87.PowerOfTwoMinusOne, 0);
            case Mnemonic.Fyl2x: return BindStack(i, op, &X87.Logarithm, 1);
            case Mnemonic.Fyl2xp1: return BindStack(i, op, &X87.LogarithmOfOnePlus, 1);
            case Mnemonic.Fpatan: return BindStack(i, op, &X87.Arctangent, 1);
            case Mnemonic.Fptan: return BindStack(i, op, &X87.Tangent, 0);
            case Mnemonic.Fsin: return BindStack(i, op, &X87.Sine, 0);
            case Mnemonic.Fcos: return BindStack(i, op, &X87.Cosine, 0);
            case Mnemonic.Fsincos: return BindStack(i, op, &X87.SineAndCosine, 0);
            case Mnemonic.Fcmovb: return BindConditionalMove(i, op, 1);
            case Mnemonic.Fcmove: return BindConditionalMove(i, op, 2);
            case Mnemonic.Fcmovbe: return BindConditionalMove(i, op, 3);
            case Mnemonic.Fcmovu: return BindConditionalMove(i, op, 4);
            case Mnemonic.Fcmovnb: return BindConditionalMove(i, op, 9);
            case Mnemonic.Fcmovne: return BindConditionalMove(i, op, 10);
            case Mnemonic.Fcmovnbe: return BindConditionalMove(i, op, 11);
            case Mnemonic.Fcmovnu: return BindConditionalMove(i, op, 12);
            case Mnemonic.Fld1: return BindConstant(i, op, 0);
            case Mnemonic.Fldl2t: return BindConstant(i, op, 1);
            case Mnemonic.Fldl2e: return BindConstant(i, op, 2);
            case Mnemonic.Fldpi: return BindConstant(i, op, 3);
            case Mnemonic.Fldlg2: return BindConstant(i, op, 4);
            case Mnemonic.Fldln2: return BindConstant(i, op, 5);
            case Mnemonic.Fldz: return BindConstant(i, op, 6);
            default: return BindResult.Undefined;
        }
    }

    private static BindResult BindX87Transfer(in Instruction i, Op* op, int mode)
    {
        int size = i.OpCount > 0 && i.Op0Kind == OpKind.Memory ? i.MemorySize.GetSize() : 0;
        switch (i.Mnemonic)
        {
            case Mnemonic.Fld when size == 0: return BindStack(i, op, &X87.LoadRegister, 0);
            case Mnemonic.Fld: return BindMemory(i, op, mode, PickFloat(size, &X87.LoadSingle, &X87.LoadDouble, &X87.LoadExtended), 0);
            case Mnemonic.Fst when size == 0: return BindStack(i, op, &X87.StoreRegister, 0);
            case Mnemonic.Fst: return BindMemory(i, op, mode, PickFloat(size, &X87.StoreSingle, &X87.StoreDouble, null), 0);
            case Mnemonic.Fstpnce: return BindStack(i, op, &X87.StoreRegisterQuietly, 1);
            case Mnemonic.Fstp when size == 0: return BindStack(i, op, &X87.StoreRegister, 1);
            case Mnemonic.Fstp: return BindMemory(i, op, mode, PickFloat(size, &X87.StoreSingle, &X87.StoreDouble, &X87.StoreExtended), 1);
            case Mnemonic.Fild:
                return BindMemory(i, op, mode, PickInteger(size, &X87.LoadInteger<ushort>, &X87.LoadInteger<uint>, &X87.LoadInteger<ulong>), 0);
            case Mnemonic.Fist or Mnemonic.Fistp:
                return BindMemory(
                    i, op, mode,
                    PickInteger(size, &X87.StoreInteger<ushort, No>, &X87.StoreInteger<uint, No>, &X87.StoreInteger<ulong, No>),
                    i.Mnemonic == Mnemonic.Fistp ? 1 : 0);
            case Mnemonic.Fisttp:
                return BindMemory(
                    i, op, mode,
                    PickInteger(size, &X87.StoreInteger<ushort, Yes>, &X87.StoreInteger<uint, Yes>, &X87.StoreInteger<ulong, Yes>),
                    1);
            case Mnemonic.Fbld: return BindMemory(i, op, mode, &X87.LoadDecimal, 0);
            case Mnemonic.Fbstp: return BindMemory(i, op, mode, &X87.StoreDecimal, 1);
            case Mnemonic.Ffree: return BindControl(i, op, mode, &X87.Free, 0, waits: true);
            case Mnemonic.Ffreep: return BindControl(i, op, mode, &X87.Free, 1, waits: true);
            case Mnemonic.Fincstp: return BindControl(i, op, mode, &X87.IncrementTop, 0, waits: true);
            case Mnemonic.Fdecstp: return BindControl(i, op, mode, &X87.DecrementTop, 0, waits: true);
            case Mnemonic.Fnop: return BindControl(i, op, mode, &X87.Nothing, 0, waits: true);
            case Mnemonic.Fneni or Mnemonic.Fndisi or Mnemonic.Fnsetpm: return BindControl(i, op, mode, &X87.Nothing, 0, waits: false);
            case Mnemonic.Wait: return Simple(op, &X87.Wait);
            case Mnemonic.Fninit: return BindControl(i, op, mode, &X87.Initialize, 0, waits: false);
            case Mnemonic.Fnclex: return BindControl(i, op, mode, &X87.ClearExceptions, 0, waits: false);
            case Mnemonic.Fnstcw: return BindControl(i, op, mode, &X87.StoreControl, 0, waits: false);
            case Mnemonic.Fldcw: return BindControl(i, op, mode, &X87.LoadControl, 0, waits: true);
            case Mnemonic.Fnstsw: return BindControl(i, op, mode, size == 0 ? &X87.StoreStatusAx : &X87.StoreStatus, 0, waits: false);
            case Mnemonic.Fnstenv:
                return BindControl(i, op, mode, size == 14 ? &X87.StoreEnvironment16 : &X87.StoreEnvironment32, 0, waits: false);
            case Mnemonic.Fldenv:
                return BindControl(i, op, mode, size == 14 ? &X87.LoadEnvironment16 : &X87.LoadEnvironment32, 0, waits: true);
            case Mnemonic.Fnsave: return BindControl(i, op, mode, size == 94 ? &X87.Save16 : &X87.Save32, 0, waits: false);
            case Mnemonic.Frstor: return BindControl(i, op, mode, size == 94 ? &X87.Restore16 : &X87.Restore32, 0, waits: true);
            default: return BindResult.Undefined;
        }
    }

    private static Worker PickFloat(int size, Worker h4, Worker h8, Worker h10) => size switch { 4 => h4, 8 => h8, _ => h10 };

    private static Worker PickInteger(int size, Worker h2, Worker h4, Worker h8) => size switch { 2 => h2, 4 => h4, _ => h8 };

    /// <summary>An operation on stack registers: the first operand is the destination, the last one the source.</summary>
    private static BindResult BindStack(in Instruction i, Op* op, Worker worker, int pops)
    {
        op->Destination = i.OpCount > 0 ? (ushort)(i.Op0Register - Register.ST0) : (ushort)0;
        op->Source = i.OpCount > 1 ? (ushort)(i.Op1Register - Register.ST0)
            : i.OpCount > 0 ? op->Destination
            : (ushort)1;
        op->Immediate = pops;
        op->Link = (Op*)worker;
        op->Handler = &X87.Waiting;
        return BindResult.Continue;
    }

    private static BindResult BindMemory(in Instruction i, Op* op, int mode, Worker worker, int pops)
    {
        OperandBinder.SetMemory(i, op, mode);
        op->Bits |= OpBits.Family;
        op->Immediate = pops;
        op->Link = (Op*)worker;
        op->Handler = &X87.Waiting;
        return BindResult.Continue;
    }

    private static BindResult BindControl(in Instruction i, Op* op, int mode, Worker worker, int pops, bool waits)
    {
        if (i.OpCount > 0 && i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
        }
        else if (i.OpCount > 0 && i.Op0Register.IsST())
        {
            op->Destination = (ushort)(i.Op0Register - Register.ST0);
        }

        op->Immediate = pops;
        op->Link = (Op*)worker;
        op->Handler = waits ? &X87.WaitingControl : &X87.Control;
        return BindResult.Continue;
    }

    private static BindResult BindConstant(in Instruction i, Op* op, int number)
    {
        BindStack(i, op, &X87.LoadConstant, 0);
        op->Source = (ushort)number;
        return BindResult.Continue;
    }

    private static BindResult BindConditionalMove(in Instruction i, Op* op, int condition)
    {
        BindStack(i, op, &X87.ConditionalMove, 0);
        op->Destination = (ushort)condition;
        return BindResult.Continue;
    }

    private static BindResult BindArithmetic<TOperation>(in Instruction i, Op* op, int mode)
        where TOperation : struct, IX87Operation
    {
        if (i.Op0Kind != OpKind.Memory)
        {
            bool pops = i.Mnemonic is Mnemonic.Faddp or Mnemonic.Fsubp or Mnemonic.Fsubrp or Mnemonic.Fmulp
                or Mnemonic.Fdivp or Mnemonic.Fdivrp;
            return BindStack(i, op, &X87.Arithmetic<TOperation>, pops ? 1 : 0);
        }

        return BindMemory(i, op, mode, i.MemorySize switch
        {
            MemorySize.Float32 => &X87.ArithmeticMemory<TOperation, X87.Single>,
            MemorySize.Float64 => &X87.ArithmeticMemory<TOperation, X87.Double>,
            MemorySize.Int16 => &X87.ArithmeticMemory<TOperation, X87.Integer<ushort>>,
            _ => &X87.ArithmeticMemory<TOperation, X87.Integer<uint>>,
        }, 0);
    }

    private static BindResult BindCompare<TSignals>(in Instruction i, Op* op, int mode, int pops)
        where TSignals : struct, IFlag
    {
        if (i.OpCount == 0 || i.Op0Kind != OpKind.Memory)
        {
            return BindStack(i, op, &X87.Compare<TSignals>, pops);
        }

        return BindMemory(i, op, mode, i.MemorySize switch
        {
            MemorySize.Float32 => &X87.CompareMemory<X87.Single>,
            MemorySize.Float64 => &X87.CompareMemory<X87.Double>,
            MemorySize.Int16 => &X87.CompareMemory<X87.Integer<ushort>>,
            _ => &X87.CompareMemory<X87.Integer<uint>>,
        }, pops);
    }
}
