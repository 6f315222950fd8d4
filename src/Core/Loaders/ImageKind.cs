namespace KprobeTrace.Loaders;

/// <summary>What kind of file a kernel image is, which decides how it is placed in memory and entered.</summary>
internal enum ImageKind
{
    /// <summary>A Linux bzImage whose compressed ELF was unpacked on the host; the ELF is entered directly.</summary>
    BzImage,

    /// <summary>A Linux bzImage whose payload is no compressed ELF; its own 64-bit or 32-bit entry point is used.</summary>
    BzImageRaw,

    /// <summary>An uncompressed Linux kernel in ELF64 form (vmlinux).</summary>
    LinuxElf,

    /// <summary>Any other x86-64 ELF executable.</summary>
    Elf,

    /// <summary>Raw bytes, loaded and entered where the user says.</summary>
    Flat,
}
