namespace KprobeTrace.Memory;

/// <summary>The kind of an access and the mode bits that decide whether a page allows it.</summary>
[Flags]
internal enum PageAccess
{
    /// <summary>A supervisor-mode data read.</summary>
    None = 0,

    /// <summary>A store (or the read half of a read-modify-write).</summary>
    Write = 1,

    /// <summary>An access made at CPL 3, other than to system tables.</summary>
    User = 2,

    /// <summary>An instruction fetch.</summary>
    Fetch = 4,

    /// <summary>CR0.WP is set.</summary>
    WriteProtect = 8,

    /// <summary>EFER.NXE is set.</summary>
    NoExecuteEnabled = 16,

    /// <summary>CR4.SMEP is set.</summary>
    Smep = 32,

    /// <summary>CR4.SMAP is set and EFLAGS.AC does not lift it.</summary>
    Smap = 64,

    /// <summary>Look only: rights are not checked and no accessed or dirty bit is set.</summary>
    Peek = 128,
}
