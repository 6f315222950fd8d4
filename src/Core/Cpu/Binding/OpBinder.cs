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
    /// <param name="row">What the table says of it.</param>
    /// <param name="op">Cleared but for the fields that say where it stands.</param>
    /// <param name="mode">See <see cref="BlockMode"/>.</param>
    /// <param name="flagsDead">The arithmetic flags it sets are overwritten before anything can see them.</param>
    public static BindResult Bind(in Instruction i, in InstructionRow row, Op* op, int mode, bool flagsDead)
    {
        op->Segment = OpBits.NoSegment;
        op->Base = op->Index = CpuState.ZeroRegister;
        BindResult result = IsEncoded(i, row) ? BindFamily(row.Family, i, op, mode, flagsDead) : BindResult.Undefined;
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
    public static Handler GuardOf(in Instruction i, in InstructionRow row, int mode)
    {
        InstructionChecks checks = row.Checks & LookedAt(mode);
        return checks == InstructionChecks.None || !IsEncoded(i, row) ? null : checks switch
        {
            InstructionChecks.IoPrivilege => &Guards.IoPrivilege,
            InstructionChecks.Umip => &Guards.Umip,
            InstructionChecks.TimestampDisable => &Guards.TimestampDisable,
            InstructionChecks.SegmentBases => &Guards.SegmentBases,
            InstructionChecks.SystemCalls => &Guards.SystemCalls,
            InstructionChecks.X87 => &Guards.X87,
            InstructionChecks.Wait => &Guards.Wait,
            InstructionChecks.Vector => HasOnlyMmx(i, row) ? &Guards.Mmx : &Guards.Sse,
            _ => throw new InvalidOperationException($"{i.Mnemonic} has two guards"),
        };
    }

    /// <summary>The checks that can refuse something in a mode and are not made when code is decoded.</summary>
    private static InstructionChecks LookedAt(int mode)
    {
        InstructionChecks checks = InstructionChecks.SegmentBases | InstructionChecks.SystemCalls;
        if ((mode & BlockMode.Unprivileged) != 0)
        {
            checks |= InstructionChecks.IoPrivilege | InstructionChecks.Umip | InstructionChecks.TimestampDisable;
        }

        if ((mode & BlockMode.FloatGuarded) != 0)
        {
            checks |= InstructionChecks.X87 | InstructionChecks.Wait | InstructionChecks.Vector;
        }

        return checks;
    }

    /// <summary>Whether MMX registers are all that takes part; conversions between MMX and memory are SSE all the same.</summary>
    private static bool HasOnlyMmx(in Instruction i, in InstructionRow row)
    {
        bool mmx = i.Mnemonic == Mnemonic.Emms;
        for (int n = 0; n < i.OpCount; n++)
        {
            if (i.GetOpKind(n) == OpKind.Register)
            {
                Register register = i.GetOpRegister(n);
                if (register.IsXMM())
                {
                    return false;
                }

                mmx |= register.IsMM();
            }
        }

        return mmx && row.Family != InstructionFamily.FloatLanes;
    }

    private static bool IsEncoded(in Instruction i, in InstructionRow row) =>
        !i.IsInvalid && i.Encoding == EncodingKind.Legacy && (!i.HasLockPrefix || row.MayBeLocked(i));

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
