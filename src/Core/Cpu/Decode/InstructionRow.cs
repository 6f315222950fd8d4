using Iced.Intel;

namespace KprobeTrace.Cpu.Decode;

/// <summary>What is known of an instruction before its operands are looked at.</summary>
internal readonly struct InstructionRow
{
    /// <summary>A row for all encodings of a mnemonic that have none of their own.</summary>
    public InstructionRow(Mnemonic mnemonic, InstructionFamily family, InstructionTraits traits = InstructionTraits.None, InstructionChecks check = InstructionChecks.None)
    {
        Mnemonic = mnemonic;
        Family = family;
        Traits = traits;
        Checks = check;
    }

    /// <summary>A row for one encoding.</summary>
    public InstructionRow(Code code, InstructionFamily family, InstructionTraits traits = InstructionTraits.None, InstructionChecks check = InstructionChecks.None)
        : this(code.Mnemonic(), family, traits, check) => Code = code;

    /// <summary>Gets its name.</summary>
    public Mnemonic Mnemonic { get; }

    /// <summary>Gets the encoding it stands for, <see cref="Code.INVALID"/> where it stands for a mnemonic.</summary>
    public Code Code { get; }

    /// <summary>Gets who makes it.</summary>
    public InstructionFamily Family { get; }

    /// <summary>Gets what it does besides its work.</summary>
    public InstructionTraits Traits { get; }

    /// <summary>Gets what is looked at before it executes.</summary>
    public InstructionChecks Checks { get; }

    /// <summary>Tells whether the LOCK prefix of an instruction is allowed.</summary>
    public bool MayBeLocked(in Instruction i) => (Traits & InstructionTraits.Lockable) != 0 && i.Op0Kind == OpKind.Memory;

    /// <summary>Tells whether an instruction reads no flag and can raise nothing.</summary>
    public bool IsPlain(in Instruction i)
    {
        if ((Traits & InstructionTraits.Plain) == 0)
        {
            return false;
        }

        for (int n = 0; n < i.OpCount; n++)
        {
            if (i.GetOpKind(n) == OpKind.Memory && i.Mnemonic != Mnemonic.Lea)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Tells whether an instruction sets all status flags. A shift does by a constant within the narrowest mask of counts, so that it shifts at all.</summary>
    public bool SetsAllFlags(in Instruction i) => (Traits & InstructionTraits.SetsFlags) != 0
        || ((Traits & InstructionTraits.SetsFlagsByConstant) != 0 && i.Op1Kind == OpKind.Immediate8 && (i.Immediate8 & 31) != 0);
}
