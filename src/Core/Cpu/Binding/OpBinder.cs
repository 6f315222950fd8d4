using Iced.Intel;
using KprobeTrace.Cpu.Interpret;
using KprobeTrace.Cpu.State;

namespace KprobeTrace.Cpu.Binding;

/// <summary>Chooses the handler of each instruction and fills in its operands, one family a file.</summary>
internal static unsafe partial class OpBinder
{
    /// <summary>Binds one instruction; what no family knows raises #UD when it is executed.</summary>
    /// <param name="i">The decoded instruction.</param>
    /// <param name="op">Cleared but for the fields that say where it stands.</param>
    /// <param name="mode">See <see cref="BlockMode"/>.</param>
    /// <param name="flagsDead">The arithmetic flags it sets are overwritten before anything can see them.</param>
    public static BindResult Bind(in Instruction i, Op* op, int mode, bool flagsDead)
    {
        op->Segment = OpBits.NoSegment;
        op->Base = op->Index = CpuState.ZeroRegister;
        if (i.IsInvalid || (i.HasLockPrefix && !MayBeLocked(i)))
        {
            return Undefined(op);
        }

        BindResult result = BindInteger(i, op, mode, flagsDead);
        if (result == BindResult.Unknown)
        {
            result = BindBranch(i, op, mode);
        }

        if (result == BindResult.Unknown)
        {
            result = BindMisc(i, op, mode, flagsDead);
        }

        if (result == BindResult.Unknown)
        {
            result = BindSystem(i, op, mode);
        }

        if (result == BindResult.Unknown)
        {
            result = BindSimd(i, op, mode);
        }

        return result == BindResult.Unknown ? Undefined(op) : result;
    }

    /// <summary>Binds what is longer than any instruction may be: no undefined encoding, but #GP (Intel SDM vol. 3A §6.15, interrupt 13).</summary>
    public static BindResult BindTooLong(Op* op)
    {
        op->Handler = &SystemOps.GeneralProtection;
        return BindResult.End;
    }

    private static BindResult Undefined(Op* op)
    {
        op->Handler = &SystemOps.Undefined;
        return BindResult.End;
    }

    /// <summary>LOCK is allowed before read-modify-write instructions with a memory destination (Intel SDM vol. 2, LOCK).</summary>
    private static bool MayBeLocked(in Instruction i) =>
        i.Op0Kind == OpKind.Memory && i.Mnemonic is Mnemonic.Adc or Mnemonic.Add or Mnemonic.And or Mnemonic.Btc or Mnemonic.Btr
            or Mnemonic.Bts or Mnemonic.Cmpxchg or Mnemonic.Cmpxchg8b or Mnemonic.Cmpxchg16b or Mnemonic.Dec or Mnemonic.Inc
            or Mnemonic.Neg or Mnemonic.Not or Mnemonic.Or or Mnemonic.Sbb or Mnemonic.Sub or Mnemonic.Xor or Mnemonic.Xadd
            or Mnemonic.Xchg;
}
