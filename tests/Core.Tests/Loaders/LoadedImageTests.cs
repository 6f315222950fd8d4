using KprobeTrace.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

/// <summary>Addresses of images, and raw images, at the edges of what is loaded.</summary>
public sealed class LoadedImageTests
{
    private const ulong Link = 0xFFFF_FFFF_8100_0000;
    private static readonly ImageLoadOptions _options = new() { MemorySize = 16 << 20 };

    // Three stretches: two side by side in link addresses but not in memory, and one far below them; the second has zeros behind its bytes.
    private readonly LoadedImage _image = new(
    [
        new LinkRange(Link + 0x100, 0x50_0000, 0x80, new byte[] { 1, 2, 3, 4 }, true), new LinkRange(Link, 0x10_0000, 0x100, Enumerable.Repeat((byte)9, 0x100).ToArray(), true),
        new LinkRange(0x1000, 0x20_0000, 0x10, new byte[] { 7 }, false),
    ])
    {
        Kind = ImageKind.LinuxElf,
        BaseName = "x",
        Sha256 = "",
        Segments = [],
        Cpu = EntryStates.Long(0, 0),
        EntryPhysical = 0,
        EntryLink = 0,
        MemorySize = 0,
    };

    /// <summary>A link address, the physical one, and the bytes of the file from there on; -1: not in the image.</summary>
    public static TheoryData<ulong, long, int> Places => new()
    {
        { Link - 1, -1, 0 },
        { Link, 0x10_0000, 0x100 },
        { Link + 0xFF, 0x10_00FF, 1 },
        { Link + 0x100, 0x50_0000, 4 },
        { Link + 0x103, 0x50_0003, 1 },
        { Link + 0x104, 0x50_0004, 0 },
        { Link + 0x17F, 0x50_007F, 0 },
        { Link + 0x180, -1, 0 },
        { 0xFFF, -1, 0 },
        { 0x1000, 0x20_0000, 1 },
        { 0x100F, 0x20_000F, 0 },
        { 0x1010, -1, 0 },
        { 0, -1, 0 },
        { ulong.MaxValue, -1, 0 },
    };

    [Theory]
    [MemberData(nameof(Places))]
    public void Link_address_is_where_its_stretch_is_loaded(ulong link, long physical, int bytes)
    {
        Assert.Equal(physical >= 0, _image.TryLinkToPhysical(link, out ulong found));
        Assert.Equal(physical >= 0 ? (ulong)physical : 0, found);
        Assert.Equal(bytes, _image.BytesAtLink(link).Length);
    }

    [Theory]
    [InlineData(Link + 0x100, 4, "01020304")]
    [InlineData(Link + 0x102, 4, "03040000")]
    [InlineData(Link + 0x103, 1, "04")]
    [InlineData(Link + 0x104, 2, "0000")]
    [InlineData(Link + 0x17E, 2, "0000")]
    [InlineData(Link + 0x17E, 3, null)]
    [InlineData(Link + 0xFF, 1, "09")]
    [InlineData(Link + 0xFF, 2, null)]
    [InlineData(0x1000ul, 16, "07000000000000000000000000000000")]
    [InlineData(0x1000ul, 17, null)]
    [InlineData(0xFFFul, 1, null)]
    public void Bytes_are_read_within_one_stretch_zeros_included(ulong link, int length, string? expected)
    {
        byte[] into = [.. Enumerable.Repeat((byte)0xEE, length)];

        Assert.Equal(expected is not null, _image.TryReadLink(link, into));
        Assert.Equal(expected ?? string.Concat(Enumerable.Repeat("EE", length)), Convert.ToHexString(into));
    }

    [Fact]
    public void Stretches_rise() => Assert.Equal([0x1000ul, Link, Link + 0x100], _image.LinkRanges.Select(r => r.LinkAddress));

    /// <summary>Mode, load and entry address of a raw image of 64 bytes, and what is said of it; nothing where it is sound.</summary>
    public static TheoryData<EntryMode, ulong, ulong?, string> FlatImages => new()
    {
        { EntryMode.Long64, 0x10_0000, null, "" },
        { EntryMode.Long64, 0x10_0000, 0x10_0000, "" },
        { EntryMode.Long64, 0x10_0000, 0x10_003F, "" },
        { EntryMode.Long64, 0x10_0000, 0x10_0040, "lies outside the image" },
        { EntryMode.Long64, 0x10_0000, 0xF_FFFF, "lies outside the image" },
        { EntryMode.Long64, 0x10_0000, 0, "lies outside the image" },
        { EntryMode.Long64, (16 << 20) - 64, null, "" },
        { EntryMode.Long64, (16 << 20) - 63, null, "--memory" },
        { EntryMode.Long64, 0xFC0, null, "" },
        { EntryMode.Long64, 0xFC1, null, "overlaps" },
        { EntryMode.Long64, 0x1020, null, "" },
        { EntryMode.Long64, 0x101F, null, "overlaps" },
        { EntryMode.Protected32, 0x101F, null, "overlaps" },
        { EntryMode.Long64, 0x2_FFC0, null, "" },
        { EntryMode.Long64, 0x2_FFC1, null, "overlaps" },
        { EntryMode.Protected32, 0x2_FFC1, null, "" },
        { EntryMode.Real16, 0xF_FFC0, null, "" },
        { EntryMode.Real16, 0xF_FFC1, null, "must lie below 1 MiB" },
        { EntryMode.Real16, 0, null, "" },
        { EntryMode.Real16, 0x1000, null, "" },
    };

    [Theory]
    [MemberData(nameof(FlatImages))]
    public void Raw_image_goes_where_the_user_says(EntryMode mode, ulong load, ulong? entry, string problem)
    {
        byte[] code = [.. Enumerable.Range(0, 64).Select(i => (byte)i)];
        Exception? error = Record.Exception(() =>
        {
            LoadedImage image = ImageLoader.Load("x", code, _options with { Mode = mode, LoadAddress = load, EntryAddress = entry });
            Assert.Equal((ImageKind.Flat, entry ?? load, entry ?? load, mode), (image.Kind, image.EntryPhysical, image.EntryLink, image.Cpu.Mode));
            Assert.Equal(code, Assert.Single(image.Segments, s => s.Purpose == "image").Bytes.ToArray());
            Assert.Equal(mode != EntryMode.Real16, image.Segments.Any(s => s.Purpose == "descriptor table"));
            Assert.Equal(mode == EntryMode.Long64, image.Segments.Any(s => s.Purpose == "page tables"));
            Assert.Equal(0ul, image.Cpu.Registers[6]);
        });
        Assert.Equal(problem.Length == 0, error is null);
        Assert.True(error is null || (error is KprobeTraceException && error.Message.Contains(problem, StringComparison.Ordinal)), error?.ToString());
    }

    [Theory]
    [InlineData(false, null, null, null)]
    [InlineData(true, null, null, 0x10_0000ul)]
    [InlineData(false, 0x20_0000ul, null, 0x20_0000ul)]
    [InlineData(false, null, 0x10_0004ul, 0x10_0000ul)]
    public void Raw_bytes_are_an_image_only_when_something_says_so(bool force, ulong? load, ulong? entry, ulong? at)
    {
        ImageLoadOptions options = _options with { ForceFlat = force, LoadAddress = load, EntryAddress = entry };
        if (at is null)
        {
            Assert.Throws<KprobeTraceException>(() => ImageLoader.Load("x", new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 }, options));
            return;
        }

        LoadedImage image = ImageLoader.Load("x", new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 }, options);
        Assert.Equal((at.Value, entry ?? at.Value), (image.Segments[0].PhysicalAddress, image.Cpu.Rip));
    }

    /// <summary>The entry of an ELF file with a segment of 16 bytes, linked high, loaded at 1 MiB.</summary>
    [Theory]
    [InlineData(true, 0xF_FFFFul, 0ul)]
    [InlineData(true, 0x10_0000ul, Link)]
    [InlineData(true, 0x10_000Ful, Link + 15)]
    [InlineData(true, 0x10_2000ul, 0ul)]
    [InlineData(false, Link - 1, 0ul)]
    [InlineData(false, Link, Link)]
    [InlineData(false, Link + 0x1FFF, Link + 0x1FFF)]
    [InlineData(false, Link + 0x2000, 0ul)]
    public void Entry_lies_in_a_segment(bool linux, ulong entry, ulong link)
    {
        byte[] code = new byte[0x100];
        if (linux)
        {
            "Linux version 6.1.0 x"u8.CopyTo(code.AsSpan(0x40));
        }

        byte[] elf = new ElfBuilder { Entry = entry }.Segment(Link, 0x10_0000, code, memory: 0x2000).Build();
        if (link == 0)
        {
            KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => ImageLoader.Load("x", elf, _options));
            Assert.Contains("lies in none of its segments", error.Message, StringComparison.Ordinal);
            return;
        }

        LoadedImage image = ImageLoader.Load("x", elf, _options);
        Assert.Equal((link, 0x10_0000 + (link - Link), entry), (image.EntryLink, image.EntryPhysical, image.Cpu.Rip));
    }

    [Theory]
    [InlineData("Linux version 6.1.0 x", "6.1.0")]
    [InlineData("Linux version 6", null)]
    [InlineData("Linux version x6.1.0 x", null)]
    [InlineData("Linux version  6.1.0 x", null)]
    [InlineData("Linux version %s (%s) Linux version 5.10.0-1 y", "5.10.0-1")]
    [InlineData("linux version 6.1.0 x", null)]
    public void Banner_names_the_release(string banner, string? release)
    {
        byte[] code = new byte[0x100];
        System.Text.Encoding.ASCII.GetBytes(banner).CopyTo(code, 0x40);
        byte[] elf = new ElfBuilder { Entry = 0x10_0000 }.Segment(0x10_0000, 0x10_0000, code).Build();

        LoadedImage image = ImageLoader.Load("x", elf, _options);

        Assert.Equal((release is null ? ImageKind.Elf : ImageKind.LinuxElf, release ?? ""), (image.Kind, image.KernelRelease));
    }

    [Theory]
    [InlineData(127, true)]
    [InlineData(128, false)]
    public void Release_has_at_most_127_characters(int length, bool known)
    {
        byte[] code = new byte[0x200];
        System.Text.Encoding.ASCII.GetBytes($"Linux version {new string('6', length)} x").CopyTo(code, 0);
        byte[] elf = new ElfBuilder { Entry = 0x10_0000 }.Segment(0x10_0000, 0x10_0000, code).Build();

        Assert.Equal(known, ImageLoader.Load("x", elf, _options).IsLinux);
    }
}
