namespace KprobeTrace.Kprobes;

/// <summary>Finds where the kernel's own page tables map an address, whatever CR3 holds; false where they do not.</summary>
internal delegate bool KernelTranslation(ulong address, out ulong physical);
