namespace KprobeTrace.Cpu.State;

/// <summary>Bits of CR0 (Intel SDM vol. 3A §2.5).</summary>
internal static class Cr0
{
    /// <summary>Protected mode.</summary>
    public const ulong PE = 1 << 0;

    /// <summary>Monitor coprocessor.</summary>
    public const ulong MP = 1 << 1;

    /// <summary>x87 instructions raise #NM, SSE ones #UD.</summary>
    public const ulong EM = 1 << 2;

    /// <summary>Task switched: the next x87 or SSE instruction raises #NM.</summary>
    public const ulong TS = 1 << 3;

    /// <summary>Extension type, always set.</summary>
    public const ulong ET = 1 << 4;

    /// <summary>x87 errors raise #MF.</summary>
    public const ulong NE = 1 << 5;

    /// <summary>Supervisor writes honour read-only pages.</summary>
    public const ulong WP = 1 << 16;

    /// <summary>Alignment checks are possible.</summary>
    public const ulong AM = 1 << 18;

    /// <summary>Not write-through.</summary>
    public const ulong NW = 1 << 29;

    /// <summary>Cache disable.</summary>
    public const ulong CD = 1 << 30;

    /// <summary>Paging.</summary>
    public const ulong PG = 1UL << 31;
}
