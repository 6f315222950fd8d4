using Iced.Intel;
using KprobeTrace.Cpu.Decode;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.State;
using unsafe Handler = delegate*<KprobeTrace.Cpu.State.CpuState*, KprobeTrace.Cpu.State.Op*, KprobeTrace.Cpu.State.Op*>;

namespace KprobeTrace.Cpu.Binding;

/// <content>Near branches, and compares fused with the conditional jump that follows them.</content>
internal static unsafe partial class OpBinder
{
    /// <summary>
    /// Binds a compare or an operation and the conditional jump after it as one handler; false when the pair has none.
    /// The jump's own operation stands after it, bound by <see cref="Bind"/>, and lends its link.
    /// </summary>
    public static bool TryFuse(in Instruction first, in Instruction jump, in InstructionRow jumpRow, Op* op, int mode)
    {
        if (first.HasLockPrefix || jumpRow.Family != InstructionFamily.JumpIf
            || first.Mnemonic is not (Mnemonic.Cmp or Mnemonic.Test or Mnemonic.Add or Mnemonic.Sub or Mnemonic.And))
        {
            return false;
        }

        op->Segment = OpBits.NoSegment;
        op->Base = op->Index = CpuState.ZeroRegister;
        Handler handler = jump.ConditionCode switch
        {
            ConditionCode.o => Fuse<Conditions.Overflow>(first, op, mode),
            ConditionCode.no => Fuse<Conditions.Not<Conditions.Overflow>>(first, op, mode),
            ConditionCode.b => Fuse<Conditions.Below>(first, op, mode),
            ConditionCode.ae => Fuse<Conditions.Not<Conditions.Below>>(first, op, mode),
            ConditionCode.e => Fuse<Conditions.Equal>(first, op, mode),
            ConditionCode.ne => Fuse<Conditions.Not<Conditions.Equal>>(first, op, mode),
            ConditionCode.be => Fuse<Conditions.BelowOrEqual>(first, op, mode),
            ConditionCode.a => Fuse<Conditions.Not<Conditions.BelowOrEqual>>(first, op, mode),
            ConditionCode.s => Fuse<Conditions.Sign>(first, op, mode),
            ConditionCode.ns => Fuse<Conditions.Not<Conditions.Sign>>(first, op, mode),
            ConditionCode.p => Fuse<Conditions.Parity>(first, op, mode),
            ConditionCode.np => Fuse<Conditions.Not<Conditions.Parity>>(first, op, mode),
            ConditionCode.l => Fuse<Conditions.Less>(first, op, mode),
            ConditionCode.ge => Fuse<Conditions.Not<Conditions.Less>>(first, op, mode),
            ConditionCode.le => Fuse<Conditions.LessOrEqual>(first, op, mode),
            ConditionCode.g => Fuse<Conditions.Not<Conditions.LessOrEqual>>(first, op, mode),
            _ => null,
        };
        if (handler == null)
        {
            return false;
        }

        op->Handler = handler;
        return true;
    }

    private static BindResult BindBranch(in Instruction i, Op* op, int mode)
    {
        bool long64 = (mode & BlockMode.SizeMask) == BlockMode.Code64 && !HasWordOperand(i.Code);
        switch (i.Mnemonic)
        {
            case Mnemonic.Jmp when i.IsJmpShortOrNear:
                op->Immediate = (long)i.NearBranchTarget;
                op->Handler = &Branches.Jump;
                return BindResult.End;
            case Mnemonic.Jmp when i.IsJmpNearIndirect:
                op->Handler = long64 ? JumpIndirect(i, op, mode) : JumpIndirectLegacy(i, op, mode);
                return BindResult.End;
            case Mnemonic.Call when i.IsCallNear:
                op->Immediate = (long)i.NearBranchTarget;
                if (long64)
                {
                    op->Base = Registers.Rsp * 8;
                    op->Displacement = (long)i.NextIP;
                    op->Handler = &Branches.Call64;
                }
                else
                {
                    op->Link = (Op*)i.NextIP;
                    op->Handler = i.Code == Code.Call_rel16 ? &Branches.Call<ushort, ImmediateSource> : &Branches.Call<uint, ImmediateSource>;
                }

                return BindResult.End;
            case Mnemonic.Call when i.IsCallNearIndirect:
                op->Link = (Op*)i.NextIP;
                op->Handler = long64 ? CallIndirect(i, op, mode) : CallIndirectLegacy(i, op, mode);
                return BindResult.End;
            case Mnemonic.Ret:
                op->Base = Registers.Rsp * 8;
                op->Immediate = i.OpCount == 1 ? (long)i.GetImmediate(0) : 0;
                op->Handler = long64 ? &Branches.Return64 : i.Code is Code.Retnw or Code.Retnw_imm16 ? &Branches.Return<ushort> : &Branches.Return<uint>;
                return BindResult.End;
            case Mnemonic.Jcxz or Mnemonic.Jecxz or Mnemonic.Jrcxz:
                op->Immediate = (long)i.NearBranchTarget;
                op->Handler = i.Mnemonic switch
                {
                    Mnemonic.Jcxz => &Branches.JumpIfCounterZero<ushort>,
                    Mnemonic.Jecxz => &Branches.JumpIfCounterZero<uint>,
                    _ => &Branches.JumpIfCounterZero<ulong>,
                };
                return BindResult.EndWithFallThrough;
            case Mnemonic.Loop or Mnemonic.Loope or Mnemonic.Loopne:
                return BindLoop(i, op);
            default:
                return BindResult.Undefined;
        }
    }

    /// <summary>Near CALL, JMP and RET that move 16 bits.</summary>
    private static bool HasWordOperand(Code code) =>
        code is Code.Call_rel16 or Code.Call_rm16 or Code.Jmp_rm16 or Code.Retnw or Code.Retnw_imm16;

    private static BindResult BindJumpIf(in Instruction i, Op* op)
    {
        op->Immediate = (long)i.NearBranchTarget;
        op->Handler = i.ConditionCode switch
        {
            ConditionCode.o => &Branches.JumpIf<Conditions.Overflow>,
            ConditionCode.no => &Branches.JumpIf<Conditions.Not<Conditions.Overflow>>,
            ConditionCode.b => &Branches.JumpIf<Conditions.Below>,
            ConditionCode.ae => &Branches.JumpIf<Conditions.Not<Conditions.Below>>,
            ConditionCode.e => &Branches.JumpIf<Conditions.Equal>,
            ConditionCode.ne => &Branches.JumpIf<Conditions.Not<Conditions.Equal>>,
            ConditionCode.be => &Branches.JumpIf<Conditions.BelowOrEqual>,
            ConditionCode.a => &Branches.JumpIf<Conditions.Not<Conditions.BelowOrEqual>>,
            ConditionCode.s => &Branches.JumpIf<Conditions.Sign>,
            ConditionCode.ns => &Branches.JumpIf<Conditions.Not<Conditions.Sign>>,
            ConditionCode.p => &Branches.JumpIf<Conditions.Parity>,
            ConditionCode.np => &Branches.JumpIf<Conditions.Not<Conditions.Parity>>,
            ConditionCode.l => &Branches.JumpIf<Conditions.Less>,
            ConditionCode.ge => &Branches.JumpIf<Conditions.Not<Conditions.Less>>,
            ConditionCode.le => &Branches.JumpIf<Conditions.LessOrEqual>,
            _ => &Branches.JumpIf<Conditions.Not<Conditions.LessOrEqual>>,
        };
        return BindResult.EndWithFallThrough;
    }

    private static BindResult BindLoop(in Instruction i, Op* op)
    {
        op->Immediate = (long)i.NearBranchTarget;
        op->Source = (ushort)(i.Mnemonic == Mnemonic.Loop ? 0 : IsLoopWhileEqual(i) ? 1 : 2);
        op->Handler = i.Code switch
        {
            Code.Loop_rel8_16_CX or Code.Loope_rel8_16_CX or Code.Loopne_rel8_16_CX
                or Code.Loop_rel8_32_CX or Code.Loope_rel8_32_CX or Code.Loopne_rel8_32_CX => &Branches.Loop<ushort>,
            Code.Loop_rel8_16_RCX or Code.Loope_rel8_16_RCX or Code.Loopne_rel8_16_RCX
                or Code.Loop_rel8_64_RCX or Code.Loope_rel8_64_RCX or Code.Loopne_rel8_64_RCX => &Branches.Loop<ulong>,
            _ => &Branches.Loop<uint>,
        };
        return BindResult.EndWithFallThrough;
    }

    /// <summary>Whether LOOPE or LOOPNE it is: on AMD's processors a REP prefix decides, whatever the opcode.</summary>
    private static bool IsLoopWhileEqual(in Instruction i) =>
        i.HasRepePrefix || (i.Mnemonic == Mnemonic.Loope && !i.HasRepnePrefix);

    private static Handler JumpIndirect(in Instruction i, Op* op, int mode)
    {
        if (i.Op0Kind == OpKind.Register)
        {
            op->Source = OperandBinder.Offset(i.Op0Register);
            return &Branches.JumpIndirect<ulong, RegisterSource>;
        }

        OperandBinder.SetMemory(i, op, mode);
        return &Branches.JumpIndirect<ulong, MemorySource<AnyAddress>>;
    }

    private static Handler CallIndirect(in Instruction i, Op* op, int mode)
    {
        if (i.Op0Kind == OpKind.Register)
        {
            op->Source = OperandBinder.Offset(i.Op0Register);
            return &Branches.CallIndirect64<RegisterSource>;
        }

        OperandBinder.SetMemory(i, op, mode);
        return &Branches.CallIndirect64<MemorySource<AnyAddress>>;
    }

    private static Handler JumpIndirectLegacy(in Instruction i, Op* op, int mode)
    {
        bool narrow = OperandBinder.Size(i, 0) == 2;
        if (i.Op0Kind == OpKind.Register)
        {
            op->Source = OperandBinder.Offset(i.Op0Register);
            return narrow ? &Branches.JumpIndirectLegacy<ushort, RegisterSource> : &Branches.JumpIndirectLegacy<uint, RegisterSource>;
        }

        OperandBinder.SetMemory(i, op, mode);
        return narrow ? &Branches.JumpIndirectLegacy<ushort, MemorySource<AnyAddress>> : &Branches.JumpIndirectLegacy<uint, MemorySource<AnyAddress>>;
    }

    private static Handler CallIndirectLegacy(in Instruction i, Op* op, int mode)
    {
        bool narrow = OperandBinder.Size(i, 0) == 2;
        if (i.Op0Kind == OpKind.Register)
        {
            op->Source = OperandBinder.Offset(i.Op0Register);
            return narrow ? &Branches.Call<ushort, RegisterSource> : &Branches.Call<uint, RegisterSource>;
        }

        OperandBinder.SetMemory(i, op, mode);
        return narrow ? &Branches.Call<ushort, MemorySource<AnyAddress>> : &Branches.Call<uint, MemorySource<AnyAddress>>;
    }

    private static Handler Fuse<TCondition>(in Instruction i, Op* op, int mode)
        where TCondition : struct, Conditions.ICondition
    {
        int size = OperandBinder.Size(i, 0);
        if (i.Op0Kind == OpKind.Register && i.Op0Register.IsGPR())
        {
            op->Destination = OperandBinder.Offset(i.Op0Register);
        }

        bool immediate = i.Op1Kind is not (OpKind.Register or OpKind.Memory);
        if (immediate)
        {
            op->Immediate = (long)i.GetImmediate(1);
        }
        else if (i.Op1Kind == OpKind.Register)
        {
            op->Source = OperandBinder.Offset(i.Op1Register);
        }

        bool toRegister = i.Op0Kind == OpKind.Register;
        switch (i.Mnemonic)
        {
            case Mnemonic.Cmp when toRegister && i.Op1Kind != OpKind.Memory:
                return immediate ? Compare<ImmediateSource, TCondition>(size) : Compare<RegisterSource, TCondition>(size);
            case Mnemonic.Cmp when toRegister:
                return OperandBinder.SetMemory(i, op, mode) switch
                {
                    OperandBinder.AddressKind.Base => Compare<MemorySource<BaseAddress>, TCondition>(size),
                    OperandBinder.AddressKind.Indexed => Compare<MemorySource<IndexedAddress>, TCondition>(size),
                    _ => Compare<MemorySource<AnyAddress>, TCondition>(size),
                };
            case Mnemonic.Cmp:
                OperandBinder.AddressKind kind = OperandBinder.SetMemory(i, op, mode);
                return immediate ? CompareMemory<ImmediateSource, TCondition>(size, kind) : CompareMemory<RegisterSource, TCondition>(size, kind);
            case Mnemonic.Test when toRegister:
                return immediate ? Test<ImmediateSource, TCondition>(size) : Test<RegisterSource, TCondition>(size);
            case Mnemonic.Test:
                kind = OperandBinder.SetMemory(i, op, mode);
                return immediate ? TestMemory<ImmediateSource, TCondition>(size, kind) : TestMemory<RegisterSource, TCondition>(size, kind);
            case Mnemonic.Add when toRegister && immediate:
                return Operate<Alu.Add, ImmediateSource, TCondition>(size);
            case Mnemonic.Sub when toRegister && immediate:
                return Operate<Alu.Sub, ImmediateSource, TCondition>(size);
            case Mnemonic.And when toRegister && immediate:
                return Operate<Alu.And, ImmediateSource, TCondition>(size);
            default:
                return null;
        }
    }

    private static Handler Compare<TSource, TCondition>(int size)
        where TSource : struct, ISource
        where TCondition : struct, Conditions.ICondition => size switch
        {
            1 => &Branches.CompareAndJump<byte, TSource, TCondition>,
            2 => &Branches.CompareAndJump<ushort, TSource, TCondition>,
            4 => &Branches.CompareAndJump<uint, TSource, TCondition>,
            _ => &Branches.CompareAndJump<ulong, TSource, TCondition>,
        };

    private static Handler CompareMemory<TSource, TCondition>(int size, OperandBinder.AddressKind kind)
        where TSource : struct, ISource
        where TCondition : struct, Conditions.ICondition => kind == OperandBinder.AddressKind.Base
            ? CompareMemory<TSource, BaseAddress, TCondition>(size)
            : CompareMemory<TSource, AnyAddress, TCondition>(size);

    private static Handler CompareMemory<TSource, TAddress, TCondition>(int size)
        where TSource : struct, ISource
        where TAddress : struct, IAddress
        where TCondition : struct, Conditions.ICondition => size switch
        {
            1 => &Branches.CompareMemoryAndJump<byte, TSource, TAddress, TCondition>,
            2 => &Branches.CompareMemoryAndJump<ushort, TSource, TAddress, TCondition>,
            4 => &Branches.CompareMemoryAndJump<uint, TSource, TAddress, TCondition>,
            _ => &Branches.CompareMemoryAndJump<ulong, TSource, TAddress, TCondition>,
        };

    private static Handler Test<TSource, TCondition>(int size)
        where TSource : struct, ISource
        where TCondition : struct, Conditions.ICondition => size switch
        {
            1 => &Branches.TestAndJump<byte, TSource, TCondition>,
            2 => &Branches.TestAndJump<ushort, TSource, TCondition>,
            4 => &Branches.TestAndJump<uint, TSource, TCondition>,
            _ => &Branches.TestAndJump<ulong, TSource, TCondition>,
        };

    private static Handler TestMemory<TSource, TCondition>(int size, OperandBinder.AddressKind kind)
        where TSource : struct, ISource
        where TCondition : struct, Conditions.ICondition => kind == OperandBinder.AddressKind.Base
            ? TestMemory<TSource, BaseAddress, TCondition>(size)
            : TestMemory<TSource, AnyAddress, TCondition>(size);

    private static Handler TestMemory<TSource, TAddress, TCondition>(int size)
        where TSource : struct, ISource
        where TAddress : struct, IAddress
        where TCondition : struct, Conditions.ICondition => size switch
        {
            1 => &Branches.TestMemoryAndJump<byte, TSource, TAddress, TCondition>,
            2 => &Branches.TestMemoryAndJump<ushort, TSource, TAddress, TCondition>,
            4 => &Branches.TestMemoryAndJump<uint, TSource, TAddress, TCondition>,
            _ => &Branches.TestMemoryAndJump<ulong, TSource, TAddress, TCondition>,
        };

    private static Handler Operate<TOperation, TSource, TCondition>(int size)
        where TOperation : struct, Alu.IBinary
        where TSource : struct, ISource
        where TCondition : struct, Conditions.ICondition => size switch
        {
            4 => &Branches.OperateAndJump<uint, TOperation, TSource, TCondition>,
            8 => &Branches.OperateAndJump<ulong, TOperation, TSource, TCondition>,
            _ => null,
        };
}
