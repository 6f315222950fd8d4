using System.Buffers.Binary;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Loaders;
using KprobeTrace.Tests.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Guest;

public sealed class GuestTablesTests
{
    private const ulong Text = GuestImage.Text;
    private readonly GuestTables _tables;

    public GuestTablesTests()
    {
        LoadedImage image = GuestImage.Load(static bytes =>
        {
            // Jump labels: a two-byte nop, a two-byte jump, a five-byte nop, a five-byte jump.
            bytes[0x100] = 0x66;
            bytes[0x101] = 0x90;
            bytes[0x110] = 0xEB;
            bytes[0x120] = 0x0F;
            bytes[0x121] = 0x1F;
            bytes[0x130] = 0xE9;
            Relative(bytes, 0x1000, 16, 0x130, 0x100, 0x120, 0x110);
            Relative(bytes, 0x1100, 12, 0x200, 0x210);
            Relative(bytes, 0x1200, 12, 0x220);
            Relative(bytes, 0x1300, 8, 0x230);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(0x1500), Text + 0x300);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(0x1600), Text + 0x400);
        });
        SymbolTable symbols = GuestImage.Symbols(
            ("_stext", Text), ("listed", Text + 0x400), ("plain", Text + 0x420), ("noinstr", Text + 0x500),
            ("also_noinstr", Text + 0x510), ("after", Text + 0x540), ("listed.cold", Text + 0x600), ("plain.cold", Text + 0x620),
            ("listed.isra.0", Text + 0x640), ("plain.isra.0", Text + 0x660),
            ("_etext", Text + 0x700), ("_sinittext", Text + 0x800), ("_einittext", Text + 0x900),
            ("__noinstr_text_start", Text + 0x500), ("__noinstr_text_end", Text + 0x540),
            ("__start___jump_table", Text + 0x1000), ("__stop___jump_table", Text + 0x1040),
            ("__start___bug_table", Text + 0x1100), ("__stop___bug_table", Text + 0x1118),
            ("__start___ex_table", Text + 0x1200), ("__stop___ex_table", Text + 0x1230),
            ("__start_static_call_sites", Text + 0x1300), ("__stop_static_call_sites", Text + 0x1308),
            ("__start_mcount_loc", Text + 0x1500), ("__stop_mcount_loc", Text + 0x1508),
            ("__start_kprobe_blacklist", Text + 0x1600), ("__stop_kprobe_blacklist", Text + 0x1608),
            ("_end", Text + 0x4000));
        _tables = new GuestTables(image, symbols, null);
    }

    [Theory]
    [InlineData(0x100, 2)]
    [InlineData(0x110, 2)]
    [InlineData(0x120, 5)]
    [InlineData(0x130, 5)]
    public void A_jump_label_covers_its_whole_instruction(int at, int size)
    {
        GuestRange expected = new(Text + (ulong)at, Text + (ulong)(at + size));

        Assert.Equal(expected, _tables.JumpLabelAt(Text + (ulong)at));
        Assert.Equal(expected, _tables.JumpLabelAt(Text + (ulong)(at + size - 1)));
        Assert.Null(_tables.JumpLabelAt(Text + (ulong)(at + size)));
        Assert.Null(_tables.JumpLabelAt(Text + (ulong)(at - 1)));
    }

    [Fact]
    public void Sites_are_found_by_their_addresses()
    {
        Assert.True(_tables.IsBugAddress(Text + 0x210));
        Assert.False(_tables.IsBugAddress(Text + 0x211));
        Assert.Equal(new GuestRange(Text + 0x230, Text + 0x235), _tables.StaticCallAt(Text + 0x234));
        Assert.Equal(new GuestRange(Text + 0x300, Text + 0x305), _tables.FtraceSiteAt(Text + 0x300));
        Assert.Null(_tables.FtraceSiteAt(Text + 0x305));
    }

    [Fact]
    public void Padding_behind_a_table_is_no_entry()
    {
        Assert.Equal([Text + 0x220], _tables.ExceptionSites);
    }

    [Fact]
    public void The_blacklist_holds_listed_functions_then_areas()
    {
        Assert.Equal(
            [
                new GuestRange(Text + 0x400, Text + 0x420, "listed"),
                new GuestRange(Text + 0x500, Text + 0x510, "noinstr"),
                new GuestRange(Text + 0x510, Text + 0x540, "also_noinstr"),
            ],
            _tables.Blacklist);
    }

    [Theory]
    [InlineData(0x400, true)]
    [InlineData(0x41F, true)]
    [InlineData(0x420, false)]
    [InlineData(0x53F, true)]
    [InlineData(0x540, false)]
    [InlineData(0x600, true)]
    [InlineData(0x620, false)]
    [InlineData(0x640, true)]
    [InlineData(0x660, false)]
    [InlineData(0x3FFFFF, false)]
    public void A_function_is_refused_with_its_split_off_parts(int at, bool refused)
    {
        Assert.Equal(refused, _tables.IsBlacklisted(Text + (ulong)at));
    }

    [Fact]
    public void Text_bounds_come_from_symbols()
    {
        Assert.Equal(new GuestRange(Text, Text + 0x700), _tables.Text);
        Assert.Equal(new GuestRange(Text + 0x800, Text + 0x900), _tables.InitText);
    }

    [Fact]
    public void An_image_without_symbols_has_empty_tables()
    {
        GuestTables tables = new(GuestImage.Load(static _ => { }), SymbolTable.Empty, null);

        Assert.Empty(tables.BugSites);
        Assert.Empty(tables.Blacklist);
        Assert.False(tables.IsBlacklisted(Text));
        Assert.Null(tables.JumpLabelAt(Text));
    }

    [Fact]
    public void Bounds_that_lie_outside_the_image_give_empty_tables()
    {
        SymbolTable symbols = GuestImage.Symbols(
            ("__start___bug_table", Text + 0x3000), ("__stop___bug_table", ulong.MaxValue - 8),
            ("__start___ex_table", 0x1000), ("__stop___ex_table", 0x2000));
        GuestTables tables = new(GuestImage.Load(static _ => { }), symbols, null);

        Assert.Empty(tables.BugSites);
        Assert.Empty(tables.ExceptionSites);
    }

    /// <summary>The size that the kernel's types give an entry of the table of BUGs, and the sites of the first three entries that has.</summary>
    [Theory]
    [InlineData(0u, 12)]
    [InlineData(2u, 4)]
    [InlineData(4u, 4)]
    [InlineData(10u, 10)]
    [InlineData(16u, 16)]
    public void Size_of_a_bug_entry_is_that_of_its_type_and_12_without_one(uint size, int stride)
    {
        BtfBuilder types = new();
        types.Struct(size == 0 ? "other" : "bug_entry", size);
        LoadedImage image = GuestImage.Load(bytes => Relative(bytes, 0x1100, stride, 0x200, 0x210, 0x220));
        SymbolTable symbols = GuestImage.Symbols(
            ("_text", Text), ("__start___bug_table", Text + 0x1100), ("__stop___bug_table", Text + 0x1100 + (ulong)(3 * stride)), ("_end", Text + 0x4000));

        Assert.Equal([Text + 0x200, Text + 0x210, Text + 0x220], new GuestTables(image, symbols, Btf.Parse("kernel", types.Build())).BugSites);
    }

    /// <summary>Where symbols say that a table begins and ends that has a section too, and the sites that are read.</summary>
    [Theory]
    [InlineData(0x1200, 0x120C, 0x220)]
    [InlineData(0x1200, 0x1200)]
    [InlineData(0x1200, 0x11FF, 0x230, 0x240)]
    public void Symbols_go_before_the_section_unless_they_are_in_the_wrong_order(int start, int stop, params int[] sites)
    {
        byte[] bytes = new byte[GuestImage.Size];
        "Linux version 6.1.0 x"u8.CopyTo(bytes.AsSpan(GuestImage.Size - 64));
        Relative(bytes, 0x1200, 12, 0x220);
        Relative(bytes, 0x1300, 12, 0x230, 0x240);
        byte[] elf = new ElfBuilder { Entry = GuestImage.Physical }.Segment(Text, GuestImage.Physical, bytes)
            .Section("__ex_table", 1, new byte[24], Text + 0x1300, 2).Section("", 1, new byte[24], Text + 0x1300, 2).Build();
        LoadedImage image = ImageLoader.Load("vmlinux", elf, new ImageLoadOptions { MemorySize = 64 << 20 });

        GuestTables tables = new(image, GuestImage.Symbols(("_text", Text), ("__start___ex_table", Text + (ulong)start), ("__stop___ex_table", Text + (ulong)stop)), null);

        Assert.Equal(sites.Select(s => Text + (ulong)s), tables.ExceptionSites);
        Assert.Equal((default, default), (tables.Text, tables.InitText));
    }

    private static void Relative(byte[] bytes, int table, int entrySize, params int[] targets)
    {
        for (int i = 0; i < targets.Length; i++)
        {
            int at = table + (i * entrySize);
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), targets[i] - at);
        }
    }
}
