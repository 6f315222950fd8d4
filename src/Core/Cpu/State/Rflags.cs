namespace KprobeTrace.Cpu.State;

/// <summary>Bits of RFLAGS (Intel SDM vol. 1 §3.4.3).</summary>
internal static class Rflags
{
    /// <summary>Carry.</summary>
    public const uint CF = 1 << 0;

    /// <summary>Bit 1, always set.</summary>
    public const uint Fixed = 1 << 1;

    /// <summary>Even parity of the result's low byte.</summary>
    public const uint PF = 1 << 2;

    /// <summary>Carry out of bit 3.</summary>
    public const uint AF = 1 << 4;

    /// <summary>Result is zero.</summary>
    public const uint ZF = 1 << 6;

    /// <summary>Result is negative.</summary>
    public const uint SF = 1 << 7;

    /// <summary>Single-step trap.</summary>
    public const uint TF = 1 << 8;

    /// <summary>Maskable interrupts are taken.</summary>
    public const uint IF = 1 << 9;

    /// <summary>String operations go downwards.</summary>
    public const uint DF = 1 << 10;

    /// <summary>Signed overflow.</summary>
    public const uint OF = 1 << 11;

    /// <summary>I/O privilege level, two bits.</summary>
    public const uint IOPL = 3 << 12;

    /// <summary>Nested task.</summary>
    public const uint NT = 1 << 14;

    /// <summary>Resume: instruction breakpoints are ignored for one instruction.</summary>
    public const uint RF = 1 << 16;

    /// <summary>Virtual-8086 mode.</summary>
    public const uint VM = 1 << 17;

    /// <summary>Alignment check, and SMAP override in supervisor mode.</summary>
    public const uint AC = 1 << 18;

    /// <summary>CPUID is present.</summary>
    public const uint ID = 1 << 21;

    /// <summary>The six arithmetic flags.</summary>
    public const uint Status = CF | PF | AF | ZF | SF | OF;
}
