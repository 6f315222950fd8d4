using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Symbols;

public sealed class SymbolTableTests
{
    private const ulong Text = 0xFFFF_FFFF_8100_0000;

    private static readonly Symbol[] _kernel =
    [
        new Symbol("current_task", 0x1FB80, 0, 'D', ""),
        new Symbol("_stext", Text, 0, 'T', ""),
        new Symbol("_text", Text, 0, 'T', ""),
        new Symbol("copy", Text + 0x10, 0, 't', ""),
        new Symbol("fork", Text + 0x40, 0, 'T', ""),
        new Symbol("copy", Text + 0x80, 0, 't', ""),
        new Symbol("_end", Text + 0x100, 0, 'B', ""),
    ];

    [Fact]
    public void A_kernel_that_ends_where_it_begins_ends_with_its_last_symbol()
    {
        SymbolTable table = new([new Symbol("_text", Text, 0, 'T', ""), new Symbol("_end", Text, 0, 'B', ""), new Symbol("fork", Text + 0x40, 0x20, 'T', "")]);

        Assert.True(table.TryFind(Text + 0x50, out Symbol symbol, out ulong offset));
        Assert.Equal(("fork", 0x10ul), (symbol.Name, offset));
    }

    [Theory]
    [InlineData(0x0, "_stext", 0x0, 0x10)]
    [InlineData(0xF, "_stext", 0xF, 0x10)]
    [InlineData(0x10, "copy", 0x0, 0x30)]
    [InlineData(0x7F, "fork", 0x3F, 0x40)]
    [InlineData(0xFF, "copy", 0x7F, 0x80)]
    public void Finds_what_covers_an_address(int at, string name, int offset, int size)
    {
        SymbolTable table = new(_kernel);

        Assert.True(table.TryFind(Text + (ulong)at, out Symbol symbol, out ulong found));
        Assert.Equal((name, (ulong)offset, (ulong)size), (symbol.Name, found, symbol.Size));
    }

    /// <summary>Since 5.x <c>_text</c> and <c>_stext</c> need not be the same place.</summary>
    [Theory]
    [InlineData("_text", "_stext")]
    [InlineData("_stext", "_text")]
    public void A_kernel_begins_with_the_lower_of_its_two_beginnings_whichever_comes_first(string lower, string upper)
    {
        Symbol[] symbols = [new Symbol(lower, Text, 0, 'T', ""), new Symbol("head", Text + 8, 0, 'T', ""), new Symbol(upper, Text + 16, 0, 'T', ""), new Symbol("_end", Text + 32, 0, 'B', "")];

        foreach (SymbolTable table in (SymbolTable[])[new(symbols), new([.. symbols.Reverse()])])
        {
            Assert.Equal("head+0x0/0x8", table.Format(Text + 8));
            Assert.Equal($"{lower}+0x0/0x8", table.Format(Text));
            Assert.Equal($"{upper}+0xf/0x10", table.Format(Text + 31));
        }
    }

    [Fact]
    public void What_is_not_found_is_no_symbol_at_no_offset()
    {
        SymbolTable table = new(_kernel);

        Assert.False(table.TryFind(Text - 1, out Symbol symbol, out ulong offset));
        Assert.Equal((default, 0UL), (symbol, offset));
        Assert.False(table.TryFind("nosuch", out symbol));
        Assert.Equal(default, symbol);
    }

    [Theory]
    [InlineData("TtWw", true)]
    [InlineData("DdRrBbVvAa?", false)]
    public void Text_has_the_letters_T_and_W(string letters, bool isText) =>
        Assert.All(letters, letter => Assert.Equal(isText, new Symbol("f", Text, 0, letter, "").IsText));

    [Theory]
    [InlineData(0x1FB80ul)]
    [InlineData(Text - 1)]
    [InlineData(Text + 0x100)]
    [InlineData(0ul)]
    [InlineData(ulong.MaxValue)]
    public void Per_CPU_offsets_and_addresses_outside_the_kernel_have_no_symbol(ulong address)
    {
        SymbolTable table = new(_kernel);

        Assert.False(table.TryFind(address, out _, out _));
    }

    [Fact]
    public void Names_find_the_first_and_all()
    {
        SymbolTable table = new(_kernel);

        Assert.Equal(Text + 0x10, table.AddressOf("copy"));
        Assert.Equal([Text + 0x10, Text + 0x80], table.FindAll("copy").Select(symbol => symbol.Address));
        Assert.Equal(0x1FB80ul, table.AddressOf("current_task"));
        Assert.Null(table.AddressOf("nosuch"));
        Assert.Empty(table.FindAll("nosuch"));
    }

    [Fact]
    public void Modules_come_and_go()
    {
        SymbolTable table = new(_kernel);
        const ulong Core = 0xFFFF_FFFF_C000_0000;
        int version = table.Version;

        table.AddModule(
            "loop",
            [(Core, Core + 0x1000), (Core + 0x8000, Core + 0x9000)],
            [
                new Symbol("loop_init", Core + 0x8000, 0, 't', "loop"),
                new Symbol("fork", Core + 0x100, 0, 't', "loop"),
                new Symbol("loop_exit", Core + 0x200, 0, 't', "loop"),
            ]);

        Assert.NotEqual(version, table.Version);
        Assert.Equal("loop_exit+0x4/0xe00 [loop]", table.Format(Core + 0x204));
        Assert.Equal("loop_init+0x0/0x1000 [loop]", table.Format(Core + 0x8000));
        Assert.Equal(Core + 0x100, table.AddressOf("loop:fork"));
        Assert.Equal(Text + 0x40, table.AddressOf("fork"));
        Assert.Equal(2, table.FindAll("fork").Count);
        Assert.Null(table.AddressOf("loop:copy"));
        Assert.Equal(_kernel.Length + 3, table.Count);
        Assert.Equal(["loop"], table.Modules);

        table.RemoveModule("loop");

        Assert.Equal("0xffffffffc0000204", table.Format(Core + 0x204));
        Assert.Null(table.AddressOf("loop:fork"));
    }

    [Fact]
    public void A_table_without_kernel_bounds_covers_what_its_symbols_cover()
    {
        SymbolTable table = new([new Symbol("b", 0x2000, 0x20, 'T', ""), new Symbol("a", 0x1000, 0x10, 'T', "")]);

        Assert.Equal("a+0x8/0x1000", table.Format(0x1008));
        Assert.Equal("b+0x1f/0x21", table.Format(0x201F));
        Assert.Equal("0xfff", table.Format(0xFFF));
    }

    [Fact]
    public void An_empty_table_finds_nothing()
    {
        Assert.False(SymbolTable.Empty.TryFind(0, out _, out _));
        Assert.Equal("0x10", SymbolTable.Empty.Format(0x10));
        Assert.Equal(0, SymbolTable.Empty.Count);
    }
}
