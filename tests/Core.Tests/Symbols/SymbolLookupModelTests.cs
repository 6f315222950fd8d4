using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Symbols;

/// <summary>Look-ups of <see cref="SymbolTable"/> beside lists that are searched from one end to the other.</summary>
public sealed class SymbolLookupModelTests
{
    private const ulong Text = 0xFFFF_FFFF_8100_0000;
    private const ulong Module = 0xFFFF_FFFF_C000_0000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Each_symbol_is_found_at_its_first_and_last_byte_and_not_beyond(int seed)
    {
        Random random = new(seed);
        for (int round = 0; round < 60; round++)
        {
            List<Symbol> kernel = Draw(random, Text, random.Next(1, 12), "");
            if (round % 2 == 0)
            {
                kernel.Add(new Symbol(round % 4 == 0 ? "_text" : "_stext", Text + 0x20, 0, 'T', ""));
                kernel.Add(new Symbol("_end", Text + 0x180, 0, 'B', ""));
                kernel.Add(new Symbol("per_cpu", 0x40, 0, 'A', ""));
            }

            SymbolTable table = new(kernel);
            List<(string Name, (ulong Start, ulong End)[] Ranges, List<Symbol> Symbols)> all = [("", [Bounds(kernel)], kernel)];
            for (int i = 0; i < 2; i++)
            {
                ulong start = Module + ((ulong)i * 0x1000);
                (ulong, ulong)[] ranges = [(start, start + 0x80), (start + 0x100, start + 0x180)];
                List<Symbol> symbols = Draw(random, start, 6, $"m{i}");
                table.AddModule($"m{i}", ranges, symbols);
                all.Add(($"m{i}", ranges, symbols));
            }

            foreach (ulong origin in (ulong[])[Text, Module, Module + 0x1000])
            {
                for (ulong address = origin - 2; address < origin + 0x1A0; address++)
                {
                    Assert.Equal(Find(all, address), table.TryFind(address, out Symbol symbol, out ulong offset) ? (symbol, offset) : null);
                }
            }

            foreach (string name in all.SelectMany(static s => s.Symbols).Select(static s => s.Name).Distinct())
            {
                Symbol[] named = [.. all.SelectMany(s => Sorted(s.Symbols).Where(x => x.Name == name))];
                Assert.Equal(named.Select(static s => (s.Module, s.Address)), table.FindAll(name).Select(static s => (s.Module, s.Address)));
                Assert.Equal(named[0].Address, table.AddressOf(name));
                foreach (string module in (string[])["m0", "m1", "m2"])
                {
                    Assert.Equal(named.Where(s => s.Module == module).Select(static s => s.Address), table.FindAll($"{module}:{name}").Select(static s => s.Address));
                }
            }

            Assert.Equal(all.SelectMany(static s => Sorted(s.Symbols)).Select(static s => (s.Name, s.Address, s.Type, s.Module)), table.All().Select(static s => (s.Name, s.Address, s.Type, s.Module)));
            Assert.Equal(all.Sum(static s => s.Symbols.Count), table.Count);
        }
    }

    [Fact]
    public void Sizes_reach_to_the_next_address_or_to_the_end_of_their_memory()
    {
        SymbolTable table = new([]);
        table.AddModule("m", [(0x1000, 0x1100), (0x2000, 0x2080)],
            [
                new Symbol("b", 0x1010, 0, 't', "m"), new Symbol("a", 0x1000, 0, 't', "m"), new Symbol("alias", 0x1010, 0, 't', "m"), new Symbol("c", 0x10F0, 0, 't', "m"),
                new Symbol("outside", 0x1800, 0, 'd', "m"), new Symbol("d", 0x2000, 0, 'd', "m"), new Symbol("last", 0x3000, 0, 'd', "m"),
            ]);

        Assert.Equal(
            ["a 10", "b e0", "alias e0", "c 10", "outside 800", "d 80", "last 0"], table.All().Select(static s => $"{s.Name} {s.Size:x}"));
        Assert.Equal("b+0x0/0xe0 [m]", table.Format(0x1010));
        Assert.Equal("c+0xf/0x10 [m]", table.Format(0x10FF));
        Assert.Equal("0x1100", table.Format(0x1100));
        Assert.Equal("0x1800", table.Format(0x1800));
        Assert.Equal("d+0x7f/0x80 [m]", table.Format(0x207F));
    }

    [Fact]
    public void Each_coming_and_going_of_a_module_changes_the_version()
    {
        SymbolTable table = new([new Symbol("_text", Text, 0, 'T', "")]);
        List<int> versions = [table.Version];
        table.AddModule("m", [(Module, Module + 16)], [new Symbol("f", Module, 0, 't', "m")]);
        versions.Add(table.Version);
        table.AddModule("n", [(Module + 16, Module + 32)], []);
        versions.Add(table.Version);
        table.AddModule("m", [(Module + 32, Module + 48)], [new Symbol("g", Module + 32, 0, 't', "m")]);
        versions.Add(table.Version);
        Assert.Equal(["n", "m"], table.Modules);
        Assert.Null(table.AddressOf("f"));
        Assert.Equal(Module + 32, table.AddressOf("m:g"));
        table.RemoveModule("n");
        versions.Add(table.Version);
        Assert.Equal(versions.Order().Distinct(), versions);
        table.RemoveModule("n");
        Assert.Equal(versions[^1], table.Version);
        Assert.Equal(2, table.Count);
    }

    [Theory]
    [InlineData("f", 0x1000UL)]
    [InlineData("m:f", 0x1000UL)]
    [InlineData(":f", null)]
    [InlineData("m:", null)]
    [InlineData("n:f", null)]
    [InlineData("m:m:f", null)]
    [InlineData("F", null)]
    [InlineData("", null)]
    public void A_colon_parts_the_module_from_the_name(string name, ulong? address)
    {
        SymbolTable table = new([]);
        table.AddModule("m", [(0x1000, 0x1010)], [new Symbol("f", 0x1000, 0, 't', "m")]);

        Assert.Equal(address, table.AddressOf(name));
        Assert.Equal(address is null ? 0 : 1, table.FindAll(name).Count);
        Assert.Equal(address is not null, table.TryFind(name, out _));
    }

    [Fact]
    public void The_last_byte_of_all_can_have_a_symbol()
    {
        SymbolTable table = new([new Symbol("low", ulong.MaxValue - 0xF, 0, 'T', ""), new Symbol("high", ulong.MaxValue - 3, 0, 'T', "")]);

        Assert.Equal("low", table.TryFind(ulong.MaxValue - 4, out Symbol symbol, out _) ? symbol.Name : "");
        Assert.Equal("high", table.TryFind(ulong.MaxValue - 3, out symbol, out _) ? symbol.Name : "");
    }

    private static List<Symbol> Draw(Random random, ulong start, int count, string module) =>
        [.. Enumerable.Range(0, count).Select(i => new Symbol($"f{random.Next(8)}", start + ((ulong)random.Next(32) * 8), 0, "Tt"[i % 2], module))];

    private static IEnumerable<Symbol> Sorted(List<Symbol> symbols) => symbols.OrderBy(static s => s.Address);

    /// <summary>From <c>_text</c> to <c>_end</c>; without them from the first symbol to the last.</summary>
    private static (ulong Start, ulong End) Bounds(List<Symbol> symbols)
    {
        bool isLinked = symbols.Any(static s => s.Name == "_end");
        return isLinked ? (Text + 0x20, Text + 0x180) : (symbols.Min(static s => s.Address), symbols.Max(static s => s.Address) + 1);
    }

    private static (Symbol, ulong)? Find(List<(string Name, (ulong Start, ulong End)[] Ranges, List<Symbol> Symbols)> all, ulong address)
    {
        foreach ((string name, (ulong Start, ulong End)[] ranges, List<Symbol> symbols) in all)
        {
            if (!ranges.Any(r => r.Start <= address && address < r.End))
            {
                continue;
            }

            Symbol[] below = [.. symbols.Where(s => s.Address <= address)];
            if (below.Length == 0)
            {
                return null;
            }

            Symbol first = below.First(s => s.Address == below.Max(static b => b.Address));
            ulong[] ends = [.. symbols.Where(s => s.Address > first.Address).Select(static s => s.Address), .. ranges.Where(r => r.Start <= first.Address && first.Address < r.End).Select(static r => r.End)];
            return (first with { Size = ends.DefaultIfEmpty(first.Address).Min() - first.Address, Module = name }, address - first.Address);
        }

        return null;
    }
}
