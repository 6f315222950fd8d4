using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

/// <summary>Each field of a bzImage's setup header at its least, its most and one beyond.</summary>
public sealed class BzImageFieldTests
{
    private const int SetupSize = 1024;
    private static readonly ImageLoadOptions _options = new() { MemorySize = 64 << 20 };
    private static readonly byte[] _payload = "a payload that is none"u8.ToArray();

    private readonly byte[] _image = BzImageBuilder.Build(_payload);

    [Theory]
    [InlineData(0, 5 * 512)]
    [InlineData(1, 2 * 512)]
    [InlineData(3, 4 * 512)]
    [InlineData(4, 5 * 512)]
    [InlineData(255, 256 * 512)]
    public void Protected_mode_part_stands_behind_the_setup_sectors_of_which_0_means_4(byte sectors, int setupSize)
    {
        byte[] image = BzImageBuilder.Build(_payload, sectors);
        image[setupSize] = 0xA5;

        BzImageFile file = BzImageFile.Parse("x", image);

        Assert.Equal(image.Length - setupSize, file.ProtectedModePart.Length);
        Assert.Equal(0xA5, file.ProtectedModePart.Span[0]);
        Assert.Equal(_payload, file.Payload.ToArray());
        Assert.Equal(0xA5, ImageLoader.Load("x", image, _options).Segments[0].Bytes.Span[0]);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(0x20B, false)]
    [InlineData(0x20C, true)]
    [InlineData(0x20F, true)]
    [InlineData(0xFFFF, true)]
    public void Protocol_is_2_12_at_least(ushort protocol, bool allowed)
    {
        Put16(0x206, protocol);

        AssertLoads(allowed, "older than 2.12");
        if (allowed)
        {
            Assert.Equal(protocol, BzImageFile.Parse("x", _image).Protocol);
        }
    }

    [Theory]
    [InlineData(0x00, false)]
    [InlineData(0xFE, false)]
    [InlineData(0x01, true)]
    [InlineData(0xFF, true)]
    public void Image_loads_high(byte flags, bool allowed)
    {
        _image[0x211] = flags;

        AssertLoads(allowed, "zImage");
    }

    [Theory]
    [InlineData(0x267, "within the setup header")]
    [InlineData(0x268, "its setup part of 1024 bytes")]
    [InlineData(1024, "its setup part of 1024 bytes")]
    [InlineData(1025, "truncated or damaged")]
    public void File_that_ends_early_says_within_what(int length, string message)
    {
        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => BzImageFile.Parse("x", _image.AsMemory(0, length)));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, false, 0)]
    [InlineData(1, true, 16)]
    [InlineData(-1, true, -16)]
    public void Size_in_paragraphs_may_be_less_than_is_there(int paragraphs, bool allowed, int size)
    {
        uint whole = (uint)(_image.Length - SetupSize) / 16;
        Put32(0x1F4, paragraphs > 0 ? (uint)paragraphs : paragraphs == 0 ? 0 : whole - 1);
        Put32(0x24C, 0);

        AssertLoads(allowed, "protected-mode part");
        if (allowed)
        {
            Assert.Equal(size > 0 ? size : _image.Length - SetupSize + size, BzImageFile.Parse("x", _image).ProtectedModePart.Length);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(0x66)]
    [InlineData(0xCD)]
    [InlineData(0xCE)]
    [InlineData(0xCF)]
    [InlineData(0xFF)]
    public void Header_ends_where_its_jump_leads_and_none_of_it_is_taken_for_the_memory_map(byte jump)
    {
        // What the kernel reads as the header, up to the memory map at 0x2D0.
        _image.AsSpan(0x268, 0x180).Fill(0xEE);
        _image[0x201] = jump;

        LoadedImage loaded = ImageLoader.Load("x", _image, _options);

        byte[] page = Page(loaded);
        int end = 0x202 + jump;
        Assert.Equal(end - 0x1F1, BzImageFile.Parse("x", _image).SetupHeader.Length);
        for (int at = 0x268; at < 0x300; at++)
        {
            if (at < 0x2D0)
            {
                Assert.Equal(at < end ? 0xEE : 0, page[at]);
            }
        }

        // Four entries of 20 bytes, and nothing behind them.
        Assert.Equal(4, page[0x1E8]);
        Assert.All(page[(0x2D0 + 80)..], b => Assert.Equal(0, b));
        Assert.All(page[..0x1E8].Where((_, i) => i is not (>= 0x70 and < 0x78)), b => Assert.Equal(0, b));
    }

    [Theory]
    [InlineData(0u, 0)]
    [InlineData(1u, 1)]
    [InlineData(2047u, 2047)]
    [InlineData(4095u, 4095)]
    [InlineData(4096u, 4095)]
    [InlineData(uint.MaxValue, 4095)]
    public void Command_line_is_as_long_as_the_kernel_and_its_room_allow(uint size, int longest)
    {
        Put32(0x238, size);
        foreach (int length in new[] { longest - 1, longest, longest + 1 }.Where(n => n >= 0))
        {
            string text = new('c', length);
            Exception? error = Record.Exception(() =>
            {
                LoadedImage loaded = ImageLoader.Load("x", _image, _options with { CommandLine = text });
                Assert.Equal(text + '\0', Encoding.ASCII.GetString(At(loaded, BootLayout.CommandLine).Bytes.Span));
            });
            Assert.Equal(length <= longest, error is null);
            Assert.True(error is null || error.Message.Contains($"{length} bytes where the kernel takes {longest}", StringComparison.Ordinal), error?.Message);
        }
    }

    [Fact]
    public void Command_line_is_measured_in_bytes()
    {
        Put32(0x238, 10);

        Assert.NotNull(ImageLoader.Load("x", _image, _options with { CommandLine = "12345678ä" }));
        Assert.Throws<KprobeTraceException>(() => ImageLoader.Load("x", _image, _options with { CommandLine = "123456789ä" }));
    }

    /// <summary>The highest address for an initrd, its length, and where it goes: the kernel ends at 17 MiB, memory at 64.</summary>
    public static TheoryData<uint, int, uint> Initrds => new()
    {
        { 0, 1, 0x3FF_F000 },
        { 0, 4096, 0x3FF_F000 },
        { 0, 4097, 0x3FF_E000 },
        { 0x7FFF_FFFF, 1, 0x3FF_F000 },
        { uint.MaxValue, 1, 0x3FF_F000 },
        { 0x3FF_FFFF, 1, 0x3FF_F000 },
        { 0x3FF_FFFE, 1, 0x3FF_F000 },
        { 0x3FF_FFFE, 4096, 0x3FF_E000 },
        { 0x3FF_F000, 1, 0x3FF_F000 },
        { 0x3FF_EFFF, 1, 0x3FF_E000 },
        { 0x110_0FFF, 4096, 0x110_0000 },
        { 0x110_0FFF, 4095, 0x110_0000 },
        { 0x110_0FFF, 4097, 0 },
        { 0x110_0FFE, 4096, 0 },
        { 0x10F_FFFF, 1, 0 },
        { 1, 3, 0 },
        { 0, (64 - 17) << 20, 0x110_0000 },
        { 0, ((64 - 17) << 20) + 1, 0 },
    };

    [Theory]
    [MemberData(nameof(Initrds))]
    public void Initrd_stands_on_the_highest_page_that_the_kernel_and_memory_allow(uint highest, int length, uint address)
    {
        Put32(0x22C, highest);
        byte[] initrd = new byte[length];
        if (address == 0)
        {
            KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => ImageLoader.Load("x", _image, _options with { Initrd = initrd }));
            Assert.Contains($"the initrd of {length} bytes does not fit between the kernel, which ends at 0x1100000", error.Message, StringComparison.Ordinal);
            return;
        }

        LoadedImage loaded = ImageLoader.Load("x", _image, _options with { Initrd = initrd });

        byte[] page = Page(loaded);
        Assert.Equal((address, (uint)length), (Get32(page, 0x218), Get32(page, 0x21C)));
        Assert.Equal((0u, 0u), (Get32(page, 0xC0), Get32(page, 0xC4)));
        Assert.Equal(("initrd", length), (At(loaded, address).Purpose, At(loaded, address).Bytes.Length));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void Initrd_begins_behind_the_page_in_which_the_kernel_ends(uint more, bool allowed)
    {
        Put32(0x260, 0x10_0000 + more);
        Put32(0x22C, 0x110_0FFF);

        Exception? error = Record.Exception(() => ImageLoader.Load("x", _image, _options with { Initrd = new byte[10] }));

        Assert.Equal(allowed, error is null);
    }

    /// <summary>The payload's offset and length, each from the end of the part that holds it.</summary>
    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(0, 1, false)]
    [InlineData(1, 0, false)]
    [InlineData(-1, 1, true)]
    public void Payload_lies_within_the_protected_mode_part(int later, int longer, bool allowed)
    {
        int part = _image.Length - SetupSize;
        Put32(0x248, (uint)(part - 16 + later));
        Put32(0x24C, (uint)(16 + longer));

        AssertLoads(allowed, "reaches beyond the protected-mode part");
        if (allowed)
        {
            Assert.Equal(16 + longer, BzImageFile.Parse("x", _image).Payload.Length);
        }
    }

    [Fact]
    public void Payload_of_no_bytes_lies_anywhere()
    {
        Put32(0x248, uint.MaxValue);
        Put32(0x24C, 0);

        Assert.True(BzImageFile.Parse("x", _image).Payload.IsEmpty);
        Assert.Equal(ImageKind.BzImageRaw, ImageLoader.Load("x", _image, _options).Kind);
    }

    [Theory]
    [InlineData(0x100_0000ul, true, 0x100_0000ul)]
    [InlineData(0x20_0000ul, true, 0x20_0000ul)]
    [InlineData(0ul, true, 0x10_0000ul)]
    [InlineData(0x100_0000ul, false, 0x10_0000ul)]
    public void Kernel_that_unpacks_itself_is_loaded_where_it_prefers(ulong preferred, bool entry64, ulong address)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_image.AsSpan(0x258), preferred);
        Put16(0x236, entry64 ? (ushort)1 : (ushort)0xFFFE);

        LoadedImage loaded = ImageLoader.Load("x", _image, _options);

        Assert.Equal(address, loaded.Segments[0].PhysicalAddress);
        Assert.Equal(entry64 ? (address + 0x200, EntryMode.Long64) : (address, EntryMode.Protected32), (loaded.Cpu.Rip, loaded.Cpu.Mode));
        Assert.Equal(loaded.Cpu.Rip, loaded.EntryPhysical);
        Assert.Equal(BootLayout.ZeroPage, loaded.Cpu.Registers[6]);
        Assert.Equal(entry64, loaded.Segments.Any(s => s.Purpose == "page tables"));
    }

    [Theory]
    [InlineData(0u, 0)]
    [InlineData(0x330u, 0x330)]
    [InlineData(0x10_0000u, 0x10_0000)]
    [InlineData(0x300_0000u, 0x300_0000)]
    [InlineData(0x300_0001u, -1)]
    public void Kernel_takes_as_much_memory_as_it_says_but_no_less_than_it_has(uint initSize, int length)
    {
        Put32(0x260, initSize);
        int part = _image.Length - SetupSize;
        if (length < 0)
        {
            KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => ImageLoader.Load("x", _image, _options));
            Assert.Contains("--memory", error.Message, StringComparison.Ordinal);
            return;
        }

        Assert.Equal((ulong)Math.Max(length, part), ImageLoader.Load("x", _image, _options).Segments[0].MemoryLength);
    }

    [Theory]
    [InlineData(0, "")]
    [InlineData(0x180, "6.1.0-test")]
    [InlineData(0x1FE, "6")]
    [InlineData(0x1FF, "")]
    [InlineData(0x200, "")]
    [InlineData(0xFFFF, "")]
    public void Release_stands_where_its_field_points_within_the_setup_part(ushort offset, string release)
    {
        "6\0"u8.CopyTo(_image.AsSpan(0x3FE));
        Put16(0x20E, offset);

        Assert.Equal(release, BzImageFile.Parse("x", _image).Release);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(127, true)]
    [InlineData(128, false)]
    public void Release_ends_at_a_blank_or_a_NUL_within_128_bytes(int length, bool allowed)
    {
        foreach (byte end in new byte[] { 0, (byte)' ' })
        {
            _image.AsSpan(0x300, 0x100).Fill((byte)'v');
            _image[0x300 + length] = end;
            Put16(0x20E, 0x100);

            Assert.Equal(allowed ? new string('v', length) : "", BzImageFile.Parse("x", _image).Release);
        }
    }

    [Theory]
    [InlineData(0x1FE)]
    [InlineData(0x1FF)]
    [InlineData(0x202)]
    [InlineData(0x203)]
    [InlineData(0x204)]
    [InlineData(0x205)]
    public void Image_without_its_marks_is_none(int at)
    {
        Assert.True(BzImageFile.HasMagic(_image));
        Assert.True(BzImageFile.HasMagic(_image.AsSpan(0, 0x206)));
        Assert.False(BzImageFile.HasMagic(_image.AsSpan(0, 0x205)));
        _image[at] ^= 1;

        Assert.False(BzImageFile.HasMagic(_image));
    }

    private static ImageSegment At(LoadedImage image, ulong address) => Assert.Single(image.Segments, s => s.PhysicalAddress == address);

    private static byte[] Page(LoadedImage image) => At(image, BootLayout.ZeroPage).Bytes.ToArray();

    private static uint Get32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private void Put16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_image.AsSpan(at), value);

    private void Put32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_image.AsSpan(at), value);

    private void AssertLoads(bool allowed, string otherwise)
    {
        Exception? error = Record.Exception(() => ImageLoader.Load("x", _image, _options));
        Assert.Equal(allowed, error is null);
        Assert.True(error is null || (error is KprobeTraceException && error.Message.Contains(otherwise, StringComparison.Ordinal)), error?.Message);
    }
}
