using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Symbols;

public sealed class SystemMapReaderTests
{
    [Fact]
    public void Reads_addresses_letters_names_and_modules()
    {
        using StringReader text = new("0000000000000000 A fixed_percpu_data\nffffffff81000000 T _text\r\n\nffffffffc0001000 t f\t[loop]\n");

        IReadOnlyList<Symbol> symbols = SystemMapReader.Read("System.map", text);

        Assert.Equal(
            [
                new Symbol("fixed_percpu_data", 0, 0, 'A', ""),
                new Symbol("_text", 0xFFFF_FFFF_8100_0000, 0, 'T', ""),
                new Symbol("f", 0xFFFF_FFFF_C000_1000, 0, 't', "loop"),
            ],
            symbols);
    }

    [Theory]
    [InlineData("1 T a", 1ul, 'T', "a", "")]
    [InlineData("ffffffffffffffff V a", ulong.MaxValue, 'V', "a", "")]
    [InlineData("FFFFFFFF81000000 r a.b$c", 0xFFFF_FFFF_8100_0000, 'r', "a.b$c", "")]
    [InlineData("1\tT\ta\t[m]", 1ul, 'T', "a", "m")]
    [InlineData("1  T  a  [m]", 1ul, 'T', "a", "m")]
    [InlineData("  1 T a [m_n]  ", 1ul, 'T', "a", "m_n")]
    public void Columns_stand_between_blanks_or_tabs(string line, ulong address, char type, string name, string module)
    {
        using StringReader text = new(line);

        Assert.Equal([new Symbol(name, address, 0, type, module)], SystemMapReader.Read("System.map", text));
    }

    [Fact]
    public void One_address_that_is_not_zero_is_enough()
    {
        using StringReader text = new("0 T a\n0 T b\n1 T c\n0 T d\n");

        Assert.Equal(["a", "b", "c", "d"], SystemMapReader.Read("System.map", text).Select(static s => s.Name));
    }

    [Theory]
    [InlineData("1 T a []\n", "System.map:1: ")]
    [InlineData("1 T a [m\n", "System.map:1: ")]
    [InlineData("1 T a m]\n", "System.map:1: ")]
    [InlineData("1 T a [m] x\n", "System.map:1: ")]
    [InlineData("1 4 a\n", "System.map:1: ")]
    [InlineData("1 T\n", "System.map:1: ")]
    [InlineData("1 Ta\n", "System.map:1: ")]
    [InlineData("-1 T a\n", "System.map:1: ")]
    [InlineData("0x1 T a\n", "System.map:1: ")]
    [InlineData("\n\n1\n", "System.map:3: ")]
    [InlineData("ffffffff81000000 T _text\nnonsense\n", "System.map:2: ")]
    [InlineData("zz T _text\n", "System.map:1: ")]
    [InlineData("ffffffff81000000 TT _text\n", "System.map:1: ")]
    [InlineData("ffffffff81000000 T \n", "System.map:1: ")]
    [InlineData("ffffffff81000000 T a b\n", "System.map:1: ")]
    [InlineData("fffffffffff81000000 T a\n", "System.map:1: ")]
    [InlineData("", "no symbol addresses")]
    [InlineData("0000000000000000 T a\n0000000000000000 T b\n", "no symbol addresses")]
    public void Anything_else_is_an_error_that_names_the_line(string content, string expected)
    {
        using StringReader text = new(content);

        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => SystemMapReader.Read("System.map", text));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4_000_000, null)]
    [InlineData(4_000_001, "System.map:4000001: ")]
    public void A_file_has_four_million_symbols_at_most(int lines, string? refusal)
    {
        using RepeatedLine text = new("1 T a", lines);

        Exception? error = Record.Exception(() => Assert.Equal(lines, SystemMapReader.Read("System.map", text).Count));

        Assert.Equal(refusal is null, error is null);
        Assert.StartsWith(refusal ?? "", error?.Message ?? "", StringComparison.Ordinal);
    }

    /// <summary>A text of so many equal lines.</summary>
    private sealed class RepeatedLine(string line, int count) : TextReader
    {
        private int _left = count;

        public override string? ReadLine() => _left-- > 0 ? line : null;
    }
}
