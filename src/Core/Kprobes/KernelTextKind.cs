namespace KprobeTrace.Kprobes;

/// <summary>What kind of kernel text holds an address.</summary>
internal enum KernelTextKind
{
    /// <summary>No text of the kernel or of a loaded module; the kernel's init text once it is freed.</summary>
    None,

    /// <summary>The kernel's permanent text.</summary>
    Kernel,

    /// <summary>The kernel's init text while it is there.</summary>
    KernelInit,

    /// <summary>A module's core text.</summary>
    Module,

    /// <summary>A module's init text while the module is coming.</summary>
    ModuleInit,

    /// <summary>Text of a module that is going, or init text of one that is live.</summary>
    ModuleGone,
}
