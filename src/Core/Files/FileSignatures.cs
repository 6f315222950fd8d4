namespace KprobeTrace.Files;

/// <summary>The kinds of files that bytes at a fixed place tell, the more telling ones first.</summary>
internal static class FileSignatures
{

    internal static readonly FileSignature[] All =
    [
        // Of this project.
        new(3, "KPTRACE", new(FileFamily.Trace, "a trace of kprobe-record", "kprobe-report reads it")),
        new(0, "SQLite format 3\0", new(FileFamily.Database, "a SQLite database", "kprobe-report reads those of its own; give a kernel image")),

        // Compressed files; the first ones are those that Linux unpacks.
        Compressed("\u001f\u008b\b", "gzip", "gzip -dc"),
        Compressed("BZh", "bzip2", "bzip2 -dc"),
        Compressed("\u00fd7zXZ\0", "xz", "xz -dc"),
        Compressed("]\0\0", "lzma", "xz -dc"),
        Compressed("\u0089LZO\0\r\n\u001a\n", "lzo", "lzop -dc"),
        Compressed("\u0002!L\u0018", "lz4", "lz4 -dc"),
        Compressed("(\u00b5/\u00fd", "zstd", "zstd -dc"),
        Packed(0, "\u0004\"M\u0018", "an lz4-compressed file (in the newer frame format)", "unpack it: lz4 -dc FILE > KERNEL"),
        Packed(0, "\u001f\u009d", "a file packed by compress", "unpack it: gzip -dc FILE > KERNEL"),
        Packed(0, "LZIP", "an lzip-compressed file", "unpack it: lzip -dc FILE > KERNEL"),

        // Archives and packages.
        Initramfs("070701"),
        Initramfs("070702"),
        Initramfs("070707"),
        Initramfs("\u00c7q"),
        Packed(257, "ustar", "a tar archive", "unpack it (tar -xf FILE) and give the kernel in it"),
        Packed(8, "debian-binary", "a Debian package", "unpack it (dpkg-deb -x FILE DIR) and give the boot/vmlinuz in it"),
        Packed(0, "!<arch>\n", "an ar archive", "unpack it (ar x FILE) and link what is in it, or give a kernel"),
        Packed(0, "!<thin>\n", "a thin ar archive", "link what it names, or give a kernel"),
        Packed(0, "\u00ed\u00ab\u00ee\u00db", "an RPM package", "unpack it (rpm2cpio FILE | cpio -id) and give the vmlinuz in it"),
        Packed(0, "PK\u0003\u0004", "a zip archive", "unpack it (unzip FILE) and give the kernel in it"),
        Packed(0, "PK\u0005\u0006", "an empty zip archive", "give a kernel"),
        Packed(0, "7z\u00bc\u00af'\u001c", "a 7z archive", "unpack it (7z x FILE) and give the kernel in it"),
        Packed(0, "Rar!\u001a\u0007", "a rar archive", "unpack it and give the kernel in it"),
        Packed(0, "MSCF\0\0\0\0", "a cabinet archive", "unpack it and give the kernel in it"),
        Packed(0, "ANDROID!", "an Android boot image", "unpack it (unpack_bootimg) and give the kernel in it"),

        // Kernels and programs of other kinds.
        Foreign(56, "ARM\u0064", "a Linux kernel for 64-bit ARM (arm64)", Remedies.OnlyX86),
        Foreign(56, "RSC\u0005", "a Linux kernel for RISC-V", Remedies.OnlyX86),
        Foreign(48, "RISCV\0\0\0", "a Linux kernel for RISC-V", Remedies.OnlyX86),
        Foreign(56, "\u00cd#\u0082\u0081", "a Linux kernel for LoongArch", Remedies.OnlyX86),
        Foreign(36, "\u0018(o\u0001", "a Linux kernel for 32-bit ARM (zImage)", Remedies.OnlyX86),
        Foreign(0, "'\u0005\u0019V", "a U-Boot image", "give the x86-64 kernel that it was made of"),
        Foreign(0, "\u00d0\u000d\u00fe\u00ed", "a device tree or a FIT image", "give an x86-64 kernel"),
        Foreign(0, "\u00cf\u00fa\u00ed\u00fe", "a Mach-O file", Remedies.GiveKernel),
        Foreign(0, "\u00ce\u00fa\u00ed\u00fe", "a 32-bit Mach-O file", Remedies.GiveKernel),
        Foreign(0, "\u00ca\u00fe\u00ba\u00be", "a universal Mach-O file or Java class", "give a Linux kernel"),
        Foreign(0, "\0asm", "a WebAssembly module", "give a Linux kernel"),
        Foreign(0, "U\u00aa", "an option ROM or a boot sector without code", "no firmware is emulated: give a kernel"),
        Foreign(40, "_FVH", "UEFI firmware", "no firmware is emulated: give a kernel"),
        Foreign(0, "\u009f\u00eb\u0001\0", "type information (BTF)", "give the kernel whose types they are"),
        Foreign(0, "KDUMP   ", "a compressed kernel dump", "give the kernel it was taken of"),

        // Disks, and what stands on them.
        Disk(0x8001, "CD001", "an ISO 9660 image of a CD or DVD", Remedies.TakeOutOfDisk + " (mount it, or: 7z x FILE)"),
        Disk(0, "QFI\u00fb", "a qcow2 disk image", Remedies.TakeOutOfDisk),
        Disk(0, "KDMV", "a VMDK disk image", Remedies.TakeOutOfDisk),
        Disk(0, "# Disk DescriptorFile", "the description of a VMDK disk image", Remedies.TakeOutOfDisk),
        Disk(64, "\u007f\u0010\u00da\u00be", "a VDI disk image", Remedies.TakeOutOfDisk),
        Disk(0, "vhdxfile", "a VHDX disk image", Remedies.TakeOutOfDisk),
        Disk(0, "conectix", "a VHD disk image", Remedies.TakeOutOfDisk),
        Disk(512, "EFI PART", "a disk image (GPT)", Remedies.TakeOutOfDisk),
        Disk(4096, "EFI PART", "a disk image (GPT)", Remedies.TakeOutOfDisk),
        Disk(0, "LUKS\u00ba\u00be", "an encrypted disk (LUKS)", Remedies.TakeOutOfDisk),
        FileSystem(0, "hsqs", "squashfs", "take the kernel out of it (unsquashfs FILE)"),
        FileSystem(1024, "\u00e2\u00e1\u00f5\u00e0", "EROFS"),
        FileSystem(0, "E=\u00cd(", "cramfs"),
        FileSystem(0, "-rom1fs-", "romfs"),
        FileSystem(1080, "S\u00ef", "ext2, ext3 or ext4", "take the kernel out of it (debugfs -R 'dump /boot/vmlinuz KERNEL' FILE)"),
        FileSystem(0, "XFSB", "XFS"),
        FileSystem(0x1_0040, "_BHRfS_M", "Btrfs"),
        FileSystem(3, "NTFS    ", "NTFS"),
        FileSystem(54, "FAT1", "FAT", "take the kernel out of it (mcopy -i FILE ::vmlinuz KERNEL)"),
        FileSystem(82, "FAT32", "FAT", "take the kernel out of it (mcopy -i FILE ::vmlinuz KERNEL)"),
        Foreign(4086, "SWAPSPACE2", "a swap area", "give a kernel"),
    ];

    private static FileSignature Compressed(string magic, string format, string program) => new(
        0, magic, new(FileFamily.Compressed, $"{(format[0] is 'x' or 'l' ? "an" : "a")} {format}-compressed file", $"unpack it: {program} FILE > UNPACKED"));

    private static FileSignature Packed(int offset, string magic, string name, string remedy) =>
        new(offset, magic, new(FileFamily.Packed, name, remedy));

    private static FileSignature Initramfs(string magic) =>
        new(0, magic, new(FileFamily.Initramfs, "a cpio archive, as an initramfs is", "give it to a kernel with --initrd"));

    private static FileSignature Foreign(int offset, string magic, string name, string remedy) =>
        new(offset, magic, new(FileFamily.Foreign, name, remedy));

    private static FileSignature Disk(int offset, string magic, string name, string remedy) =>
        new(offset, magic, new(FileFamily.Disk, name, remedy));

    private static FileSignature FileSystem(int offset, string magic, string name, string remedy = Remedies.TakeOutOfDisk) =>
        new(offset, magic, new(FileFamily.FileSystem, $"an image of a file system ({name})", remedy));
}
