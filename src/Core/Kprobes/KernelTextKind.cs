namespace KprobeTrace.Kprobes;

/// <summary>What kind of kernel text holds an address.</summary>
public enum KernelTextKind
{
    /// <summary>No text of the kernel or of a loaded module.</summary>
    None,

    /// <summary>The kernel's permanent text.</summary>
    Kernel,

    /// <summary>The kernel's init text, gone once the system runs.</summary>
    KernelInit,

    /// <summary>A module's core text.</summary>
    Module,

    /// <summary>A module's init text, gone once the module is live.</summary>
    ModuleInit,
}
