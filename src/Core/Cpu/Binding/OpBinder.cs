using Iced.Intel;
using KprobeTrace.Cpu.Decode;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.State;
using unsafe Handler = delegate*<KprobeTrace.Cpu.State.CpuState*, KprobeTrace.Cpu.State.Op*, KprobeTrace.Cpu.State.Op*>;

namespace KprobeTrace.Cpu.Binding;

/// <summary>Chooses the handler of each instruction and fills in its operands, one family a file.</summary>
internal static unsafe partial class OpBinder
{
    /// <summary>Binds one instruction; what the table does not have raises #UD when it is executed, what is privileged #GP outside ring 0.</summary>
    /// <param name="i">The decoded instruction.</param>
    /// <param name="op">Cleared but for the fields that say where it stands.</param>
    /// <param name="mode">See <see cref="BlockMode"/>.</param>
    /// <param name="flagsDead">The arithmetic flags it sets are overwritten before anything can see them.</param>
    public static BindResult Bind(in Instruction i, Op* op, int mode, bool flagsDead)
    {
        op->Segment = OpBits.NoSegment;
        op->Base = op->Index = CpuState.ZeroRegister;
        ref readonly InstructionRow row = ref InstructionTable.Of(i);
        bool isEncoded = !i.IsInvalid && i.Encoding == EncodingKind.Legacy && (!i.HasLockPrefix || row.MayBeLocked(i));
        BindResult result = isEncoded ? BindFamily(row.Family, i, op, mode, flagsDead) : BindResult.Undefined;
        bool isPrivileged = (mode & BlockMode.Unprivileged) == 0;
        if (result == BindResult.Undefined || (!isPrivileged && (row.Checks & InstructionChecks.Ring0OrUndefined) != 0))
        {
            op->Handler = &SystemOps.Undefined;
            return BindResult.End;
        }

        if (!isPrivileged && (row.Checks & InstructionChecks.Ring0) != 0)
        {
            op->Handler = &SystemOps.GeneralProtection;
        }

        return result;
    }

    /// <summary>What goes before an instruction as an operation of its own; null for most.</summary>
    public static Handler GuardOf(in Instruction i, int mode)
    {
        InstructionChecks checks = InstructionTable.Of(i).Checks;
        if ((mode & BlockMode.Unprivileged) == 0)
        {
            checks &= InstructionChecks.SegmentBases | InstructionChecks.SystemCalls;
        }

        return (checks & ~(InstructionChecks.Ring0 | InstructionChecks.Ring0OrUndefined)) switch
        {
            InstructionChecks.IoPrivilege => &Guards.IoPrivilege,
            InstructionChecks.Umip => &Guards.Umip,
            InstructionChecks.TimestampDisable => &Guards.TimestampDisable,
            InstructionChecks.SegmentBases => &Guards.SegmentBases,
            InstructionChecks.SystemCalls => &Guards.SystemCalls,
            _ => null,
        };
    }

    /// <summary>Binds what is longer than any instruction may be: no undefined encoding, but #GP (Intel SDM vol. 3A §6.15, interrupt 13).</summary>
    public static BindResult BindTooLong(Op* op)
    {
        op->Handler = &SystemOps.GeneralProtection;
        return BindResult.End;
    }

    private static BindResult BindFamily(InstructionFamily family, in Instruction i, Op* op, int mode, bool flagsDead) => family switch
    {
        InstructionFamily.Integer => BindInteger(i, op, mode, flagsDead),
        InstructionFamily.Bits => BindBits(i, op, mode, flagsDead),
        InstructionFamily.Conditional => BindConditional(i, op, mode),
        InstructionFamily.JumpIf => BindJumpIf(i, op),
        InstructionFamily.Branch => BindBranch(i, op, mode),
        InstructionFamily.Stack => BindStack(i, op, mode),
        InstructionFamily.String => BindString(i, op, mode),
        InstructionFamily.System => BindSystem(i, op, mode),
        InstructionFamily.VectorMove => BindVectorMove(i, op, mode),
        InstructionFamily.IntegerLanes => BindIntegerLanes(i, op, mode),
        InstructionFamily.Element => BindElement(i, op, mode),
        InstructionFamily.FloatLanes => BindFloat(i, op, mode),
        InstructionFamily.X87 => BindX87(i, op, mode),
        InstructionFamily.X87Transfer => BindX87Transfer(i, op, mode),
        _ => BindResult.Undefined,
    };
}
