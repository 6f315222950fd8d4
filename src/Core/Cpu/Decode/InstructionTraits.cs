namespace KprobeTrace.Cpu.Decode;

/// <summary>What an instruction does besides its work.</summary>
[Flags]
internal enum InstructionTraits : byte
{
    /// <summary>Nothing of it.</summary>
    None = 0,

    /// <summary>May have a LOCK prefix where its destination is in memory (Intel SDM vol. 2, LOCK).</summary>
    Lockable = 1,

    /// <summary>Between registers it raises nothing and reads no flag.</summary>
    Plain = 2,

    /// <summary>Sets all status flags, whatever its operands.</summary>
    SetsFlags = 4,

    /// <summary>Sets all status flags where it shifts by a constant other than zero.</summary>
    SetsFlagsByConstant = 8,
}
