using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using KprobeTrace.Files;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Files;

/// <summary>Every rule by which files are told apart, at the least and the most it takes and one step beyond.</summary>
public sealed class FileKindLimitTests
{
    private const string Text = "a text file";
    private const string BootSector = "a boot sector or floppy image";
    private const string Mbr = "a disk image (MBR)";
    private const string Assembler = "an executable in the a.out format";

    [Fact]
    public void Magic_numbers_are_those_of_the_table()
    {
        string[] table = [.. File.ReadLines(Repository.PathOf("tests/Core.Tests/Files/Tables/magic-numbers.txt")).Where(static line => line[0] != '#')];

        Assert.Equal(table, FileSignatures.All.Select(static s => $"{s.Offset} | {Shown(s.Magic)} | {s.Kind.Family} | {s.Kind.Name}"));

        static string Shown(string magic) =>
            string.Concat(magic.Select(static c => c is > ' ' and < '\x7F' and not '\\' ? c.ToString() : $"\\{(int)c:X2}"));
    }

    public static TheoryData<int> Signatures() => [.. Enumerable.Range(0, FileSignatures.All.Length)];

    [Theory]
    [MemberData(nameof(Signatures))]
    public void A_magic_number_is_whole_at_its_place_or_it_is_none(int number)
    {
        (int offset, string magic, FileKind kind) = FileSignatures.All[number];
        byte[] file = new byte[offset + magic.Length];
        Encoding.Latin1.GetBytes(magic).CopyTo(file, offset);
        Assert.True(FileSignatures.All[number].Matches(file));
        Assert.True(FileSignatures.All[number].Matches([.. file, 0]));
        Assert.Equal(kind.Family, FileRecogniser.Recognise(file)!.Family);
        Assert.Equal(kind.Name, FileRecogniser.Recognise(file)!.Name);

        Assert.False(FileSignatures.All[number].Matches(file.AsSpan(0, file.Length - 1)));
        Assert.False(FileSignatures.All[number].Matches([0xF5, .. file]));
        for (int i = 0; i < magic.Length; i++)
        {
            byte[] changed = [.. file];
            changed[offset + i] ^= 0x80;
            Assert.False(FileSignatures.All[number].Matches(changed));
        }
    }

    [Theory]
    [InlineData(0, "BZh", FileFamily.Compressed, "a bzip2-compressed file", "unpack it: bzip2 -dc FILE > UNPACKED")]
    [InlineData(0, "]\0\0", FileFamily.Compressed, "an lzma-compressed file", "unpack it: xz -dc FILE > UNPACKED")]
    [InlineData(0, "\u00fd7zXZ\0", FileFamily.Compressed, "an xz-compressed file", "unpack it: xz -dc FILE > UNPACKED")]
    [InlineData(0, "\u0089LZO\0\r\n\u001a\n", FileFamily.Compressed, "an lzo-compressed file", "unpack it: lzop -dc FILE > UNPACKED")]
    [InlineData(0, "\u0002!L\u0018", FileFamily.Compressed, "an lz4-compressed file", "unpack it: lz4 -dc FILE > UNPACKED")]
    [InlineData(0, "\u001f\u009d", FileFamily.Packed, "a file packed by compress", "unpack it: gzip -dc FILE > UNPACKED")]
    [InlineData(0, "LZIP", FileFamily.Packed, "an lzip-compressed file", "unpack it: lzip -dc FILE > UNPACKED")]
    [InlineData(0, "070701", FileFamily.Initramfs, "a cpio archive, as an initramfs is", "give it to a kernel with --initrd")]
    [InlineData(0, "070702", FileFamily.Initramfs, "a cpio archive, as an initramfs is", "give it to a kernel with --initrd")]
    [InlineData(0, "070707", FileFamily.Initramfs, "a cpio archive, as an initramfs is", "give it to a kernel with --initrd")]
    [InlineData(0, "\u00c7q", FileFamily.Initramfs, "a cpio archive, as an initramfs is", "give it to a kernel with --initrd")]
    [InlineData(257, "ustar", FileFamily.Packed, "a tar archive", "unpack it (tar -xf FILE) and give the kernel in it")]
    [InlineData(0, "KDMV", FileFamily.Disk, "a VMDK disk image", "no firmware and no disk is emulated: take the kernel out of it")]
    [InlineData(64, "\u007f\u0010\u00da\u00be", FileFamily.Disk, "a VDI disk image", "no firmware and no disk is emulated: take the kernel out of it")]
    [InlineData(0, "vhdxfile", FileFamily.Disk, "a VHDX disk image", "no firmware and no disk is emulated: take the kernel out of it")]
    [InlineData(512, "EFI PART", FileFamily.Disk, "a disk image (GPT)", "no firmware and no disk is emulated: take the kernel out of it")]
    [InlineData(4096, "EFI PART", FileFamily.Disk, "a disk image (GPT)", "no firmware and no disk is emulated: take the kernel out of it")]
    [InlineData(4096, "\u00fcN+\u00a9", FileFamily.Disk, "a member of a RAID (md)", "no firmware and no disk is emulated: take the kernel out of it")]
    [InlineData(1080, "S\u00ef", FileFamily.FileSystem, "an image of a file system (ext2, ext3 or ext4)", "take the kernel out of it (debugfs -R 'dump /boot/vmlinuz KERNEL' FILE)")]
    [InlineData(0, "XFSB", FileFamily.FileSystem, "an image of a file system (XFS)", "no firmware and no disk is emulated: take the kernel out of it")]
    [InlineData(0, "-rom1fs-", FileFamily.FileSystem, "an image of a file system (romfs)", "no firmware and no disk is emulated: take the kernel out of it")]
    [InlineData(3, "NTFS    ", FileFamily.FileSystem, "an image of a file system (NTFS)", "no firmware and no disk is emulated: take the kernel out of it")]
    [InlineData(54, "FAT1", FileFamily.FileSystem, "an image of a file system (FAT)", "take the kernel out of it (mcopy -i FILE ::vmlinuz KERNEL)")]
    [InlineData(82, "FAT32", FileFamily.FileSystem, "an image of a file system (FAT)", "take the kernel out of it (mcopy -i FILE ::vmlinuz KERNEL)")]
    [InlineData(4086, "SWAPSPACE2", FileFamily.Foreign, "a swap area", "give a kernel")]
    [InlineData(0, "\0asm", FileFamily.Foreign, "a WebAssembly module", "give a Linux kernel, or an ELF kernel entered in 64-bit mode")]
    [InlineData(0, "KDUMP   ", FileFamily.Foreign, "a compressed kernel dump", "give the kernel it was taken of")]
    [InlineData(0, "\u009f\u00eb\u0001\0", FileFamily.Foreign, "type information (BTF)", "give the kernel whose types they are")]
    [InlineData(0, "\u0089PNG\r\n", FileFamily.Foreign, "a picture (PNG)", "give a Linux kernel, or an ELF kernel entered in 64-bit mode")]
    [InlineData(3, "KPTRACE", FileFamily.Trace, "a trace of kprobe-record", "kprobe-report reads it")]
    [InlineData(0, "SQLite format 3\0", FileFamily.Database, "a SQLite database", "kprobe-report reads those of its own; give a kernel image")]
    internal void A_magic_number_tells_family_and_remedy(int offset, string magic, FileFamily family, string name, string remedy)
    {
        byte[] file = new byte[8192];
        Encoding.Latin1.GetBytes(magic).CopyTo(file, offset);

        Assert.Equal(new FileKind(family, name, remedy), FileRecogniser.Recognise(file));
    }

    [Theory]
    [InlineData("07070100", true)]
    [InlineData("\u00c7q", true)]
    [InlineData("070703", false)]
    [InlineData("text", false)]
    [InlineData("", false)]
    public void What_is_packed_is_looked_into_for_an_archive(string content, bool isArchive)
    {
        foreach (int length in (int[])[1, 505, 506, 4000])
        {
            byte[] inside = [.. Encoding.Latin1.GetBytes(content), .. new byte[length]];
            Assert.Equal(Named("a gzip-compressed "), FileRecogniser.Recognise(Gzip(inside)));
            Assert.Equal(Named("a zstd-compressed "), FileRecogniser.Recognise(Zstd(inside)) is { } kind ? kind with { Remedy = kind.Remedy.Replace("zstd", "gzip", StringComparison.Ordinal) } : null);
        }

        FileKind Named(string packed) => isArchive
            ? new(FileFamily.Compressed, packed + "cpio archive, as an initramfs is", "give it to a kernel with --initrd")
            : new(FileFamily.Compressed, packed + "file", "unpack it: gzip -dc FILE > UNPACKED");
    }

    [Fact]
    public void An_archive_is_seen_in_packed_bytes_that_end_too_early_and_damage_hides_it()
    {
        byte[] random = new byte[4000];
        new Random(5).NextBytes(random);
        byte[] packed = Gzip([.. "070701"u8, .. random]);

        Assert.Equal("a gzip-compressed cpio archive, as an initramfs is", Name(packed[..^9]));
        Assert.Equal("a gzip-compressed file", Name(packed[..11]));
        packed[10] = 0xFF;
        Assert.Equal("a gzip-compressed file", Name(packed));
    }

    [Theory]
    [InlineData(0x206, 0, 0, "a Linux kernel image (bzImage)")]
    [InlineData(0x205, 0, 0, BootSector)]
    [InlineData(0x206, 0x1FE, 0x54, null)]
    [InlineData(0x206, 0x1FF, 0xAB, null)]
    [InlineData(0x206, 0x202, (int)'h', BootSector)]
    [InlineData(0x206, 0x205, (int)'s', BootSector)]
    public void A_bzImage_has_a_signature_and_a_header(int length, int at, byte changed, string? called)
    {
        byte[] file = new byte[0x206];
        (file[0x1FE], file[0x1FF]) = (0x55, 0xAA);
        "HdrS"u8.CopyTo(file.AsSpan(0x202));
        if (at > 0)
        {
            file[at] = changed;
        }

        Assert.Equal(called, Name(file[..length]));
    }

    [Theory]
    [InlineData(513, "koly", "an Apple disk image (DMG)")]
    [InlineData(513, "conectix", "a VHD disk image")]
    [InlineData(512, "koly", null)]
    [InlineData(512, "conectix", "a VHD disk image")] // the copy in the first sector
    [InlineData(1024, "koly", "an Apple disk image (DMG)")]
    [InlineData(1024, "kolz", null)]
    public void A_disk_may_describe_itself_in_its_last_sector(int length, string magic, string? called)
    {
        byte[] file = new byte[length];
        Encoding.ASCII.GetBytes(magic).CopyTo(file, length - 512);

        Assert.Equal(called, Name(file));
        Assert.Equal(called is null ? null : FileFamily.Disk, FileRecogniser.Recognise(file)?.Family);
    }

    [Theory]
    [InlineData("", BootSector)]
    [InlineData("1BE=80 1C2=83 1CA=01", Mbr)]
    [InlineData("1CE=80 1D2=83 1DA=01", Mbr)]
    [InlineData("1DE=00 1E2=83 1EA=01", Mbr)]
    [InlineData("1EE=00 1F2=83 1FA=01", Mbr)]
    [InlineData("1BE=80 1C2=83 1CD=01", Mbr)]
    [InlineData("1BE=80 1C2=83", BootSector)] // no sectors
    [InlineData("1BE=80 1CA=01", BootSector)] // no type
    [InlineData("1BE=80 1C1=83 1CA=01", BootSector)]
    [InlineData("1BE=80 1C2=83 1C9=01", BootSector)]
    [InlineData("1BE=7F 1C2=83 1CA=01", BootSector)] // no status
    [InlineData("1BE=01 1C2=83 1CA=01", BootSector)]
    [InlineData("1BE=81 1C2=83 1CA=01", BootSector)]
    [InlineData("1C2=83 1CA=01 1EE=20", BootSector)] // of any of them
    [InlineData("1EE=20", BootSector)]
    [InlineData("1BE=80 1C2=83 1CA=01 1FF=AB", null)]
    [InlineData("1BE=80 1C2=83 1CA=01 1FE=54", null)]
    public void A_sector_with_a_sound_table_of_partitions_is_a_disks(string bytes, string? called)
    {
        byte[] file = new byte[512];
        (file[0x1FE], file[0x1FF]) = (0x55, 0xAA);
        Set(file, bytes);

        Assert.Equal(called, Name(file));
        Assert.Null(Name(file[..511]));
        Assert.Equal(called switch { Mbr => FileFamily.Disk, null => null, _ => FileFamily.Foreign }, FileRecogniser.Recognise(file)?.Family);
    }

    [Theory]
    [InlineData(0x107, 0, 1u, 32, Assembler)]
    [InlineData(0x108, 100, 1u, 32, Assembler)]
    [InlineData(0x10B, 134, 1u, 32, Assembler)]
    [InlineData(0xCC, 0, 1u, 32, Assembler)]
    [InlineData(0x106, 0, 1u, 32, null)]
    [InlineData(0x109, 0, 1u, 32, null)]
    [InlineData(0x10A, 0, 1u, 32, null)]
    [InlineData(0x10C, 0, 1u, 32, null)]
    [InlineData(0xCB, 0, 1u, 32, null)]
    [InlineData(0x107, 1, 1u, 32, null)]
    [InlineData(0x107, 99, 1u, 32, null)]
    [InlineData(0x107, 101, 1u, 32, null)]
    [InlineData(0x107, 133, 1u, 32, null)]
    [InlineData(0x107, 0, 0u, 32, null)]
    [InlineData(0x107, 0, 0x0FFF_FFFFu, 32, Assembler)]
    [InlineData(0x107, 0, 0x1000_0000u, 32, null)]
    [InlineData(0x107, 0, 1u, 31, null)]
    public void An_assembler_output_has_a_magic_a_machine_and_text(int magic, int machine, uint text, int length, string? called)
    {
        byte[] file = new byte[32];
        BinaryPrimitives.WriteUInt32LittleEndian(file, (uint)(magic | (machine << 16)));
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(4), text);

        Assert.Equal(called, Name(file[..length]));
        Assert.Equal(called, Name([file[0], file[1], file[2], 0x12, .. file.AsSpan(4, length - 4)]));
    }

    [Theory]
    [InlineData("CAFEBABE00000001", "a universal Mach-O file")]
    [InlineData("CAFEBABE0000002C", "a universal Mach-O file")]
    [InlineData("CAFEBABE0000002D", "a Java class")]
    [InlineData("CAFEBABE000000", null)]
    [InlineData("CAFEBABF00000002", "a universal Mach-O file")]
    [InlineData("CAFEBABD0000002D", null)]
    public void One_magic_number_is_of_two_formats(string bytes, string? called) =>
        Assert.Equal(called, Name(Convert.FromHexString(bytes)));

    [Theory]
    [InlineData(0, 0, "an ELF executable")]
    [InlineData(8188, 0, "a Multiboot kernel")]
    [InlineData(8192, 0, "an ELF executable")]
    [InlineData(4098, 0, "an ELF executable")]
    [InlineData(4100, 0, "a Multiboot kernel")]
    [InlineData(4100, 1, "an ELF executable")]
    [InlineData(4100, -1, "an ELF executable")]
    public void A_first_Multiboot_header_stands_in_8_KiB(int at, int wrong, string called)
    {
        byte[] file = Elf32(16384);
        if (at > 0)
        {
            Words(file, at, 0x1BAD_B002, 3, unchecked((uint)(-(0x1BAD_B002 + 3) + wrong)));
        }

        Assert.Equal(called + " for 32-bit x86", Name(file));
    }

    [Theory]
    [InlineData(32752, 40000, 0, "a Multiboot kernel")]
    [InlineData(32752, 32768, 0, "a Multiboot kernel")]
    [InlineData(32752, 32767, 0, "an ELF executable")]
    [InlineData(32760, 40000, 0, "an ELF executable")]
    [InlineData(64, 80, 0, "a Multiboot kernel")]
    [InlineData(64, 79, 0, "an ELF executable")]
    [InlineData(68, 4096, 0, "an ELF executable")]
    [InlineData(72, 4096, 0, "a Multiboot kernel")]
    [InlineData(72, 4096, 1, "an ELF executable")]
    public void A_second_Multiboot_header_stands_in_32_KiB(int at, int length, int wrong, string called)
    {
        byte[] file = Elf32(40016);
        Words(file, at, 0xE852_50D6, 0, 24, unchecked(0u - 0xE852_50D6 - 24 + (uint)wrong));

        Assert.Equal(called + " for 32-bit x86", Name(file[..length]));
    }

    [Theory]
    [InlineData("", "a Windows program (PE) for x86-64")]
    [InlineData("DC=01", "a Windows kernel or driver (PE) for x86-64")]
    [InlineData("DC=02", "a Windows program (PE) for x86-64")]
    [InlineData("DC=09", "a Windows program (PE) for x86-64")]
    [InlineData("DC=0A", "an EFI program for x86-64")]
    [InlineData("DC=0D", "an EFI program for x86-64")]
    [InlineData("DC=0E", "a Windows program (PE) for x86-64")]
    [InlineData("DC=0A DD=01", "a Windows program (PE) for x86-64")]
    [InlineData("80=51", "a DOS program")]
    [InlineData("82=01", "a DOS program")]
    [InlineData("3D=01", "a DOS program")]
    [InlineData("00=4E", null)]
    [InlineData("04=7A 05=69 06=6D 07=67", "an EFI zboot image of a Linux kernel for x86-64")]
    [InlineData("04=7A 05=69 06=6D 07=68", "a Windows program (PE) for x86-64")]
    public void A_PE_file_is_named_by_its_headers(string bytes, string? called)
    {
        byte[] file = Pe();
        Set(file, bytes);

        Assert.Equal(called, Name(file));
    }

    [Theory]
    [InlineData(0xDE, "an EFI program for x86-64")]
    [InlineData(0xDD, "a Windows program (PE) for x86-64")]
    [InlineData(0x98, "a Windows program (PE) for x86-64")]
    [InlineData(0x97, "a DOS program")]
    [InlineData(0x40, "a DOS program")]
    [InlineData(0x3F, "a DOS program")]
    [InlineData(2, "a DOS program")]
    [InlineData(1, null)]
    public void A_PE_file_may_be_cut_off(int length, string? called)
    {
        byte[] file = Pe();
        file[0xDC] = 10;

        string? name = length == 1 ? Name([(byte)'M', 0]) : Name(file[..length]);
        Assert.Equal(called, name);
    }

    [Theory]
    [InlineData(0, 1, ".linux", 0, true)]
    [InlineData(2, 3, ".linux", 0, true)]
    [InlineData(2, 2, ".linux", 0, false)]
    [InlineData(95, 200, ".linux", 0, true)]
    [InlineData(96, 200, ".linux", 0, false)]
    [InlineData(0, 1, ".linuxx", 0, false)]
    [InlineData(0, 1, ".linu", 0, false)]
    [InlineData(1, 2, ".linux", 40, true)]
    [InlineData(1, 2, ".linux", 39, false)]
    public void A_unified_kernel_image_has_a_section_of_that_name(int index, ushort sections, string name, int cut, bool isUnified)
    {
        byte[] file = new byte[16384];
        Pe().CopyTo(file, 0);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x86), sections);
        int at = 0x98 + 0xF0 + (index * 40);
        Encoding.ASCII.GetBytes(name).CopyTo(file, at);

        FileKind kind = FileRecogniser.Recognise(cut > 0 ? file[..(at + cut)] : file)!;

        Assert.Equal(
            isUnified ? (FileFamily.Packed, "a unified kernel image for x86-64") : (FileFamily.Foreign, "a Windows program (PE) for x86-64"),
            (kind.Family, kind.Name));
    }

    [Fact]
    public void Every_byte_is_of_text_or_not()
    {
        for (int b = 0; b < 256; b++)
        {
            bool isText = b is '\t' or '\n' or '\v' or '\f' or '\r' or 27 or (>= ' ' and < 127);
            Assert.Equal(isText ? Text : null, Name([(byte)'a', (byte)b, (byte)'a', (byte)'a', (byte)'a']));
        }
    }

    [Theory]
    [InlineData("61 C3 A4", Text)]
    [InlineData("61 C3", Text)]
    [InlineData("61 F0 9F 98 80", Text)]
    [InlineData("61 F0 9F 98", Text)]
    [InlineData("61 F0", Text)]
    [InlineData("F0 9F 98", Text)]
    [InlineData("61 80 80 80", Text)]
    [InlineData("61 80 80 80 80", null)]
    [InlineData("61 C3 61 61 61", null)]
    [InlineData("", null)]
    public void The_last_character_of_a_text_may_be_cut_in_two(string bytes, string? called) =>
        Assert.Equal(called, Name(Convert.FromHexString(bytes.Replace(" ", "", StringComparison.Ordinal))));

    [Theory]
    [InlineData(4095, null)]
    [InlineData(4096, Text)]
    public void Text_is_looked_at_up_to_4_KiB(int at, string? called)
    {
        byte[] file = [.. Enumerable.Repeat((byte)'a', 5000)];
        file[at] = 0;

        Assert.Equal(called, Name(file));
    }

    [Theory]
    [InlineData("ffffffff81000000 T _text\n", FileFamily.SymbolList)]
    [InlineData("ffffffff81000000 T _text", FileFamily.SymbolList)]
    [InlineData("ffffffff81000000 T _text [mod]\n", FileFamily.SymbolList)]
    [InlineData("ffffffff81000000  t  _text\nmore of something else entirely", FileFamily.SymbolList)]
    [InlineData("81000000 T _text\n", FileFamily.SymbolList)]
    [InlineData("8100000 T _text\n", FileFamily.Text)]
    [InlineData("8100000g T _text\n", FileFamily.Text)]
    [InlineData("81000000 TT _text\n", FileFamily.Text)]
    [InlineData("81000000 1 _text\n", FileFamily.Text)]
    [InlineData("81000000 T\n_text", FileFamily.Text)]
    [InlineData("81000000 T a b c\n", FileFamily.Text)]
    [InlineData("\n81000000 T a\n", FileFamily.Text)]
    internal void A_list_of_symbols_has_address_letter_and_name_in_its_first_line(string text, FileFamily family) =>
        Assert.Equal(family, FileRecogniser.Recognise(Encoding.ASCII.GetBytes(text))!.Family);

    [Theory]
    [InlineData("#!/bin/sh\n", "a script")]
    [InlineData("# comment\n", Text)]
    [InlineData("version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer")]
    [InlineData("version https://git\n", Text)]
    [InlineData("81000000 T _text\n", "a list of symbols (System.map)")]
    public void Texts_are_told_apart_by_how_they_begin(string text, string called) =>
        Assert.Equal((called, called.StartsWith("a list", StringComparison.Ordinal) ? FileFamily.SymbolList : FileFamily.Text),
            (Name(Encoding.ASCII.GetBytes(text)), FileRecogniser.Recognise(Encoding.ASCII.GetBytes(text))!.Family));

    [Theory]
    [InlineData("2 SPARC|3 32-bit x86|4 Motorola 68000|6 32-bit x86|8 MIPS|15 PA-RISC|18 SPARC|20 PowerPC|21 64-bit PowerPC|22 IBM S/390|40 32-bit ARM")]
    [InlineData("42 SuperH|43 64-bit SPARC|50 Itanium|62 x86-64|83 AVR|92 OpenRISC|93 ARC|94 Xtensa|106 Blackfin|113 Nios II|164 Hexagon|180 Intel L1OM")]
    [InlineData("181 Intel K1OM|183 64-bit ARM (arm64)|189 MicroBlaze|195 ARC|224 AMD GPUs|243 RISC-V|247 BPF|252 C-SKY|258 LoongArch|36902 Alpha|1 machine type 1")]
    public void Processors_have_numbers_in_ELF_headers(string table)
    {
        foreach (string row in table.Split('|'))
        {
            string[] parts = row.Split(' ', 2);
            Assert.Equal(parts[1], MachineNames.OfElf(int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture)));
        }
    }

    [Theory]
    [InlineData(0x014C, "32-bit x86")]
    [InlineData(0x01C0, "32-bit ARM")]
    [InlineData(0x01C2, "32-bit ARM")]
    [InlineData(0x01C4, "32-bit ARM")]
    [InlineData(0x0200, "Itanium")]
    [InlineData(0x0EBC, "EFI byte code")]
    [InlineData(0x5032, "32-bit RISC-V")]
    [InlineData(0x5064, "64-bit RISC-V")]
    [InlineData(0x6232, "32-bit LoongArch")]
    [InlineData(0x6264, "64-bit LoongArch")]
    [InlineData(0x8664, "x86-64")]
    [InlineData(0xAA64, "64-bit ARM (arm64)")]
    [InlineData(0x8665, "machine type 34405")]
    public void Processors_have_numbers_in_PE_headers(int machine, string called) => Assert.Equal(called, MachineNames.OfPe(machine));

    private static string? Name(byte[] file) => FileRecogniser.Recognise(file)?.Name;

    /// <summary>Sets bytes, as in <c>1BE=80</c>.</summary>
    private static void Set(byte[] file, string bytes)
    {
        foreach (string one in bytes.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            file[Convert.ToInt32(one.Split('=')[0], 16)] = Convert.ToByte(one.Split('=')[1], 16);
        }
    }

    private static void Words(byte[] file, int at, params uint[] words)
    {
        for (int i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at + (4 * i)), words[i]);
        }
    }

    private static byte[] Elf32(int length)
    {
        byte[] file = new byte[length];
        "\u007fELF\u0001\u0001\u0001"u8.CopyTo(file);
        (file[16], file[18]) = (2, 3);
        return file;
    }

    /// <summary>A PE file for x86-64 with 240 bytes of optional header and no section.</summary>
    private static byte[] Pe()
    {
        byte[] file = new byte[1024];
        "MZ"u8.CopyTo(file);
        file[0x3C] = 0x80;
        "PE\0\0"u8.CopyTo(file.AsSpan(0x80));
        (file[0x84], file[0x85], file[0x94]) = (0x64, 0x86, 0xF0);
        return file;
    }

    private static byte[] Gzip(byte[] bytes)
    {
        using MemoryStream into = new();
        using (GZipStream packer = new(into, CompressionLevel.Fastest))
        {
            packer.Write(bytes);
        }

        return into.ToArray();
    }

    private static byte[] Zstd(byte[] bytes)
    {
        using ZstdSharp.Compressor packer = new();
        return packer.Wrap(bytes).ToArray();
    }
}
