using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Symbols;

public sealed class KallsymsReaderTests
{
    private const ulong Text = 0xFFFF_FFFF_8100_0000;

    public static TheoryData<string> Layouts => ["4.4", "4.19", "4.20", "5.10", "6.2", "6.5", "plain"];

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Recovers_every_symbol_of_every_layout(string layout)
    {
        List<(ulong Address, char Type, string Name)> expected = Symbols(perCpu: layout is not "plain");

        IReadOnlyList<Symbol> found = KallsymsReader.Read(BuilderOf(layout).Build(expected));

        Assert.Equal(expected, found.Select(symbol => (symbol.Address, symbol.Type, symbol.Name)));
    }

    [Fact]
    public void Names_of_more_than_127_tokens_have_a_two_byte_length()
    {
        List<(ulong Address, char Type, string Name)> expected = Symbols(perCpu: true);
        expected[5] = expected[5] with { Name = new string('n', 300) };

        IReadOnlyList<Symbol> found = KallsymsReader.Read(BuilderOf("6.5").Build(expected));

        Assert.Equal(expected[5].Name, found[5].Name);
        Assert.Equal(expected.Count, found.Count);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Truncated_tables_are_no_table(string layout)
    {
        byte[] image = BuilderOf(layout).Build(Symbols(perCpu: layout is not "plain"));
        int needed = image.Length - 64;

        for (int length = 0; length < needed; length += 641)
        {
            Assert.Empty(KallsymsReader.Read(image.AsSpan(0, length)));
        }
    }

    [Fact]
    public void Damaged_tables_give_symbols_or_none_but_no_failure()
    {
        byte[] image = BuilderOf("5.10").Build(Symbols(perCpu: true));
        uint state = 1;

        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = [.. image];
            for (int k = 0; k < 3; k++)
            {
                state = (state * 1664525) + 1013904223;
                damaged[(int)(state >> 8) % damaged.Length] ^= (byte)(1 << (int)(state & 7));
            }

            Assert.InRange(KallsymsReader.Read(damaged).Count, 0, image.Length);
        }
    }

    [Fact]
    public void Bytes_made_to_mislead_the_search_do_not_keep_it_busy()
    {
        // Every word looks like the start of markers, ahead of a token table that is right.
        byte[] image = BuilderOf("5.10").Build(Symbols(perCpu: true));
        byte[] noise = new byte[4 << 20];
        for (int at = 0; at + 8 <= noise.Length; at += 8)
        {
            noise[at + 5] = 0x20;
        }

        int tokens = image.AsSpan().IndexOf("0\01\02\03\04\05\06\07\08\09\0"u8) - 400;
        byte[] hostile = [.. noise, .. image.AsSpan(tokens)];

        Assert.Empty(KallsymsReader.Read(hostile));
    }

    [Fact]
    public void Bytes_without_tables_have_no_symbols()
    {
        Assert.Empty(KallsymsReader.Read([]));
        Assert.Empty(KallsymsReader.Read(new byte[100_000]));
        Assert.Empty(KallsymsReader.Read("0\01\02\03\04\05\06\07\08\09\0"u8));
    }

    private static KallsymsBuilder BuilderOf(string layout) => layout switch
    {
        "4.4" => new KallsymsBuilder { AbsoluteAddresses = true, WideMarkers = true },
        "4.19" => new KallsymsBuilder { WideMarkers = true },
        "4.20" or "5.10" => new KallsymsBuilder(),
        "6.2" => new KallsymsBuilder { Sequences = true },
        "6.5" => new KallsymsBuilder { Sequences = true, AddressesLast = true },
        _ => new KallsymsBuilder { PlainOffsets = true },
    };

    private static List<(ulong Address, char Type, string Name)> Symbols(bool perCpu)
    {
        List<(ulong Address, char Type, string Name)> symbols = [];
        if (perCpu)
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
