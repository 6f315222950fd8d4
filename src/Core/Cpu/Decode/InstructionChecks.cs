namespace KprobeTrace.Cpu.Decode;

/// <summary>What the processor looks at before it executes an instruction, beyond its operands.</summary>
/// <remarks>Intel SDM vol. 3A §5.9 (privileged instructions), §2.5 (CR4), vol. 1 §20.5 (I/O privilege), vol. 3A §2.5 and table 13-1 (x87, MMX and SSE).</remarks>
[Flags]
internal enum InstructionChecks : ushort
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

    /// <summary>#NM where CR0.EM or CR0.TS is set.</summary>
    X87 = 128,

    /// <summary>#NM where CR0.MP and CR0.TS are set.</summary>
    Wait = 256,

    /// <summary>#UD where CR0.EM is set, or where XMM registers take part and CR4.OSFXSR is clear; #NM where CR0.TS is set.</summary>
    Vector = 512,
}
