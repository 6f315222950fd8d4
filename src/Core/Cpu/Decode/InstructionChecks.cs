namespace KprobeTrace.Cpu.Decode;

/// <summary>What the processor looks at before it executes an instruction, beyond its operands.</summary>
/// <remarks>Intel SDM vol. 3A §5.9 (privileged instructions), §2.5 (CR4), vol. 1 §20.5 (I/O privilege).</remarks>
[Flags]
internal enum InstructionChecks : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>#GP(0) unless CPL is 0.</summary>
    Ring0 = 1,

    /// <summary>#UD unless CPL is 0.</summary>
    Ring0OrUndefined = 2,

    /// <summary>#GP(0) where CPL is above IOPL.</summary>
    IoPrivilege = 4,

    /// <summary>#GP(0) where CR4.UMIP is set and CPL is not 0.</summary>
    Umip = 8,

    /// <summary>#GP(0) where CR4.TSD is set and CPL is not 0.</summary>
    TimestampDisable = 16,

    /// <summary>#UD unless CR4.FSGSBASE is set.</summary>
    SegmentBases = 32,

    /// <summary>#UD unless EFER.SCE is set; this comes before <see cref="Ring0"/>.</summary>
    SystemCalls = 64,
}
