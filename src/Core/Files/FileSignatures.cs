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
        Packed(0, "\u0004\"M\u0018", "an lz4-compressed file (in the newer frame format)", Remedies.Unpack("lz4 -dc")),
        Packed(0, "\u001f\u009d", "a file packed by compress", Remedies.Unpack("gzip -dc")),
        Packed(0, "LZIP", "an lzip-compressed file", Remedies.Unpack("lzip -dc")),

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
        Packed(0, "Rar!\u001a\u0007", "a rar archive", "unpack it (unrar x FILE) and give the kernel in it"),
        Packed(0, "MSCF\0\0\0\0", "a cabinet archive", "unpack it (cabextract FILE) and give the kernel in it"),
        Packed(0, "xar!", "a xar archive", "unpack it (xar -xf FILE) and give the kernel in it"),
        Packed(0, "ANDROID!", "an Android boot image", "unpack it (unpack_bootimg --boot_img FILE) and give the kernel in it"),
        Packed(0, "VNDRBOOT", "an Android vendor boot image", "give the kernel of the boot image beside it"),
        Packed(0, "CrAU", "an Android update", "unpack it (payload-dumper-go FILE) and give the kernel of its boot image"),

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
        Foreign(0, "\u00fe\u00ed\u00fa\u00cf", "a Mach-O file of a big-endian processor", Remedies.OnlyX86),
        Foreign(0, "\u00fe\u00ed\u00fa\u00ce", "a Mach-O file of a big-endian processor", Remedies.OnlyX86),
        Foreign(0, "\u00ca\u00fe\u00ba\u00bf", "a universal Mach-O file", Remedies.GiveKernel),
        Foreign(0, "\0asm", "a WebAssembly module", Remedies.GiveKernel),
        Foreign(0, "BC\u00c0\u00de", "LLVM bitcode", "compile and link it at a fixed address (-static -no-pie)"),
        Foreign(0, "d\u0086", "an object file in the COFF format", "link it as an ELF file at a fixed address"),
        Foreign(0, "U\u00aa", "an option ROM or a boot sector without code", "no firmware is emulated: give a kernel"),
        Foreign(40, "_FVH", "UEFI firmware", "no firmware is emulated: give a kernel"),
        Foreign(0, "\u009f\u00eb\u0001\0", "type information (BTF)", "give the kernel whose types they are"),
        Foreign(0, "KDUMP   ", "a compressed kernel dump", Remedies.GiveDumped),
        Foreign(0, "DISKDUMP", "a compressed kernel dump", Remedies.GiveDumped),
        Foreign(0, "makedumpfile", "a kernel dump in the flat format of makedumpfile", Remedies.GiveDumped),
        Foreign(0, "EMiL", "a dump of memory (LiME)", Remedies.GiveDumped),
        Foreign(0, "MDMP", "a minidump", Remedies.GiveDumped),
        Foreign(0, "PAGEDU", "a dump of a Windows kernel", Remedies.GiveKernel),
        Foreign(0, "QEVM", "the saved state of a QEMU machine", "give the kernel that ran in it"),
        Foreign(0, "LibvirtQemudSave", "the saved state of a libvirt machine", "give the kernel that ran in it"),

        // Recordings of other programs, databases and documents.
        Foreign(0, "PERFILE2", "a recording of perf", "perf reads it (perf report -i FILE); kprobe-record makes traces of its own"),
        Foreign(0, "\u0017\bDtracing", "a recording of trace-cmd", "trace-cmd reads it (trace-cmd report FILE); kprobe-record makes traces of its own"),
        Foreign(0, "\u00c1\u001f\u00fc\u00c1", "a stream of a CTF trace", "babeltrace2 reads its folder; kprobe-record makes traces of its own"),
        Foreign(0, "\u0057\u001d\u00d1\u0075", "the metadata of a CTF trace", "babeltrace2 reads its folder; kprobe-record makes traces of its own"),
        Foreign(0, "\u00d4\u00c3\u00b2\u00a1", "a capture of network packets", Remedies.GiveKernel),
        Foreign(0, "\u00a1\u00b2\u00c3\u00d4", "a capture of network packets", Remedies.GiveKernel),
        Foreign(0, "\n\r\r\n", "a capture of network packets", Remedies.GiveKernel),
        Foreign(0, "PAR1", "a Parquet file", "DuckDB and the like read it; give the trace it was exported from, or a kernel"),
        Foreign(8, "DUCK", "a DuckDB database", Remedies.GiveKernel),
        Foreign(12, "\u0061\u0015\u0006\0", "a Berkeley database", Remedies.GiveKernel),
        Foreign(12, "\u0062\u0031\u0005\0", "a Berkeley database", Remedies.GiveKernel),
        Foreign(0, "\u00ce\u009aW\u0013", "a GNU dbm database", Remedies.GiveKernel),
        Foreign(0, "%PDF-", "a PDF document", Remedies.GiveKernel),
        Foreign(0, "\u0089PNG\r\n", "a picture (PNG)", Remedies.GiveKernel),
        Foreign(0, "\u00ff\u00d8\u00ff", "a picture (JPEG)", Remedies.GiveKernel),
        Foreign(0, "GIF8", "a picture (GIF)", Remedies.GiveKernel),

        // Disks, and what stands on them.
        Disk(0x8001, "CD001", "an ISO 9660 image of a CD or DVD", Remedies.TakeOutOfDisk + " (7z x FILE)"),
        Disk(0x8001, "BEA01", "a UDF image of a CD or DVD", Remedies.TakeOutOfDisk + " (7z x FILE)"),
        Disk(0, "QFI\u00fb\0\0\0\u0001", "a qcow disk image", Remedies.TakeOutOfDisk),
        Disk(0, "QFI\u00fb", "a qcow2 disk image", Remedies.TakeOutOfDisk),
        Disk(0, "QED\0", "a QED disk image", Remedies.TakeOutOfDisk),
        Disk(0, "WithoutFreeSpace", "a Parallels disk image", Remedies.TakeOutOfDisk),
        Disk(0, "WithouFreSpacExt", "a Parallels disk image", Remedies.TakeOutOfDisk),
        Disk(0, "Bochs Virtual HD Image", "a Bochs disk image", Remedies.TakeOutOfDisk),
        Disk(0, "#!/bin/sh\n#V2.0 Format", "a cloop disk image", Remedies.TakeOutOfDisk),
        Disk(0, "EVF\t\r\n\u00ff", "a forensic disk image (EnCase)", Remedies.TakeOutOfDisk),
        Disk(0, "COWD", "a VMDK disk image", Remedies.TakeOutOfDisk),
        Disk(0, "KDMV", "a VMDK disk image", Remedies.TakeOutOfDisk),
        Disk(0, "# Disk DescriptorFile", "the description of a VMDK disk image", Remedies.TakeOutOfDisk),
        Disk(64, "\u007f\u0010\u00da\u00be", "a VDI disk image", Remedies.TakeOutOfDisk),
        Disk(0, "vhdxfile", "a VHDX disk image", Remedies.TakeOutOfDisk),
        Disk(0, "conectix", "a VHD disk image", Remedies.TakeOutOfDisk),
        Disk(512, "EFI PART", "a disk image (GPT)", Remedies.TakeOutOfDisk),
        Disk(4096, "EFI PART", "a disk image (GPT)", Remedies.TakeOutOfDisk),
        Disk(0, "LUKS\u00ba\u00be", "an encrypted disk (LUKS)", Remedies.TakeOutOfDisk),
        Disk(3, "-FVE-FS-", "an encrypted disk (BitLocker)", Remedies.TakeOutOfDisk),
        Disk(512, "LABELONE", "a physical volume of LVM", Remedies.TakeOutOfDisk),
        Disk(4096, "\u00fcN+\u00a9", "a member of a RAID (md)", Remedies.TakeOutOfDisk),
        FileSystem(0, "hsqs", "squashfs", "take the kernel out of it (unsquashfs FILE)"),
        FileSystem(1024, "\u00e2\u00e1\u00f5\u00e0", "EROFS"),
        FileSystem(0, "sqsh", "squashfs of a big-endian processor"),
        FileSystem(0, "E=\u00cd(", "cramfs"),
        FileSystem(0, "(\u00cd=E", "cramfs of a big-endian processor"),
        FileSystem(0, "-rom1fs-", "romfs"),
        FileSystem(1080, "S\u00ef", "ext2, ext3 or ext4", "take the kernel out of it (debugfs -R 'dump /boot/vmlinuz KERNEL' FILE)"),
        FileSystem(0, "XFSB", "XFS"),
        FileSystem(0x1_0040, "_BHRfS_M", "Btrfs"),
        FileSystem(0x1_0034, "ReIsEr", "ReiserFS"),
        FileSystem(0x8000, "JFS1", "JFS"),
        FileSystem(1024, "\u0010 \u00f5\u00f2", "F2FS"),
        FileSystem(1024, "H+\0\u0004", "HFS+"),
        FileSystem(1024, "HX\0\u0005", "HFS+"),
        FileSystem(32, "NXSB", "APFS"),
        FileSystem(0, "UBI#", "UBI"),
        FileSystem(0, "1\u0018\u0010\u0006", "UBIFS"),
        FileSystem(0, "\u0085\u0019", "JFFS2"),
        FileSystem(3, "EXFAT   ", "exFAT"),
        FileSystem(3, "NTFS    ", "NTFS"),
        FileSystem(54, "FAT1", "FAT", "take the kernel out of it (mcopy -i FILE ::vmlinuz KERNEL)"),
        FileSystem(82, "FAT32", "FAT", "take the kernel out of it (mcopy -i FILE ::vmlinuz KERNEL)"),
        Foreign(4086, "SWAPSPACE2", "a swap area", "give a kernel"),
    ];

    private static FileSignature Compressed(string magic, string format, string program) => new(
        0, magic, new(FileFamily.Compressed, $"{(format[0] is 'x' or 'l' ? "an" : "a")} {format}-compressed file", Remedies.Unpack(program)));

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
