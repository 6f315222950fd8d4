namespace KprobeTrace.Kprobes;

/// <summary>The flags of a probe, with the kernel's values.</summary>
[Flags]
public enum KprobeStatus
{
    /// <summary>None: registered means armed.</summary>
    None = 0,

    /// <summary>The probed text is gone; the probe never fires again.</summary>
    Gone = 1,

    /// <summary>The probe is in the table but silent. The only flag a caller may set.</summary>
    Disabled = 2,

    /// <summary>The pre-handlers are called without raising #BP.</summary>
    Optimized = 4,

    /// <summary>The kernel's mark of probes on ftrace sites; never set here, where those are ordinary instructions.</summary>
    Ftrace = 8,
}
