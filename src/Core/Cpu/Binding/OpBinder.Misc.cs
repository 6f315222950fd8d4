using Iced.Intel;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.State;
using unsafe Handler = delegate*<KprobeTrace.Cpu.State.CpuState*, KprobeTrace.Cpu.State.Op*, KprobeTrace.Cpu.State.Op*>;

namespace KprobeTrace.Cpu.Binding;

/// <content>Shifts, products, bit operations, exchanges, and what a condition decides.</content>
internal static unsafe partial class OpBinder
{
    private static BindResult BindBits(in Instruction i, Op* op, int mode, bool flagsDead)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Shl or Mnemonic.Sal: return BindShift<Shifts.Shl>(i, op, mode, flagsDead);
            case Mnemonic.Shr: return BindShift<Shifts.Shr>(i, op, mode, flagsDead);
            case Mnemonic.Sar: return BindShift<Shifts.Sar>(i, op, mode, flagsDead);
            case Mnemonic.Rol: return BindShift<Shifts.Rol>(i, op, mode, flagsDead);
            case Mnemonic.Ror: return BindShift<Shifts.Ror>(i, op, mode, flagsDead);
            case Mnemonic.Rcl: return BindShift<Shifts.Rcl>(i, op, mode, flagsDead);
            case Mnemonic.Rcr: return BindShift<Shifts.Rcr>(i, op, mode, flagsDead);
            case Mnemonic.Shld: return BindDoubleShift<Yes>(i, op, mode);
            case Mnemonic.Shrd: return BindDoubleShift<No>(i, op, mode);
            case Mnemonic.Mul: return BindWide<No>(i, op, mode);
            case Mnemonic.Imul: return i.OpCount == 1 ? BindWide<Yes>(i, op, mode) : BindNarrowMultiply(i, op, mode, flagsDead);
            case Mnemonic.Div: return BindDivide<No>(i, op, mode);
            case Mnemonic.Idiv: return BindDivide<Yes>(i, op, mode);
            case Mnemonic.Bt: return BindBit<BitOps.Test>(i, op, mode);
            case Mnemonic.Bts: return BindBit<BitOps.Set>(i, op, mode);
            case Mnemonic.Btr: return BindBit<BitOps.Reset>(i, op, mode);
            case Mnemonic.Btc: return BindBit<BitOps.Complement>(i, op, mode);
            case Mnemonic.Bsf or Mnemonic.Tzcnt: return BindScan<No>(i, op, mode);
            case Mnemonic.Bsr or Mnemonic.Lzcnt: return BindScan<Yes>(i, op, mode);
            case Mnemonic.Popcnt: return BindPopulationCount(i, op, mode);
            case Mnemonic.Cmpxchg: return BindCompareExchange(i, op, mode);
            case Mnemonic.Xadd: return BindExchangeAdd(i, op, mode);
            case Mnemonic.Cmpxchg8b:
                OperandBinder.SetMemory(i, op, mode);
                op->Handler = &BitOps.CompareExchangePair<uint>;
                return BindResult.Continue;
            case Mnemonic.Cmpxchg16b:
                OperandBinder.SetMemory(i, op, mode);
                op->Handler = &BitOps.CompareExchangePair<ulong>;
                return BindResult.Continue;
            case Mnemonic.Xchg: return BindExchange(i, op, mode);
            case Mnemonic.Bswap:
                op->Destination = OperandBinder.Offset(i.Op0Register);
                op->Handler = Pick(OperandBinder.Size(i, 0), null, &Moves.ByteSwap<ushort>, &Moves.ByteSwap<uint>, &Moves.ByteSwap<ulong>);
                return BindResult.Continue;
            case Mnemonic.Cbw: return Simple(op, &Moves.ExtendAccumulator<ushort, byte>);
            case Mnemonic.Cwde: return Simple(op, &Moves.ExtendAccumulator<uint, ushort>);
            case Mnemonic.Cdqe: return Simple(op, &Moves.ExtendAccumulator<ulong, uint>);
            case Mnemonic.Cwd: return Simple(op, &Moves.ExtendIntoDx<ushort>);
            case Mnemonic.Cdq: return Simple(op, &Moves.ExtendIntoDx<uint>);
            case Mnemonic.Cqo: return Simple(op, &Moves.ExtendIntoDx<ulong>);
            case Mnemonic.Xlatb:
                OperandBinder.SetString(i, op, mode, i.MemoryBase.GetSize());
                op->Base = Registers.Rbx * 8;
                op->Handler = &Moves.Translate;
                return BindResult.Continue;
            case Mnemonic.Nop: return Simple(op, &SystemOps.Nothing);
            case Mnemonic.Pause: return Simple(op, &SystemOps.Nothing);
            case Mnemonic.Reservednop:
                return IsPrefetch(i.Code) && i.Op0Kind != OpKind.Memory ? BindResult.Undefined : Simple(op, &SystemOps.Nothing);
            default: return BindResult.Undefined;
        }
    }

    /// <summary>0F 0D, of which AMD's processors have the forms with memory only.</summary>
    private static bool IsPrefetch(Code code) =>
        code is Code.Reservednop_rm16_r16_0F0D or Code.Reservednop_rm32_r32_0F0D or Code.Reservednop_rm64_r64_0F0D;

    private static BindResult Simple(Op* op, Handler handler)
    {
        op->Handler = handler;
        return BindResult.Continue;
    }

    private static Handler Pick(int size, Handler h1, Handler h2, Handler h4, Handler h8) => size switch { 1 => h1, 2 => h2, 4 => h4, _ => h8 };

    private static BindResult BindShift<TShift>(in Instruction i, Op* op, int mode, bool flagsDead)
        where TShift : struct, Shifts.IShift
    {
        int size = OperandBinder.Size(i, 0);
        bool memory = i.Op0Kind == OpKind.Memory;
        if (memory)
        {
            OperandBinder.SetMemory(i, op, mode);
        }
        else
        {
            op->Destination = OperandBinder.Offset(i.Op0Register);
        }

        if (i.Op1Kind == OpKind.Register)
        {
            op->Handler = memory
                ? Pick(size, &Shifts.MemoryByCl<byte, TShift>, &Shifts.MemoryByCl<ushort, TShift>, &Shifts.MemoryByCl<uint, TShift>, &Shifts.MemoryByCl<ulong, TShift>)
                : Pick(size, &Shifts.RegisterByCl<byte, TShift>, &Shifts.RegisterByCl<ushort, TShift>, &Shifts.RegisterByCl<uint, TShift>, &Shifts.RegisterByCl<ulong, TShift>);
            return BindResult.Continue;
        }

        op->Immediate = (long)i.GetImmediate(1) & (size == 8 ? 63 : 31);
        if (memory)
        {
            op->Handler = Pick(size, &Shifts.MemoryByImmediate<byte, TShift>, &Shifts.MemoryByImmediate<ushort, TShift>, &Shifts.MemoryByImmediate<uint, TShift>, &Shifts.MemoryByImmediate<ulong, TShift>);
        }
        else if (op->Immediate == 0)
        {
            // A count of zero changes nothing but the upper half of a 32-bit register.
            op->Source = op->Destination;
            op->Handler = size == 4 ? &Moves.ToRegister<uint, uint, RegisterSource> : &SystemOps.Nothing;
        }
        else
        {
            op->Handler = flagsDead ? ShiftByImmediate<TShift, No>(size) : ShiftByImmediate<TShift, Yes>(size);
        }

        return BindResult.Continue;
    }

    private static Handler ShiftByImmediate<TShift, TFlags>(int size)
        where TShift : struct, Shifts.IShift
        where TFlags : struct, IFlag =>
        Pick(size, &Shifts.RegisterByImmediate<byte, TShift, TFlags>, &Shifts.RegisterByImmediate<ushort, TShift, TFlags>, &Shifts.RegisterByImmediate<uint, TShift, TFlags>, &Shifts.RegisterByImmediate<ulong, TShift, TFlags>);

    private static BindResult BindDoubleShift<TLeft>(in Instruction i, Op* op, int mode)
        where TLeft : struct, IFlag
    {
        int size = OperandBinder.Size(i, 0);
        op->Source = OperandBinder.Offset(i.Op1Register);
        bool byCl = i.Op2Kind == OpKind.Register;
        op->Immediate = byCl ? 0 : (long)i.GetImmediate(2) & (size == 8 ? 63 : 31);
        if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Handler = byCl
                ? Pick(size, null, &Shifts.DoubleMemory<ushort, TLeft, Yes>, &Shifts.DoubleMemory<uint, TLeft, Yes>, &Shifts.DoubleMemory<ulong, TLeft, Yes>)
                : Pick(size, null, &Shifts.DoubleMemory<ushort, TLeft, No>, &Shifts.DoubleMemory<uint, TLeft, No>, &Shifts.DoubleMemory<ulong, TLeft, No>);
            return BindResult.Continue;
        }

        op->Destination = OperandBinder.Offset(i.Op0Register);
        op->Handler = byCl
            ? Pick(size, null, &Shifts.DoubleRegister<ushort, TLeft, Yes>, &Shifts.DoubleRegister<uint, TLeft, Yes>, &Shifts.DoubleRegister<ulong, TLeft, Yes>)
            : Pick(size, null, &Shifts.DoubleRegister<ushort, TLeft, No>, &Shifts.DoubleRegister<uint, TLeft, No>, &Shifts.DoubleRegister<ulong, TLeft, No>);
        return BindResult.Continue;
    }

    /// <summary>Fills in operand <paramref name="n"/> as the source; true when it is memory.</summary>
    private static bool SetSource(in Instruction i, int n, Op* op, int mode)
    {
        if (i.GetOpKind(n) == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
            return true;
        }

        op->Source = OperandBinder.Offset(i.GetOpRegister(n));
        return false;
    }

    private static BindResult BindWide<TSigned>(in Instruction i, Op* op, int mode)
        where TSigned : struct, IFlag
    {
        int size = OperandBinder.Size(i, 0);
        op->Handler = SetSource(i, 0, op, mode) ? Wide<MemorySource<AnyAddress>, TSigned>(size) : Wide<RegisterSource, TSigned>(size);
        return BindResult.Continue;
    }

    private static Handler Wide<TSource, TSigned>(int size)
        where TSource : struct, ISource
        where TSigned : struct, IFlag =>
        Pick(size, &MultiplyDivide.Wide<byte, TSource, TSigned>, &MultiplyDivide.Wide<ushort, TSource, TSigned>, &MultiplyDivide.Wide<uint, TSource, TSigned>, &MultiplyDivide.Wide<ulong, TSource, TSigned>);

    private static BindResult BindDivide<TSigned>(in Instruction i, Op* op, int mode)
        where TSigned : struct, IFlag
    {
        int size = OperandBinder.Size(i, 0);
        op->Handler = SetSource(i, 0, op, mode) ? Divide<MemorySource<AnyAddress>, TSigned>(size) : Divide<RegisterSource, TSigned>(size);
        return BindResult.Continue;
    }

    private static Handler Divide<TSource, TSigned>(int size)
        where TSource : struct, ISource
        where TSigned : struct, IFlag =>
        Pick(size, &MultiplyDivide.Divide<byte, TSource, TSigned>, &MultiplyDivide.Divide<ushort, TSource, TSigned>, &MultiplyDivide.Divide<uint, TSource, TSigned>, &MultiplyDivide.Divide<ulong, TSource, TSigned>);

    private static BindResult BindNarrowMultiply(in Instruction i, Op* op, int mode, bool flagsDead)
    {
        int size = OperandBinder.Size(i, 0);
        op->Destination = OperandBinder.Offset(i.Op0Register);
        bool memory = SetSource(i, 1, op, mode);
        if (i.OpCount == 3)
        {
            op->Immediate = size switch
            {
                2 => (short)i.GetImmediate(2),
                4 => (int)i.GetImmediate(2),
                _ => (long)i.GetImmediate(2),
            };
            op->Handler = memory ? Narrow<MemorySource<AnyAddress>, Yes, Yes>(size)
                : flagsDead ? Narrow<RegisterSource, Yes, No>(size) : Narrow<RegisterSource, Yes, Yes>(size);
        }
        else
        {
            op->Handler = memory ? Narrow<MemorySource<AnyAddress>, No, Yes>(size)
                : flagsDead ? Narrow<RegisterSource, No, No>(size) : Narrow<RegisterSource, No, Yes>(size);
        }

        return BindResult.Continue;
    }

    private static Handler Narrow<TSource, TImmediate, TFlags>(int size)
        where TSource : struct, ISource
        where TImmediate : struct, IFlag
        where TFlags : struct, IFlag =>
        Pick(size, null, &MultiplyDivide.Narrow<ushort, TSource, TImmediate, TFlags>, &MultiplyDivide.Narrow<uint, TSource, TImmediate, TFlags>, &MultiplyDivide.Narrow<ulong, TSource, TImmediate, TFlags>);

    private static BindResult BindBit<TChange>(in Instruction i, Op* op, int mode)
        where TChange : struct, BitOps.IBitChange
    {
        int size = OperandBinder.Size(i, 0);
        bool byRegister = i.Op1Kind == OpKind.Register;
        if (byRegister)
        {
            op->Source = OperandBinder.Offset(i.Op1Register);
        }
        else
        {
            op->Immediate = (long)i.GetImmediate(1);
        }

        if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Handler = byRegister
                ? Pick(size, null, &BitOps.Memory<ushort, RegisterSource, TChange>, &BitOps.Memory<uint, RegisterSource, TChange>, &BitOps.Memory<ulong, RegisterSource, TChange>)
                : Pick(size, null, &BitOps.Memory<ushort, ImmediateSource, TChange>, &BitOps.Memory<uint, ImmediateSource, TChange>, &BitOps.Memory<ulong, ImmediateSource, TChange>);
            return BindResult.Continue;
        }

        op->Destination = OperandBinder.Offset(i.Op0Register);
        op->Handler = byRegister
            ? Pick(size, null, &BitOps.Register<ushort, RegisterSource, TChange>, &BitOps.Register<uint, RegisterSource, TChange>, &BitOps.Register<ulong, RegisterSource, TChange>)
            : Pick(size, null, &BitOps.Register<ushort, ImmediateSource, TChange>, &BitOps.Register<uint, ImmediateSource, TChange>, &BitOps.Register<ulong, ImmediateSource, TChange>);
        return BindResult.Continue;
    }

    /// <summary>Without BMI the encodings of TZCNT and LZCNT are BSF and BSR with a prefix that means nothing.</summary>
    private static BindResult BindScan<TReverse>(in Instruction i, Op* op, int mode)
        where TReverse : struct, IFlag
    {
        int size = OperandBinder.Size(i, 0);
        op->Destination = OperandBinder.Offset(i.Op0Register);
        op->Handler = SetSource(i, 1, op, mode)
            ? Pick(size, null, &BitOps.Scan<ushort, MemorySource<AnyAddress>, TReverse>, &BitOps.Scan<uint, MemorySource<AnyAddress>, TReverse>, &BitOps.Scan<ulong, MemorySource<AnyAddress>, TReverse>)
            : Pick(size, null, &BitOps.Scan<ushort, RegisterSource, TReverse>, &BitOps.Scan<uint, RegisterSource, TReverse>, &BitOps.Scan<ulong, RegisterSource, TReverse>);
        return BindResult.Continue;
    }

    private static BindResult BindPopulationCount(in Instruction i, Op* op, int mode)
    {
        int size = OperandBinder.Size(i, 0);
        op->Destination = OperandBinder.Offset(i.Op0Register);
        op->Handler = SetSource(i, 1, op, mode)
            ? Pick(size, null, &BitOps.PopulationCount<ushort, MemorySource<AnyAddress>>, &BitOps.PopulationCount<uint, MemorySource<AnyAddress>>, &BitOps.PopulationCount<ulong, MemorySource<AnyAddress>>)
            : Pick(size, null, &BitOps.PopulationCount<ushort, RegisterSource>, &BitOps.PopulationCount<uint, RegisterSource>, &BitOps.PopulationCount<ulong, RegisterSource>);
        return BindResult.Continue;
    }

    private static BindResult BindCompareExchange(in Instruction i, Op* op, int mode)
    {
        int size = OperandBinder.Size(i, 0);
        op->Source = OperandBinder.Offset(i.Op1Register);
        if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Handler = Pick(size, &BitOps.CompareExchangeMemory<byte>, &BitOps.CompareExchangeMemory<ushort>, &BitOps.CompareExchangeMemory<uint>, &BitOps.CompareExchangeMemory<ulong>);
        }
        else
        {
            op->Destination = OperandBinder.Offset(i.Op0Register);
            op->Handler = Pick(size, &BitOps.CompareExchangeRegister<byte>, &BitOps.CompareExchangeRegister<ushort>, &BitOps.CompareExchangeRegister<uint>, &BitOps.CompareExchangeRegister<ulong>);
        }

        return BindResult.Continue;
    }

    private static BindResult BindExchangeAdd(in Instruction i, Op* op, int mode)
    {
        int size = OperandBinder.Size(i, 0);
        op->Source = OperandBinder.Offset(i.Op1Register);
        if (i.Op0Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Handler = Pick(size, &BitOps.ExchangeAddMemory<byte>, &BitOps.ExchangeAddMemory<ushort>, &BitOps.ExchangeAddMemory<uint>, &BitOps.ExchangeAddMemory<ulong>);
        }
        else
        {
            op->Destination = OperandBinder.Offset(i.Op0Register);
            op->Handler = Pick(size, &BitOps.ExchangeAddRegister<byte>, &BitOps.ExchangeAddRegister<ushort>, &BitOps.ExchangeAddRegister<uint>, &BitOps.ExchangeAddRegister<ulong>);
        }

        return BindResult.Continue;
    }

    private static BindResult BindExchange(in Instruction i, Op* op, int mode)
    {
        int size = OperandBinder.Size(i, 0);
        if (i.Op0Kind == OpKind.Memory || i.Op1Kind == OpKind.Memory)
        {
            OperandBinder.SetMemory(i, op, mode);
            op->Source = OperandBinder.Offset(i.Op0Kind == OpKind.Memory ? i.Op1Register : i.Op0Register);
            op->Handler = Pick(size, &Moves.ExchangeMemory<byte>, &Moves.ExchangeMemory<ushort>, &Moves.ExchangeMemory<uint>, &Moves.ExchangeMemory<ulong>);
        }
        else
        {
            op->Destination = OperandBinder.Offset(i.Op0Register);
            op->Source = OperandBinder.Offset(i.Op1Register);
            op->Handler = Pick(size, &Moves.ExchangeRegisters<byte>, &Moves.ExchangeRegisters<ushort>, &Moves.ExchangeRegisters<uint>, &Moves.ExchangeRegisters<ulong>);
        }

        return BindResult.Continue;
    }

    private static BindResult BindConditional(in Instruction i, Op* op, int mode) => i.ConditionCode switch
    {
        ConditionCode.o => BindConditional<Conditions.Overflow>(i, op, mode),
        ConditionCode.no => BindConditional<Conditions.Not<Conditions.Overflow>>(i, op, mode),
        ConditionCode.b => BindConditional<Conditions.Below>(i, op, mode),
        ConditionCode.ae => BindConditional<Conditions.Not<Conditions.Below>>(i, op, mode),
        ConditionCode.e => BindConditional<Conditions.Equal>(i, op, mode),
        ConditionCode.ne => BindConditional<Conditions.Not<Conditions.Equal>>(i, op, mode),
        ConditionCode.be => BindConditional<Conditions.BelowOrEqual>(i, op, mode),
        ConditionCode.a => BindConditional<Conditions.Not<Conditions.BelowOrEqual>>(i, op, mode),
        ConditionCode.s => BindConditional<Conditions.Sign>(i, op, mode),
        ConditionCode.ns => BindConditional<Conditions.Not<Conditions.Sign>>(i, op, mode),
        ConditionCode.p => BindConditional<Conditions.Parity>(i, op, mode),
        ConditionCode.np => BindConditional<Conditions.Not<Conditions.Parity>>(i, op, mode),
        ConditionCode.l => BindConditional<Conditions.Less>(i, op, mode),
        ConditionCode.ge => BindConditional<Conditions.Not<Conditions.Less>>(i, op, mode),
        ConditionCode.le => BindConditional<Conditions.LessOrEqual>(i, op, mode),
        ConditionCode.g => BindConditional<Conditions.Not<Conditions.LessOrEqual>>(i, op, mode),
        _ => BindResult.Undefined,
    };

    private static BindResult BindConditional<TCondition>(in Instruction i, Op* op, int mode)
        where TCondition : struct, Conditions.ICondition
    {
        if (i.OpCount == 1 && OperandBinder.Size(i, 0) == 1)
        {
            if (i.Op0Kind == OpKind.Memory)
            {
                OperandBinder.SetMemory(i, op, mode);
                return Simple(op, &Moves.SetMemory<TCondition>);
            }

            op->Destination = OperandBinder.Offset(i.Op0Register);
            return Simple(op, &Moves.SetRegister<TCondition>);
        }

        op->Destination = OperandBinder.Offset(i.Op0Register);
        int size = OperandBinder.Size(i, 0);
        op->Handler = SetSource(i, 1, op, mode)
            ? Pick(size, null, &Moves.Conditional<ushort, MemorySource<AnyAddress>, TCondition>, &Moves.Conditional<uint, MemorySource<AnyAddress>, TCondition>, &Moves.Conditional<ulong, MemorySource<AnyAddress>, TCondition>)
            : Pick(size, null, &Moves.Conditional<ushort, RegisterSource, TCondition>, &Moves.Conditional<uint, RegisterSource, TCondition>, &Moves.Conditional<ulong, RegisterSource, TCondition>);
        return BindResult.Continue;
    }
}
