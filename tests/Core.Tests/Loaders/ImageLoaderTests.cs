using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Loaders;
using KprobeTrace.Tests.Files;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

public sealed class ImageLoaderTests
{
    private const ulong KernelMap = 0xFFFF_FFFF_8000_0000;
    private static readonly ImageLoadOptions _options = new() { MemorySize = 64 << 20 };

    [Fact]
    public void A_bzImage_is_unpacked_and_its_ELF_entered_directly()
    {
        byte[] image = BzImageBuilder.Build(BzImageBuilder.Gzip(Kernel()));

        LoadedImage loaded = ImageLoader.Load("vmlinuz", image, _options with { CommandLine = "console=ttyS0" });

        Assert.Equal(ImageKind.BzImage, loaded.Kind);
        Assert.True(loaded.IsLinux);
        Assert.Equal("6.1.0-test", loaded.KernelRelease);
        Assert.Equal(0x100_0000ul, loaded.EntryPhysical);
        Assert.Equal(KernelMap + 0x100_0000, loaded.EntryLink);
        Assert.Equal(0x100_0000ul, loaded.Cpu.Rip);
        Assert.Equal(BootLayout.ZeroPage, loaded.Cpu.Registers[6]);
        Assert.Equal(EntryMode.Long64, loaded.Cpu.Mode);
        Assert.Equal(0x2ul, loaded.Cpu.Rflags);
        ImageSegment text = loaded.Segments[0];
        Assert.Equal((0x100_0000ul, 0x3000ul), (text.PhysicalAddress, text.MemoryLength));
    }

    [Fact]
    public void The_zero_page_carries_header_map_command_line_and_initrd()
    {
        byte[] image = BzImageBuilder.Build(BzImageBuilder.Lz4(Kernel()));
        byte[] initrd = new byte[5000];

        LoadedImage loaded = ImageLoader.Load(
            "vmlinuz", image, _options with { CommandLine = "quiet", Initrd = initrd, AcpiRsdpAddress = 0xE0000 });

        byte[] page = Segment(loaded, BootLayout.ZeroPage).Bytes.ToArray();
        Assert.Equal("HdrS"u8, page.AsSpan(0x202, 4));
        Assert.Equal(0xFF, page[0x210]);
        Assert.Equal(0x01, page[0x211] & 0xC3);
        Assert.Equal(0, page[0x1EF]);
        Assert.Equal(0xE0000ul, BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(0x70)));
        Assert.Equal((uint)BootLayout.CommandLine, BinaryPrimitives.ReadUInt32LittleEndian(page.AsSpan(0x228)));
        Assert.Equal("quiet\0"u8, Segment(loaded, BootLayout.CommandLine).Bytes.Span);
        uint at = BinaryPrimitives.ReadUInt32LittleEndian(page.AsSpan(0x218));
        Assert.Equal(((64u << 20) - 5000) & ~0xFFFu, at);
        Assert.Equal(5000u, BinaryPrimitives.ReadUInt32LittleEndian(page.AsSpan(0x21C)));
        Assert.Equal(5000, Segment(loaded, at).Bytes.Length);
        Assert.Equal(4, page[0x1E8]);
        Assert.Equal(0x9FC00ul, BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(0x2D0 + 8)));
        Assert.Equal(0x100000ul, BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(0x2D0 + 60)));
        Assert.Equal(63ul << 20, BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(0x2D0 + 68)));
    }

    [Fact]
    public void A_payload_that_is_no_compressed_ELF_is_entered_as_the_boot_protocol_says()
    {
        byte[] image = BzImageBuilder.Build(Encoding.ASCII.GetBytes("some other payload"));

        LoadedImage loaded = ImageLoader.Load("vmlinuz", image, _options);

        Assert.Equal(ImageKind.BzImageRaw, loaded.Kind);
        Assert.Equal(0x100_0200ul, loaded.Cpu.Rip);
        Assert.Equal(0x10_0000ul, loaded.Segments[0].MemoryLength);
        Assert.Null(loaded.Elf);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(15, true)]
    [InlineData(16, false)]
    public void The_last_paragraph_of_a_bzImage_need_not_be_full(int missing, bool sound)
    {
        byte[] image = BzImageBuilder.Build(new byte[64]);
        image.AsSpan(0x248, 8).Clear();
        Exception? error = Record.Exception(() => ImageLoader.Load("memtest.bin", image.AsMemory(0, image.Length - missing), _options));

        Assert.Equal(sound, error is null);
    }

    // A bzImage without payload, whose last paragraph is not full.
    [HostPathFact("/boot/memtest86+x64.bin", "memtest86+")]
    public void A_bzImage_that_is_no_Linux_is_entered_as_the_boot_protocol_says()
    {
        LoadedImage long64 = ImageLoader.Load("/boot/memtest86+x64.bin", _options);
        LoadedImage protected32 = ImageLoader.Load("/boot/memtest86+ia32.bin", _options);

        Assert.Equal((ImageKind.BzImageRaw, EntryMode.Long64, 0x10_0200ul), (long64.Kind, long64.Cpu.Mode, long64.Cpu.Rip));
        Assert.Equal((ImageKind.BzImageRaw, EntryMode.Protected32, 0x10_0000ul), (protected32.Kind, protected32.Cpu.Mode, protected32.Cpu.Rip));
    }

    [Fact]
    public void Without_a_64_bit_entry_the_32_bit_one_is_used()
    {
        byte[] image = BzImageBuilder.Build(Encoding.ASCII.GetBytes("some other payload"));
        image[0x236] = 0;

        LoadedImage loaded = ImageLoader.Load("vmlinuz", image, _options);

        Assert.Equal(EntryMode.Protected32, loaded.Cpu.Mode);
        Assert.Equal(0x10_0000ul, loaded.Cpu.Rip);
        Assert.Equal(0x11ul, loaded.Cpu.Cr0);
    }

    [Fact]
    public void A_vmlinux_is_known_by_its_banner()
    {
        byte[] kernel = Kernel("Linux version 6.1.99-x (me@here) (gcc) #1 SMP\0");

        LoadedImage loaded = ImageLoader.Load("vmlinux", kernel, _options);

        Assert.Equal(ImageKind.LinuxElf, loaded.Kind);
        Assert.Equal("6.1.99-x", loaded.KernelRelease);
        Assert.Equal(KernelMap + 0x100_0000, loaded.EntryLink);
    }

    [Fact]
    public void Another_ELF_is_entered_where_it_says_with_its_addresses_mapped()
    {
        byte[] elf = new ElfBuilder { Entry = KernelMap + 0x10_0010 }
            .Segment(KernelMap + 0x10_0000, 0x10_0000, new byte[0x1000])
            .Segment(KernelMap + 0x30_1000, 0x20_3000, new byte[0x10], memory: 0x2000, flags: 6)
            .Build();

        LoadedImage loaded = ImageLoader.Load("kernel", elf, _options);

        Assert.Equal(ImageKind.Elf, loaded.Kind);
        Assert.False(loaded.IsLinux);
        Assert.Equal(KernelMap + 0x10_0010, loaded.Cpu.Rip);
        Assert.Equal((0x10_0010ul, KernelMap + 0x10_0010), (loaded.EntryPhysical, loaded.EntryLink));
        Assert.Equal(0x10_0010ul, Translate(loaded, KernelMap + 0x10_0010));
        Assert.Equal(0x20_4FFFul, Translate(loaded, KernelMap + 0x30_2FFF));
        Assert.Equal(0x1234_5678ul, Translate(loaded, 0x1234_5678));
        Assert.Equal(0xFFFF_FFFFul, Translate(loaded, 0xFFFF_FFFF));
    }

    [Fact]
    public void A_link_address_is_found_where_the_image_has_bytes()
    {
        LoadedImage loaded = ImageLoader.Load("vmlinux", Kernel(), _options);

        Assert.True(loaded.TryLinkToPhysical(KernelMap + 0x100_0123, out ulong physical));
        Assert.Equal(0x100_0123ul, physical);
        Assert.False(loaded.TryLinkToPhysical(KernelMap, out _));
        Span<byte> word = stackalloc byte[4];
        Assert.True(loaded.TryReadLink(KernelMap + 0x100_2FFC, word));
        Assert.Equal([0, 0, 0, 0], word.ToArray());
        Assert.False(loaded.TryReadLink(KernelMap + 0x100_2FFD, word));
    }

    [Theory]
    [InlineData(EntryMode.Long64, 0x10_0000ul, 0x10_0000ul, 0ul)]
    [InlineData(EntryMode.Protected32, 0x10_0004ul, 0x10_0004ul, 0ul)]
    [InlineData(EntryMode.Real16, 0x7C00ul, 0x7C00ul, 0ul)]
    [InlineData(EntryMode.Real16, 0x12348ul, 8ul, 0x12340ul)]
    public void A_flat_image_is_entered_in_the_mode_asked_for(EntryMode mode, ulong address, ulong rip, ulong codeBase)
    {
        LoadedImage loaded = ImageLoader.Load(
            "flat.bin", new byte[64], _options with { Mode = mode, LoadAddress = address });

        Assert.Equal(ImageKind.Flat, loaded.Kind);
        Assert.Equal(rip, loaded.Cpu.Rip);
        Assert.Equal(codeBase, loaded.Cpu.Cs.Base);
        Assert.Equal(address, loaded.EntryPhysical);
    }

    [Fact]
    public void An_ELF_file_is_flat_when_the_user_says_where_it_goes()
    {
        LoadedImage loaded = ImageLoader.Load("vmlinux", Kernel(), _options with { LoadAddress = 0x20_0000 });

        Assert.Equal(ImageKind.Flat, loaded.Kind);
        Assert.Equal(0x20_0000ul, loaded.Cpu.Rip);
    }

    [Fact]
    public void The_same_image_has_the_same_digest()
    {
        LoadedImage loaded = ImageLoader.Load("flat.bin", "abc"u8.ToArray(), _options with { ForceFlat = true });

        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", loaded.Sha256);
    }

    [Theory]
    [MemberData(nameof(BrokenImages))]
    public void A_broken_image_is_one_clear_error(string what, byte[] image, string expected)
    {
        KprobeTraceException error = Assert.Throws<KprobeTraceException>(
            () => ImageLoader.Load("image", image, _options));

        Assert.StartsWith("image", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        Assert.True(error.Message.Contains(expected, StringComparison.Ordinal), $"{what}: {error.Message}");
    }

    public static TheoryData<string, byte[], string> BrokenImages()
    {
        byte[] bz = BzImageBuilder.Build(BzImageBuilder.Gzip(Kernel()));
        byte[] elf = Kernel();
        return new TheoryData<string, byte[], string>
        {
            { "empty", [], "empty" },
            { "text", "hello, world"u8.ToArray(), "a text file; give a Linux kernel" },
            { "bytes", [0, 1, 2, 3], "neither a bzImage nor an ELF" },
            { "boot sector only", bz[..0x240], "within the setup header" },
            { "no protected-mode part", bz[..1024], "truncated" },
            { "half a bzImage", bz[..(bz.Length / 2)], "truncated" },
            { "old protocol", Change(bz, 0x206, 0x05), "older than 2.12" },
            { "zImage", Change(bz, 0x211, 0), "zImage" },
            { "payload outside", Change(bz, 0x24A, 0x7F), "reaches beyond" },
            { "payload length wraps", Change(bz, 0x24F, 0xFF), "reaches beyond" },
            { "corrupt payload", Change(bz, 1024 + BzImageBuilder.PayloadOffset + 40, 0xAA), "damaged" },
            { "absurd unpacked size", Change(bz, LengthOf(bz) + 3, 0xFF), "damaged" },
            { "truncated ELF header", elf[..40], "within the ELF header" },
            { "32-bit ELF", Change(elf, 4, 1), "32-bit pointers; give a 64-bit ELF file" },
            { "ELF for ARM", Change(elf, 18, 183), "for 64-bit ARM (arm64); only x86-64 is run" },
            { "relocatable ELF", Change(elf, 16, 1), "an object file; link it" },
            { "program headers outside", Change(elf, 36, 1), "program headers" },
            { "segment outside the file", Change(elf, 64 + 8 + 5, 1), "truncated or damaged" },
            { "segment larger in file than in memory", Change(elf, 64 + 41, 8), "impossible sizes" },
            { "segment beyond memory", Change(elf, 64 + 24 + 3, 0x40), "--memory" },
            {
                "segment of 2^56 bytes",
                new ElfBuilder().Segment(0x10_0000, 0x10_0000, new byte[16], memory: 1UL << 56).Build(),
                "--memory"
            },
            { "segment that wraps", Change(elf, 64 + 47, 0xFF), "impossible sizes" },
            { "ELF without segments", new ElfBuilder().Build(), "nothing to load" },
            { "segment in the boot data", new ElfBuilder().Segment(0x7000, 0x7000, new byte[16]).Build(), "overlaps" },
            {
                "two segments at one place",
                new ElfBuilder().Segment(0x10_0000, 0x10_0000, new byte[16]).Segment(0x10_0008, 0x10_0008, new byte[16]).Build(),
                "overlaps"
            },
            {
                "one page mapped to two places",
                new ElfBuilder().Segment(0x10_0000, 0x20_0000, new byte[16]).Build(),
                "two places"
            },
            {
                "addresses differ within a page",
                new ElfBuilder().Segment(KernelMap + 0x10, 0x10_0020, new byte[16]).Build(),
                "within a page"
            },
            {
                "not canonical",
                new ElfBuilder().Segment(0x1234_0000_0000_0000, 0x10_0000, new byte[16]).Build(),
                "48-bit"
            },
        };
    }

    [Fact]
    public void Options_that_cannot_hold_are_clear_errors()
    {
        byte[] kernel = Kernel();
        byte[] flat = new byte[64];

        AssertRefused("--memory", kernel, _options with { MemorySize = 8 << 20 });
        AssertRefused("initrd", kernel, _options with { Initrd = new byte[60 << 20] });
        AssertRefused("--append", kernel, _options with { CommandLine = new string('x', 5000) });
        AssertRefused("NUL", kernel, _options with { CommandLine = "a\0b" });
        AssertRefused("initrd", kernel, _options with { InitrdPath = "/nonexistent/initrd" });
        AssertRefused("--entry", flat, _options with { LoadAddress = 0x10_0000, EntryAddress = 0x20_0000 });
        AssertRefused("--load", flat, _options with { Mode = EntryMode.Real16 });
        AssertRefused("below 1 MiB", flat, _options with { Mode = EntryMode.Real16, LoadAddress = 0xF_FFF0 });
        AssertRefused("--memory", flat, _options with { LoadAddress = ulong.MaxValue - 4 });
        AssertRefused("overlaps", flat, _options with { LoadAddress = BootLayout.PageTables });
    }

    [Fact]
    public void A_file_that_is_not_there_is_a_clear_error()
    {
        KprobeTraceException error = Assert.Throws<KprobeTraceException>(
            () => ImageLoader.Load("/nonexistent/vmlinuz", _options));

        Assert.Contains("/nonexistent/vmlinuz", error.Message, StringComparison.Ordinal);
    }

    private static byte[] Kernel(string banner = "Linux version 6.1.0 (x)\0")
    {
        byte[] text = new byte[0x1000];
        Encoding.ASCII.GetBytes(banner).CopyTo(text, 0x100);
        return new ElfBuilder { Entry = 0x100_0000 }
            .Segment(KernelMap + 0x100_0000, 0x100_0000, text, memory: 0x3000)
            .Segment(0, 0x180_0000, new byte[0x40], flags: 6)
            .Build();
    }

    private static int LengthOf(byte[] bzImage) => 1024 + BzImageBuilder.PayloadOffset
        + BinaryPrimitives.ReadInt32LittleEndian(bzImage.AsSpan(0x24C)) - 4;

    private static byte[] Change(byte[] image, int at, byte value)
    {
        byte[] changed = [.. image];
        changed[at] = value;
        return changed;
    }

    private static ImageSegment Segment(LoadedImage image, ulong address) =>
        Assert.Single(image.Segments, segment => segment.PhysicalAddress == address);

    private static void AssertRefused(string expected, byte[] image, ImageLoadOptions options)
    {
        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => ImageLoader.Load("image", image, options));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    // A page walk over the tables the loader made.
    private static ulong Translate(LoadedImage image, ulong linear)
    {
        ReadOnlySpan<byte> tables = Segment(image, BootLayout.PageTables).Bytes.Span;
        ulong table = image.Cpu.Cr3;
        for (int shift = 39; ; shift -= 9)
        {
            int at = (int)(table - BootLayout.PageTables) + ((int)(linear >> shift) & 511) * 8;
            ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(tables[at..]);
            Assert.Equal(3ul, entry & 3);
            ulong inPage = (1UL << shift) - 1;
            if (shift == 12 || (entry & 0x80) != 0)
            {
                return (entry & 0x000F_FFFF_FFFF_F000 & ~inPage) | (linear & inPage);
            }

            table = entry & 0x000F_FFFF_FFFF_F000;
        }
    }
}
