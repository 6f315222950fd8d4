using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Files;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Files;

/// <summary>What a file is called that was given for a kernel image.</summary>
public sealed class FileRecogniserTests
{
    public static TheoryData<string, string> MadeByTheHost()
    {
        TheoryData<string, string> data = [];
        foreach ((_, string commands, string said) in HostFiles.Rows)
        {
            data.Add(commands, said);
        }

        return data;
    }

    [HostFileTheory]
    [MemberData(nameof(MadeByTheHost))]
    public void A_file_of_the_hosts_own_tools_is_named(string commands, string said) => AssertCalled(said, HostFiles.Make(commands));

    [Theory]
    [InlineData(183, "an ELF executable for 64-bit ARM (arm64); only x86-64 is run")]
    [InlineData(243, "an ELF executable for RISC-V")]
    [InlineData(40, "an ELF executable for 32-bit ARM")]
    [InlineData(21, "an ELF executable for 64-bit PowerPC")]
    [InlineData(22, "an ELF executable for IBM S/390")]
    [InlineData(258, "an ELF executable for LoongArch")]
    [InlineData(8, "an ELF executable for MIPS")]
    [InlineData(247, "an ELF executable for BPF")]
    [InlineData(9999, "an ELF executable for machine type 9999")]
    public void An_ELF_file_of_another_processor_is_named_by_it(ushort machine, string said)
    {
        byte[] little = new ElfBuilder { Machine = machine }.Segment(0x10_0000, 0x10_0000, new byte[16]).Build();
        byte[] big = [.. little];
        big[5] = 2;
        (big[16], big[17], big[18], big[19]) = (big[17], big[16], big[19], big[18]);

        AssertCalled(said, little);
        AssertCalled(said, big);
    }

    [Theory]
    [InlineData(0, "\u009b\u00c4\bKPTRACE\u0001", "a trace of kprobe-record; kprobe-report reads it")]
    [InlineData(0, "SQLite format 3\0", "a SQLite database")]
    [InlineData(56, "ARMd", "a Linux kernel for 64-bit ARM (arm64); only x86-64 is run")]
    [InlineData(56, "RSC\u0005", "a Linux kernel for RISC-V; only x86-64 is run")]
    [InlineData(48, "RISCV\0\0\0", "a Linux kernel for RISC-V")]
    [InlineData(36, "\u0018(o\u0001", "a Linux kernel for 32-bit ARM (zImage)")]
    [InlineData(0, "'\u0005\u0019V", "a U-Boot image")]
    [InlineData(0, "\u00d0\r\u00fe\u00ed", "a device tree or a FIT image")]
    [InlineData(0, "\u00ed\u00ab\u00ee\u00db", "an RPM package")]
    [InlineData(0, "7z\u00bc\u00af'\u001c", "a 7z archive")]
    [InlineData(0, "\u0089LZO\0\r\n\u001a\n", "an lzo-compressed file")]
    [InlineData(0, "ANDROID!", "an Android boot image")]
    [InlineData(0, "MZ\u0090", "a DOS program")]
    [InlineData(0, "\u0007\u0001d\0\0\u0010\0\0", "an executable in the a.out format")]
    [InlineData(0, "\u000b\u0001\u0086\0\0\u0010\0\0", "an executable in the a.out format")]
    [InlineData(40, "_FVH", "UEFI firmware")]
    [InlineData(0, "LUKS\u00ba\u00be", "an encrypted disk (LUKS)")]
    [InlineData(0x1_0040, "_BHRfS_M", "an image of a file system (Btrfs)")]
    [InlineData(0, "QED\0", "a QED disk image; no firmware and no disk is emulated")]
    [InlineData(0, "QFI\u00fb\0\0\0\u0001", "a qcow disk image")]
    [InlineData(0, "QFI\u00fb\0\0\0\u0003", "a qcow2 disk image")]
    [InlineData(0, "WithoutFreeSpace", "a Parallels disk image")]
    [InlineData(0, "WithouFreSpacExt", "a Parallels disk image")]
    [InlineData(0, "COWD", "a VMDK disk image")]
    [InlineData(0x1_0E00, "koly", "an Apple disk image (DMG)")]
    [InlineData(0x1_0E00, "conectix", "a VHD disk image")]
    [InlineData(512, "LABELONE", "a physical volume of LVM")]
    [InlineData(3, "-FVE-FS-", "an encrypted disk (BitLocker)")]
    [InlineData(0, "sqsh", "an image of a file system (squashfs of a big-endian processor)")]
    [InlineData(0, "(\u00cd=E", "an image of a file system (cramfs of a big-endian processor)")]
    [InlineData(1024, "\u0010 \u00f5\u00f2", "an image of a file system (F2FS)")]
    [InlineData(0x8000, "JFS1", "an image of a file system (JFS)")]
    [InlineData(0x1_0034, "ReIsEr2Fs", "an image of a file system (ReiserFS)")]
    [InlineData(1024, "H+\0\u0004", "an image of a file system (HFS+)")]
    [InlineData(32, "NXSB", "an image of a file system (APFS)")]
    [InlineData(3, "EXFAT   ", "an image of a file system (exFAT)")]
    [InlineData(0, "UBI#", "an image of a file system (UBI)")]
    [InlineData(0, "VNDRBOOT", "an Android vendor boot image; give the kernel of the boot image beside it")]
    [InlineData(0, "\u00cf\u00fa\u00ed\u00fe", "a Mach-O file; give a Linux kernel")]
    [InlineData(0, "\u00fe\u00ed\u00fa\u00ce", "a Mach-O file of a big-endian processor; only x86-64 is run")]
    [InlineData(0, "\u00ca\u00fe\u00ba\u00be\0\0\0\u0002", "a universal Mach-O file")]
    [InlineData(0, "\u00ca\u00fe\u00ba\u00be\0\0\0=", "a Java class")]
    [InlineData(0, "BC\u00c0\u00de", "LLVM bitcode")]
    [InlineData(0, "QEVM", "the saved state of a QEMU machine; give the kernel that ran in it")]
    [InlineData(0, "makedumpfile", "a kernel dump in the flat format of makedumpfile")]
    [InlineData(0, "EMiL", "a dump of memory (LiME)")]
    [InlineData(0, "PERFILE2", "a recording of perf; perf reads it (perf report -i image)")]
    [InlineData(0, "\u0017\bDtracing", "a recording of trace-cmd")]
    [InlineData(0, "\u00c1\u001f\u00fc\u00c1", "a stream of a CTF trace")]
    [InlineData(0, "PAR1", "a Parquet file")]
    [InlineData(8, "DUCK", "a DuckDB database")]
    [InlineData(12, "b1\u0005\0", "a Berkeley database")]
    [InlineData(0, "\u00d4\u00c3\u00b2\u00a1", "a capture of network packets")]
    [InlineData(0, "%PDF-", "a PDF document")]
    public void A_magic_number_names_the_file(int offset, string magic, string said)
    {
        byte[] file = new byte[FileRecogniser.HeadSize];
        Encoding.Latin1.GetBytes(magic).CopyTo(file, offset);

        AssertCalled(said, file);
    }

    [Theory]
    [InlineData(0xAA64, "zimg", 10, "an EFI zboot image of a Linux kernel for 64-bit ARM (arm64)")]
    [InlineData(0x5064, "zimg", 10, "an EFI zboot image of a Linux kernel for 64-bit RISC-V")]
    [InlineData(0xAA64, "", 10, "an EFI program for 64-bit ARM (arm64)")]
    [InlineData(0x14C, "", 11, "an EFI program for 32-bit x86")]
    [InlineData(0x8664, "", 1, "a Windows kernel or driver (PE) for x86-64")]
    public void A_PE_file_is_named_by_processor_and_subsystem(ushort machine, string mark, ushort subsystem, string said)
    {
        byte[] file = new byte[1024];
        "MZ"u8.CopyTo(file);
        Encoding.ASCII.GetBytes(mark).CopyTo(file, 4);
        file[0x3C] = 0x80;
        "PE\0\0"u8.CopyTo(file.AsSpan(0x80));
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x84), machine);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x94), 0xF0);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x80 + 24 + 68), subsystem);

        AssertCalled(said, file);
    }

    [Fact]
    public void A_kernel_for_RISC_V_that_is_also_an_EFI_program_is_called_a_kernel()
    {
        byte[] file = new byte[1024];
        "MZ"u8.CopyTo(file);
        file[0x3C] = 0x80;
        "RSC\u0005"u8.CopyTo(file.AsSpan(56));
        "PE\0\0"u8.CopyTo(file.AsSpan(0x80));

        AssertCalled("a Linux kernel for RISC-V", file);
    }

    [Fact]
    public void Modules_core_dumps_and_Go_programs_are_named()
    {
        byte[] module = new ElfBuilder { Type = 1 }.Section(".gnu.linkonce.this_module", 1, new byte[16]).Build();
        byte[] core = new ElfBuilder { Type = 4 }.Segment(0x10_0000, 0, new byte[16]).Build();
        byte[] go = new ElfBuilder { Entry = 0x10_0000 }.Segment(0x10_0000, 0x10_0000, "\u0004\0\0\0\u0004\0\0\0\u0004\0\0\0Go\0\0abcd"u8.ToArray()).Build();
        go[64] = 4;

        AssertCalled("a kernel module; give the kernel, with the module in its initramfs", module);
        AssertCalled("a core dump", core);
        AssertCalled("a program of user space", go);
    }

    [Fact]
    public void A_32_bit_kernel_inside_a_bzImage_is_named()
    {
        byte[] kernel = new ElfBuilder { Machine = 3 }.Segment(0x10_0000, 0x10_0000, new byte[16]).Build();
        kernel[4] = 1;

        AssertCalled("an ELF executable for 32-bit x86; only x86-64 is run", BzImageBuilder.Build(BzImageBuilder.Gzip(kernel)));
    }

    [Fact]
    public void An_entry_outside_the_image_is_refused() => AssertCalled(
        "its entry 0x200000 lies in none of its segments",
        new ElfBuilder { Entry = 0x20_0000 }.Segment(0x10_0000, 0x10_0000, new byte[16]).Build());

    [Fact]
    public void A_kernel_with_system_calls_of_its_own_is_no_program_of_user_space()
    {
        // wrmsr; syscall; hlt
        byte[] code = [0x0F, 0x30, 0x0F, 0x05, 0xF4];
        byte[] image = new ElfBuilder { Entry = 0x40_0000 + 64 + 56 }.Segment(0x40_0000, 0x40_0000, new byte[200]).Build();
        code.CopyTo(image, 64 + 56);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(64 + 8), 0);

        Assert.Equal(ImageKind.Elf, ImageLoader.Load("kernel", image, new ImageLoadOptions()).Kind);
    }

    [Theory]
    [InlineData("\u007fELF\u0002\u0001\u0001", "an x86-64 ELF file; --initrd takes a cpio archive")]
    [InlineData("PK\u0003\u0004", "a zip archive; --initrd takes a cpio archive")]
    [InlineData("plain text", "a text file; --initrd takes a cpio archive")]
    [InlineData("\u0004\"M\u0018", "an lz4-compressed file (in the newer frame format); --initrd takes")]
    [InlineData("070701", null)]
    [InlineData("\u001f\u008b\b", null)]
    [InlineData("\u00fd7zXZ\0", null)]
    [InlineData("hsqs", null)]
    [InlineData("\0\0\0\0", null)]
    public void Linux_is_given_no_initrd_that_it_cannot_unpack(string magic, string? said)
    {
        byte[] initrd = new byte[4096];
        Encoding.Latin1.GetBytes(magic).CopyTo(initrd, 0);
        if (magic == "\u007fELF\u0002\u0001\u0001")
        {
            (initrd[16], initrd[18]) = (2, 62);
        }

        if (magic == "plain text")
        {
            Array.Fill(initrd, (byte)'\n', magic.Length, initrd.Length - magic.Length);
        }

        Exception? error = Record.Exception(() => ImageLoader.Load(
            "vmlinuz", BzImageBuilder.Build(new byte[64]), new ImageLoadOptions { Initrd = initrd }));

        Assert.Equal(said is null, error is null);
        Assert.Contains(said ?? "", error?.Message ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\u001f\u008b\b", "a gzip-compressed file; unpack it")]
    [InlineData("KPTRACE", "a trace of kprobe-record; --symbols takes a System.map or an x86-64 ELF file")]
    [InlineData("\u007fELF\u0002\u0001\u0001\0\0\0\0\0\0\0\0\0\u0002\0\u00b7\0", "an ELF executable for 64-bit ARM (arm64); --symbols takes")]
    [InlineData("\u007fELF\u0002\u0001\u0001\0\0\0\0\0\0\0\0\0\u0001\0\u003e\0", "an object file; --symbols takes")]
    [InlineData("some text\n", "expected 'ADDRESS TYPE NAME'")]
    [InlineData("", "the symbol file is empty")]
    public void A_symbol_file_of_the_wrong_kind_is_named(string bytes, string said)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, Encoding.Latin1.GetBytes(bytes == "KPTRACE" ? "\u009b\u00c4\b" + bytes : bytes));
            LoadedImage image = ImageLoader.Load("flat", new byte[64], new ImageLoadOptions { ForceFlat = true });

            KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => ImageSymbols.Load(image, path));

            Assert.Contains(said, error.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void What_is_asked_for_as_flat_code_is_flat_whatever_it_looks_like()
    {
        byte[] gzip = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0];

        Assert.Equal(ImageKind.Flat, ImageLoader.Load("x", gzip, new ImageLoadOptions { LoadAddress = 0x10_0000 }).Kind);
    }

    [Fact]
    public void Recognising_mutated_headers_never_fails()
    {
        Random random = new(7);
        byte[] seed = new byte[2048];
        "MZ"u8.CopyTo(seed);
        byte[] elf = new ElfBuilder { Entry = 0x10_0000 }.Segment(0x10_0000, 0x10_0000, new byte[64]).Section(".text", 1, new byte[64]).Build();
        for (int i = 0; i < 40_000; i++)
        {
            byte[] file = (i & 1) == 0 ? [.. elf] : [.. seed];
            for (int changes = random.Next(1, 12); changes > 0; changes--)
            {
                file[random.Next(Math.Min(file.Length, 256))] = (byte)random.Next(256);
            }

            _ = FileRecogniser.Recognise(file.AsSpan(0, random.Next(file.Length + 1)));
        }
    }

    [Theory]
    [InlineData(1u)] // PT_LOAD
    [InlineData(2u)] // PT_DYNAMIC
    [InlineData(4u)] // PT_NOTE
    public async Task Headers_that_name_the_same_bytes_over_and_over_are_soon_read(uint type)
    {
        const int Headers = ushort.MaxValue;
        const ulong Default = 0x40_0000;
        byte[] file = new byte[64 + (Headers * 56) + (8 << 20)];
        Array.Fill(file, (byte)1, 64 + (Headers * 56), 8 << 20);
        new ElfBuilder { Entry = Default + 64 + (Headers * 56) }.Build().CopyTo(file, 0);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(56), Headers);
        for (int i = 0; i < Headers; i++)
        {
            Span<byte> header = file.AsSpan(64 + (i * 56), 56);
            BinaryPrimitives.WriteUInt32LittleEndian(header, type);
            BinaryPrimitives.WriteUInt32LittleEndian(header[4..], 5);
            BinaryPrimitives.WriteUInt64LittleEndian(header[16..], Default);
            BinaryPrimitives.WriteUInt64LittleEndian(header[32..], (ulong)file.Length);
            if (type != 1)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(header[8..], 64 + (Headers * 56));
            }
        }

        if (type == 4)
        {
            // Notes without name and content.
            file.AsSpan(64 + (Headers * 56)).Clear();
        }

        Assert.Null(await Record.ExceptionAsync(() => Task.Run(() => FileRecogniser.Recognise(file)).WaitAsync(TimeSpan.FromSeconds(30))));
    }

    private static void AssertCalled(string said, byte[] file)
    {
        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => ImageLoader.Load("image", file, new ImageLoadOptions()));
        Assert.StartsWith("image", error.Message, StringComparison.Ordinal);
        Assert.Contains(said, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }
}
