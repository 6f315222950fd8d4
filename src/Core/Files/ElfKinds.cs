namespace KprobeTrace.Files;

/// <summary>Names ELF files that are no x86-64 kernel: other processors, object files, programs of user space, Multiboot kernels.</summary>
/// <remarks>
/// An ELF file does not say whether it is a kernel. What gives a program of user space away: a program interpreter, the
/// note that names the kernel it needs, an operating system in its header, an entry that takes arguments from its stack,
/// or system calls without anything that would enable them.
/// </remarks>
internal static class ElfKinds
{
    private const int X86 = 3;
    private const int IntelMcu = 6;
    private const int X86_64 = 62;
    private const int Relocatable = 1;
    private const int Executable = 2;
    private const int Shared = 3;
    private const int CoreDump = 4;

    /// <summary>The kind of an ELF file that cannot be run as a kernel; null for one that may be, and for what is no ELF file.</summary>
    internal static FileKind? NotAKernel(ReadOnlySpan<byte> file)
    {
        if (!ElfHeader.TryRead(file, out ElfHeader header))
        {
            return null;
        }

        if (header.Machine is X86 or IntelMcu)
        {
            string what = MultibootHeader.IsIn(file) ? "a Multiboot kernel for 32-bit x86" : $"{Noun(header.Type)} for 32-bit x86";
            return new(FileFamily.Foreign, what, "only x86-64 is run: give its 64-bit build");
        }

        if (header.Machine != X86_64 || header.IsBigEndian)
        {
            return new(FileFamily.Foreign, $"{Noun(header.Type)} for {MachineNames.OfElf(header.Machine)}", Remedies.OnlyX86);
        }

        if (!header.Is64)
        {
            return new(FileFamily.Foreign, $"{Noun(header.Type)} for x32, x86-64 with 32-bit pointers", "give a 64-bit ELF file");
        }

        return header.Type switch
        {
            Relocatable => OfRelocatable(file),
            CoreDump => new(FileFamily.Foreign, "a core dump", Remedies.GiveDumped),
            Executable or Shared => OfLinked(file, header),
            _ => new(FileFamily.Foreign, $"an ELF file of unknown type {header.Type}", Remedies.GiveKernel),
        };
    }

    private static string Noun(int type) => type switch
    {
        Relocatable => "an object file",
        Executable => "an ELF executable",
        Shared => "a shared object or position-independent executable",
        CoreDump => "a core dump",
        _ => "an ELF file",
    };

    private static FileKind OfRelocatable(ReadOnlySpan<byte> file) =>
        file.IndexOf(".gnu.linkonce.this_module"u8) >= 0
            ? new(FileFamily.Foreign, "a kernel module", "give the kernel, with the module in its initramfs")
            : new(FileFamily.Foreign, "an object file", "link it into an executable at a fixed address (ld -static -no-pie -T SCRIPT)");

    private static FileKind? OfLinked(ReadOnlySpan<byte> file, in ElfHeader header)
    {
        ElfTraits traits = ElfTraits.Read(file, header);
        if (traits.IsFreeBsdKernel)
        {
            return new(FileFamily.Executable, "a FreeBSD kernel, which its own loader prepares", Remedies.GiveKernel);
        }

        if (traits.IsSharedObject)
        {
            return new(FileFamily.Foreign, "a shared object", Remedies.GiveKernel);
        }

        if (traits.IsProgram)
        {
            return new(
                FileFamily.Foreign,
                "a program of user space",
                "it needs a kernel below it: put it into an initramfs, as /init for instance, and give a kernel with --initrd");
        }

        if (MultibootHeader.IsIn(file))
        {
            return new(
                FileFamily.Executable,
                "a Multiboot kernel, which a boot loader enters in 32-bit mode",
                "that protocol is not spoken here: " + Remedies.GiveKernel);
        }

        return header.Type == Shared
            ? new(FileFamily.Executable, "a shared object or position-independent executable", "link it at a fixed address (-static -no-pie)")
            : null;
    }
}
