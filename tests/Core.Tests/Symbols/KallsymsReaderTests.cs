using System.Buffers.Binary;
using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Symbols;

public sealed class KallsymsReaderTests
{
    private const ulong Text = KallsymsBuilder.Base;

    /// <summary>The first kernel of each layout; those of kernels for one processor (UP) and without offsets (absolute) beside it.</summary>
    public static TheoryData<string> Layouts =>
    [
        "4.4", "4.6", "4.6 UP", "4.6 absolute", "4.20", "4.20 UP", "4.20 absolute", "6.1", "6.2", "6.2 UP", "6.2 absolute", "6.5",
        "6.5 absolute", "6.15", "7.0",
    ];

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Recovers_every_symbol_of_every_layout(string layout)
    {
        KallsymsBuilder builder = KallsymsBuilder.Of(layout);
        List<(ulong Address, char Type, string Name)> expected = Symbols(builder);

        IReadOnlyList<Symbol> found = Read(builder.Build(expected));

        Assert.Equal(expected, found.Select(symbol => (symbol.Address, symbol.Type, symbol.Name)));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Recovers_as_many_symbols_as_there_are_however_few_the_last_marker_has(string layout)
    {
        KallsymsBuilder builder = KallsymsBuilder.Of(layout);
        List<int> wrong = [];
        for (int count = 512; count < 768; count++)
        {
            List<(ulong Address, char Type, string Name)> expected =
                [.. Enumerable.Range(0, count).Select(i => (Text + (ulong)(i * 16), 't', ((char)('a' + (i % 26))).ToString()))];
            if (!Read(builder.Build(expected)).Select(s => (s.Address, s.Type, s.Name)).SequenceEqual(expected))
            {
                wrong.Add(count % 256);
            }
        }

        Assert.True(wrong.Count == 0, $"wrong when the count of symbols is, modulo 256, one of {string.Join(' ', wrong)}");
    }

    [Theory]
    [InlineData("6.0", 127)]
    [InlineData("6.0", 254)]
    [InlineData("6.1", 127)]
    [InlineData("6.1", 300)]
    [InlineData("7.0", 511)]
    public void A_name_of_128_tokens_or_more_has_one_byte_of_length_before_6_1_and_two_since(string kernel, int length)
    {
        KallsymsBuilder builder = KallsymsBuilder.Of(kernel is "6.0" ? "4.20" : kernel);
        List<(ulong Address, char Type, string Name)> expected = Symbols(builder);
        expected[5] = expected[5] with { Name = new string('n', length) };

        IReadOnlyList<Symbol> found = Read(builder.Build(expected));

        Assert.Equal(expected, found.Select(symbol => (symbol.Address, symbol.Type, symbol.Name)));
    }

    [Fact]
    public void Offsets_that_are_all_zero_are_no_addresses()
    {
        KallsymsBuilder builder = KallsymsBuilder.Of("7.0");
        List<(ulong Address, char Type, string Name)> symbols = Symbols(builder);
        byte[] image = builder.Build(symbols);

        image.AsSpan(image.Length - 64 - (symbols.Count * 3) - 3 - (symbols.Count * 4)).Clear();

        Assert.Empty(Read(image));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Truncated_tables_are_no_table(string layout)
    {
        KallsymsBuilder builder = KallsymsBuilder.Of(layout);
        List<(ulong Address, char Type, string Name)> symbols = Symbols(builder);
        byte[] image = builder.Build(symbols);
        int unneeded = 64 + (builder is { Sequences: true, AddressesLast: true } ? symbols.Count * 3 : 0);

        for (int length = 0; length < image.Length - unneeded - 8; length += 641)
        {
            Assert.Empty(Read(image.AsSpan(0, length)));
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Table_that_lacks_its_last_bytes_is_none(string layout)
    {
        KallsymsBuilder builder = KallsymsBuilder.Of(layout);
        List<(ulong Address, char Type, string Name)> symbols = [.. Symbols(builder).Take(600)];
        byte[] image = builder.Build(symbols);
        int end = image.Length - 64 - (builder is { Sequences: true, AddressesLast: true } ? ((symbols.Count * 3) + builder.Alignment - 1) & -builder.Alignment : 0);

        Assert.Equal(symbols.Count, Read(image.AsSpan(0, end)).Count);
        Assert.All(Enumerable.Range(9, 40), less => Assert.Empty(Read(image.AsSpan(0, end - less))));
    }

    [Theory]
    [InlineData(1022)]
    [InlineData(1023)]
    [InlineData(1024)]
    public void A_name_has_1023_bytes_at_most_and_no_part_of_a_token(int length)
    {
        KallsymsBuilder builder = KallsymsBuilder.Of("7.0");
        List<(ulong Address, char Type, string Name)> symbols = Symbols(builder);
        string name = new string('n', length - 6) + "_read_";
        symbols[7] = symbols[7] with { Name = name + "tail" };

        // From the first token on that does not fit nothing is taken.
        string expected = length == 1024 ? name[..^6] : (name + "tail")[..1023];
        IReadOnlyList<Symbol> found = Read(builder.Build(symbols));
        Assert.Equal((expected, symbols[7].Address), (found[7].Name, found[7].Address));
        Assert.Equal((symbols[8].Name, symbols[8].Address), (found[8].Name, found[8].Address));
        Assert.Equal(symbols.Count, found.Count);
    }

    [Theory]
    [InlineData(256, false)]
    [InlineData(257, true)]
    public void A_kernel_has_more_than_256_symbols(int count, bool isTable)
    {
        KallsymsBuilder builder = KallsymsBuilder.Of("4.20");
        List<(ulong Address, char Type, string Name)> symbols = [.. Symbols(builder).Take(count)];

        Assert.Equal(isTable ? symbols.Select(static s => s.Name) : [], Read(builder.Build(symbols)).Select(static s => s.Name));
    }

    [Fact]
    public void Digits_before_and_behind_the_tables_are_no_tokens()
    {
        KallsymsBuilder builder = KallsymsBuilder.Of("4.20");
        List<(ulong Address, char Type, string Name)> symbols = Symbols(builder);
        byte[] digits = [.. "0\01\02\03\04\05\06\07\08\09\0"u8, 0, 0, 0, 0];

        byte[] image = [.. digits, .. digits, .. builder.Build(symbols), .. digits, .. new byte[2000], .. digits];
        Assert.Equal(symbols, Read(image).Select(static s => (s.Address, s.Type, s.Name)));
    }

    /// <summary>An entry of the token index, as it is written in place of the sound one: where another token begins, and so many bytes on.</summary>
    [Theory]
    [InlineData(0, 1, 0)]
    [InlineData(5, 5, 1)]
    [InlineData(5, 4, 0)]
    [InlineData(5, 3, 0)]
    [InlineData(47, 48, 0)]
    [InlineData(49, 48, 0)]
    [InlineData(255, 254, 0)]
    public void Index_says_of_each_token_where_it_begins(int token, int other, int on)
    {
        KallsymsBuilder builder = KallsymsBuilder.Of("6.5");
        byte[] image = builder.Build([.. Symbols(builder).Take(300)]);
        Span<byte> index = image.AsSpan(image.AsSpan().IndexOf((byte[])[0, 0, 4, 0, 8, 0, 12, 0]));
        Assert.Equal(300, Read(image).Count);

        BinaryPrimitives.WriteUInt16LittleEndian(index[(token * 2)..], (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(index[(other * 2)..]) + on));

        Assert.Empty(Read(image));
    }

    [Fact]
    public void A_symbol_without_a_name_is_left_out()
    {
        KallsymsBuilder builder = KallsymsBuilder.Of("6.5");
        List<(ulong Address, char Type, string Name)> symbols = Symbols(builder);
        symbols[3] = symbols[3] with { Name = "" };
        symbols[4] = symbols[4] with { Name = "n" };

        Assert.Equal(symbols.Where(static s => s.Name.Length > 0), Read(builder.Build(symbols)).Select(static s => (s.Address, s.Type, s.Name)));
    }

    /// <summary>The base as it is written in place of the sound one.</summary>
    [Theory]
    [InlineData(0x0000_0000_8100_0000UL, false)]
    [InlineData(0x7FFF_FFFF_8100_0000UL, false)]
    [InlineData(0xFFFF_FFFF_8100_0001UL, false)]
    [InlineData(0xFFFF_FFFF_8100_0800UL, false)]
    [InlineData(0xFFFF_FFFF_8100_1000UL, true)]
    [InlineData(0x8000_0000_0000_0000UL, true)]
    public void Base_of_the_addresses_is_a_page_of_the_upper_half(ulong origin, bool isBase)
    {
        KallsymsBuilder builder = KallsymsBuilder.Of("4.20 UP");
        List<(ulong Address, char Type, string Name)> symbols = Symbols(builder);
        byte[] image = builder.Build(symbols);
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, KallsymsBuilder.Base);
        int at = image.AsSpan().IndexOf(bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(at), origin);

        Assert.Equal(isBase ? symbols.Select(s => s.Address - KallsymsBuilder.Base + origin) : [], Read(image).Select(static s => s.Address));
    }

    [Theory]
    [InlineData("4.4")]
    [InlineData("4.20")]
    [InlineData("4.20 UP")]
    [InlineData("6.5")]
    [InlineData("6.15")]
    [InlineData("7.0")]
    public void Addresses_that_fall_anywhere_are_none(string layout)
    {
        KallsymsBuilder builder = KallsymsBuilder.Of(layout);
        List<(ulong Address, char Type, string Name)> symbols = Symbols(builder);
        foreach (int at in (int[])[3, symbols.Count / 2, symbols.Count - 1])
        {
            List<(ulong Address, char Type, string Name)> wrong = [.. symbols];
            (ulong Address, char Type, string Name) lower = wrong[at] with { Address = wrong[at - 1].Address - 1 };
            wrong[at] = lower;

            Assert.Empty(Read(builder.Build(wrong)));
        }
    }

    [Fact]
    public void Addresses_that_are_all_one_are_none()
    {
        KallsymsBuilder builder = KallsymsBuilder.Of("4.20 UP");

        Assert.Empty(Read(builder.Build([.. Symbols(builder).Select(static s => s with { Address = Text })])));
    }

    [Fact]
    public void Damaged_tables_give_symbols_or_none_but_no_failure()
    {
        KallsymsBuilder builder = KallsymsBuilder.Of("4.20");
        byte[] image = builder.Build(Symbols(builder));
        uint state = 1;

        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = [.. image];
            for (int k = 0; k < 3; k++)
            {
                state = (state * 1664525) + 1013904223;
                damaged[(int)(state >> 8) % damaged.Length] ^= (byte)(1 << (int)(state & 7));
            }

            Assert.InRange(Read(damaged).Count, 0, image.Length);
        }
    }

    [Fact]
    public void Bytes_made_to_mislead_the_search_do_not_keep_it_busy()
    {
        // Every word looks like the start of markers, ahead of a token table that is right.
        KallsymsBuilder builder = KallsymsBuilder.Of("4.20");
        byte[] image = builder.Build(Symbols(builder));
        byte[] noise = new byte[4 << 20];
        for (int at = 0; at + 8 <= noise.Length; at += 8)
        {
            noise[at + 5] = 0x20;
        }

        int tokens = image.AsSpan().IndexOf("0\01\02\03\04\05\06\07\08\09\0"u8) - 400;
        byte[] hostile = [.. noise, .. image.AsSpan(tokens)];

        Assert.Empty(Read(hostile));
    }

    [Fact]
    public void Bytes_without_tables_have_no_symbols()
    {
        Assert.Empty(Read([]));
        Assert.Empty(Read(new byte[100_000]));
        Assert.Empty(Read("0\01\02\03\04\05\06\07\08\09\0"u8));
    }

    private static IReadOnlyList<Symbol> Read(ReadOnlySpan<byte> bytes) => KallsymsReader.Read(bytes, KallsymsBuilder.LinkAddress);

    private static List<(ulong Address, char Type, string Name)> Symbols(KallsymsBuilder builder)
    {
        List<(ulong Address, char Type, string Name)> symbols = [];
        if (builder.Addressing is KallsymsAddressing.Absolute or KallsymsAddressing.BaseRelativeButPerCpu)
        {
            symbols.Add((0, 'A', "fixed_percpu_data"));
            symbols.Add((0x1FB80, 'D', "current_task"));
        }

        symbols.Add((Text, 'T', "_text"));
        for (int i = 0; i < 2000; i++)
        {
            symbols.Add((Text + (ulong)(i * 48), "TtDdRrBbWV"[i % 10], $"vfs_read_{i:x}.part.{i % 3}"));
        }

        symbols.Add((Text + 0x20_0000, 'B', "_end"));
        return symbols;
    }
}
