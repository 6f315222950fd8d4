using KprobeTrace.Store;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Store;

public sealed class SymbolMapTests
{
    [Fact]
    public void Whatever_is_moved_to_make_or_close_room_is_counted()
    {
        SymbolMap map = new();
        for (ulong i = 0; i < 3 * SymbolMap.MaxBlock; i++)
        {
            map.Add(new TraceSymbol(0x1000 + (i * 16), 16, $"f{i}", "first", 't'));
        }

        Assert.Equal(0, map.Moved); // what comes in order moves nothing

        // Takes the places of all symbols of the first of three blocks, one after the other from its front, and then of the block.
        map.Add(new TraceSymbol(0x1000, 16 * SymbolMap.MaxBlock, "large", "second", 't'));

        long removed = Enumerable.Range(0, SymbolMap.MaxBlock).Sum();
        const int Block = 2; // the blocks behind the one that was removed
        const int Split = (SymbolMap.MaxBlock / 2) + 1; // the next one is full: half of it moves, and the block behind it
        const int Front = SymbolMap.MaxBlock / 2; // it goes to the front of what is left
        Assert.Equal(removed + Block + Split + Front, map.Moved);
        Assert.Equal((2 * SymbolMap.MaxBlock) + 1, map.Count);
        Assert.True(map.HasReplaced);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(3, 7)]
    [InlineData(4, 1000)]
    public void Symbols_that_come_in_any_order_and_pieces_are_found_like_a_list_of_all(int seed, int piece)
    {
        Random random = new(seed);
        SymbolMap map = new();
        List<TraceSymbol> all = [];
        for (int i = 0; i < 1000; i++)
        {
            TraceSymbol symbol = new((ulong)random.Next(400) * 16, (ulong)random.Next(3) * 16, $"f{random.Next(50)}", "", 'T');
            map.Add(symbol);
            all.Add(symbol);
            if (i % piece == piece - 1)
            {
                ulong address = (ulong)random.Next(6400);
                Assert.Equal(Expected(all, address), map.TryFind(address, out TraceSymbol there) ? there : null);
            }
        }

        Assert.All(Enumerable.Range(0, 6500).Select(a => (ulong)a), address =>
        {
            bool found = map.TryFind(address, out TraceSymbol symbol);
            Assert.Equal(Expected(all, address), found ? symbol : null);
        });
        Assert.Equal(1000, map.Count);
        Assert.False(map.HasReplaced);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(50)]
    public void Modules_symbols_take_the_places_of_those_that_lay_there(int piece)
    {
        SymbolMap map = new();
        for (uint i = 0; i < 100; i++)
        {
            map.Add(new(0x1000 + (i * 16), 16, $"old{i}", "a", 'T'));
            if (i % piece == piece - 1)
            {
                Assert.False(map.HasReplaced);
            }
        }

        for (uint i = 99; i >= 20; i--)
        {
            map.Add(new(0x1000 + (i * 16), 16, $"new{i}", "b", 'T'));
            if (i % piece == 0)
            {
                Assert.True(map.HasReplaced);
            }
        }

        Assert.All(Enumerable.Range(0, 100), i =>
        {
            Assert.True(map.TryFind(0x1008 + ((ulong)i * 16), out TraceSymbol symbol));
            Assert.Equal(i < 20 ? $"old{i}" : $"new{i}", symbol.Name);
        });
        Assert.Equal(100, map.Count);
    }

    /// <summary>A module's symbols of 16 bytes at the given units of 16, over those of another; alone in their blocks or not.</summary>
    [Theory]
    [InlineData("0", "0", "b0")]
    [InlineData("0 1", "0", "b0 a1")]
    [InlineData("0 1", "1", "a0 b1")]
    [InlineData("0 1", "0 1", "b0 b1")]
    [InlineData("0 2", "1", "a0 b1 a2")]
    public void A_symbol_that_is_the_last_of_all_gives_its_place(string earlier, string later, string expected)
    {
        SymbolMap map = new();
        foreach ((string places, string module) in (ReadOnlySpan<(string, string)>)[(earlier, "a"), (later, "b")])
        {
            foreach (string place in places.Split(' '))
            {
                map.Add(new(ulong.Parse(place, null) * 16, 16, module + place, module, 'T'));
            }
        }

        string[] names = expected.Split(' ');
        Assert.Equal(names, Enumerable.Range(0, 3).Select(i => map.TryFind(((ulong)i * 16) + 15, out TraceSymbol symbol) ? symbol.Name : "").Where(static n => n.Length > 0));
        Assert.Equal((names.Length, later != "1" || earlier == "0 1"), (map.Count, map.HasReplaced));
        Assert.Equal(earlier.Split(' ').Length + later.Split(' ').Length, map.Version);
    }

    [Fact]
    public void Whole_blocks_give_their_places()
    {
        const int count = 3 * SymbolMap.MaxBlock;
        SymbolMap map = new();
        for (ulong i = 0; i < count; i++)
        {
            map.Add(new(i * 16, 16, "old", "a", 'T'));
        }

        // From the front, the back and the middle, until nothing else is left.
        map.Add(new(0, SymbolMap.MaxBlock * 16, "first", "b", 'T'));
        map.Add(new(2 * SymbolMap.MaxBlock * 16, SymbolMap.MaxBlock * 16, "last", "b", 'T'));
        Assert.Equal(SymbolMap.MaxBlock + 2, map.Count);
        Assert.Equal(["first", "first", "old", "old", "last", "last"], Names());

        map.Add(new(SymbolMap.MaxBlock * 16, SymbolMap.MaxBlock * 16, "middle", "c", 'T'));
        Assert.Equal(3, map.Count);
        Assert.Equal(["first", "first", "middle", "middle", "last", "last"], Names());

        map.Add(new(0, count * 16, "all", "d", 'T'));
        Assert.Equal(1, map.Count);
        Assert.Equal(["all", "all", "all", "all", "all", "all"], Names());

        IEnumerable<string> Names() => ((ulong[])[0, 511, 512, 1023, 1024, 1535]).Select(i => map.TryFind((i * 16) + 1, out TraceSymbol symbol) ? symbol.Name : "");
    }

    [Theory]
    [InlineData("falling")]
    [InlineData("rising")]
    [InlineData("scattered")]
    [InlineData("over each other")]
    public void What_a_symbol_costs_does_not_grow_with_those_that_are_there(string order)
    {
        const uint count = 100_000;
        SymbolMap map = new();
        for (uint i = 0; i < count; i++)
        {
            (ulong address, string module) = order switch
            {
                "falling" => (count - i, ""),
                "rising" => (i, ""),
                "scattered" => (i * 2_654_435_761U, ""),
                _ => ((ulong)(i * 7919 % 5000), i % 2 == 0 ? "a" : "b"),
            };
            map.Add(new(address * 16, 16, "f", module, 'T'));
            _ = map.TryFind(address * 16, out _);
        }

        Assert.True(map.Moved < count * (SymbolMap.MaxBlock + 100L), $"{map.Moved} symbols were moved");
        Assert.Equal(order == "over each other" ? 5000 : (int)count, map.Count);
    }

    /// <summary>The first of the alphabet among those that begin last before an address, if it reaches so far.</summary>
    private static TraceSymbol? Expected(List<TraceSymbol> all, ulong address)
    {
        TraceSymbol[] before = [.. all.Where(s => s.Address <= address)];
        if (before.Length == 0)
        {
            return null;
        }

        ulong begin = before.Max(s => s.Address);
        TraceSymbol[] there = [.. before.Where(s => s.Address == begin)];
        string name = there.Select(s => s.Name).Min(StringComparer.Ordinal)!;
        TraceSymbol last = there.Last(s => s.Name == name);
        return address - last.Address < (last.Size == 0 ? 1UL << 20 : last.Size) || address == last.Address ? last : null;
    }
}
