using System.Globalization;
using System.Text;
using KprobeTrace.Store;
using KprobeTrace.Store.BTree;
using KprobeTrace.Tests.Store.BTree;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Store;

/// <summary>The tables that give names, registers, addresses and stacks their numbers.</summary>
public sealed class NumberTableTests
{
    private const string Schema = """
        CREATE TABLE comm(n INTEGER PRIMARY KEY, name);
        CREATE TABLE kept(n INTEGER PRIMARY KEY, bx, bp, r12, r13, r14, r15, cr3);
        CREATE TABLE place(n INTEGER PRIMARY KEY, run, address, symbol, offset, size, module);
        CREATE TABLE frame(run, stack, depth, place, PRIMARY KEY(run, stack, depth)) WITHOUT ROWID;
        """;

    [Fact]
    public void Every_task_name_has_one_number_from_where_numbers_begin()
    {
        string[] names =
        [
            "sh", "sh", "init", "sh", "", "", "swapper/0", "sixteen-bytes-xx", "sixteen-bytes-xy", "sixteen-bytes-xx-and-more", "sixteenx", "sixteen", "ünïcödé", "sh\0x", "",
        ];
        using TreeFile file = new(4096, Schema);
        Dictionary<string, long> expected = [];
        Fill(file, (table, frames) =>
        {
            CommTable comms = new(table("comm"), 41);
            foreach (string name in names)
            {
                TraceComm comm = new(Encoding.UTF8.GetBytes(name));
                string plain = name.Split('\0')[0];
                plain = plain[..Math.Min(16, plain.Length)];
                _ = expected.TryAdd(plain, 42 + expected.Count);
                Assert.Equal(expected[plain], comms.Of(comm));
            }
        });

        file.AssertRows("SELECT n, name FROM comm ORDER BY n", expected.OrderBy(static e => e.Value).Select(static e => (object?[])[e.Value, e.Key]));
    }

    [Fact]
    public void Names_are_remembered_up_to_131072_of_them()
    {
        using TreeFile file = new(4096, Schema);
        Fill(file, (table, frames) =>
        {
            CommTable comms = new(table("comm"), 0);
            long Of(int i) => comms.Of(new TraceComm(Encoding.ASCII.GetBytes(i.ToString(CultureInfo.InvariantCulture))));
            for (int i = 1; i <= 131_072; i++)
            {
                Assert.Equal(i, Of(i));
            }

            Assert.Equal(1, Of(1));
            Assert.Equal(131_073, Of(131_073));
            Assert.Equal(131_074, Of(1));
            Assert.Equal(131_073, Of(131_073));
        });
    }

    [Fact]
    public void Registers_that_calls_preserve_share_a_row_where_all_of_them_are_equal()
    {
        string[] kept = ["bx", "bp", "r12", "r13", "r14", "r15", "cr3"];
        using TreeFile file = new(4096, Schema);
        List<object?[]> rows = [];
        Fill(file, (table, frames) =>
        {
            KeptTable numbers = new(table("kept"), 6);
            foreach (string changed in (string[])["", .. TraceRegisters.Names])
            {
                TraceRegisters registers = default;
                for (int i = 0; i < TraceRegisters.Count; i++)
                {
                    registers.AsSpan()[i] = TraceRegisters.Names[i] == changed ? ulong.MaxValue - (ulong)i : 100UL + (ulong)i;
                }

                bool isNew = changed.Length == 0 || kept.Contains(changed);
                if (isNew)
                {
                    object?[] row = [6L + rows.Count + 1, .. kept.Select(k => (object?)(long)registers.AsSpan()[TraceRegisters.Names.IndexOf(k)])];
                    rows.Add(row);
                    Assert.Equal(6 + rows.Count, numbers.Of(registers));
                }
                else
                {
                    Assert.InRange(numbers.Of(registers), 7, 6 + rows.Count);
                }

                Assert.Equal(7, numbers.Of(Plain()));
            }
        });

        file.AssertRows("SELECT * FROM kept ORDER BY n", rows);
    }

    [Fact]
    public void An_address_has_a_row_with_what_its_symbol_says_and_a_new_one_when_other_code_comes()
    {
        using TreeFile file = new(4096, Schema);
        Fill(file, (table, frames) =>
        {
            SymbolMap symbols = new();
            symbols.Add(new TraceSymbol(0x1000, 0x100, "read", "", 'T'));
            PlaceTable places = new(symbols, table("place"), run: 3, last: 10, most: 3);
            Assert.Equal(11, places.Of(0x1010));
            Assert.Equal(12, places.Of(0x1100));
            Assert.Equal(11, places.Of(0x1010));
            Assert.Equal(11, places.Of(0x1010));
            Assert.Equal((false, false, 0), (places.HasMoved(0x1010), places.MayHaveMoved, places.Generation));

            // A module comes where nothing was, and another address keeps its row.
            symbols.Add(new TraceSymbol(0x1100, 0x10, "m_read", "m", 't'));
            Assert.Equal(13, places.Of(0x1100));
            Assert.Equal(11, places.Of(0x1010));
            Assert.Equal((true, false), (places.HasMoved(0x1100), places.HasMoved(0x1010)));
            Assert.False(places.MayHaveMoved);
            symbols.Add(new TraceSymbol(0x1100, 0x10, "n_read", "n", 't'));
            Assert.True(places.MayHaveMoved);
            Assert.Equal(14, places.Of(0x1100));

            // Only so many are remembered.
            Assert.Equal(15, places.Of(0xFFFFFFFF80000000));
            Assert.Equal(0, places.Generation);
            Assert.Equal(16, places.Of(0x2000));
            Assert.Equal(1, places.Generation);
            Assert.Equal(17, places.Of(0x1010));
            Assert.False(places.HasMoved(0x1100));
        });

        file.AssertRows(
            "SELECT * FROM place ORDER BY n",
            [
                [11L, 3L, 0x1010L, "read", 0x10L, 0x100L, ""],
                [12L, 3L, 0x1100L, "0x1100", 0L, 0L, ""],
                [13L, 3L, 0x1100L, "m_read", 0L, 0x10L, "m"],
                [14L, 3L, 0x1100L, "n_read", 0L, 0x10L, "n"],
                [15L, 3L, unchecked((long)0xFFFFFFFF80000000), "0xffffffff80000000", 0L, 0L, ""],
                [16L, 3L, 0x2000L, "0x2000", 0L, 0L, ""],
                [17L, 3L, 0x1010L, "read", 0x10L, 0x100L, ""],
            ]);
    }

    [Fact]
    public void Stacks_share_a_number_where_frame_by_frame_they_are_the_same()
    {
        ulong[] deep = [.. Enumerable.Range(0, 5000).Select(static i => 0x10000UL + (ulong)i)];
        using TreeFile file = new(4096, Schema);
        Fill(file, (table, index) =>
        {
            SymbolMap symbols = new();
            PlaceTable places = new(symbols, table("place"), 3, 0, 1 << 20);
            KprobeTrace.Store.StackTable stacks = new(places, index("frame"), 3);
            Assert.Equal(1, stacks.Of([0x10, 0x20]));
            Assert.Equal(2, stacks.Of([0x20, 0x10]));
            Assert.Equal(3, stacks.Of([0x10]));
            Assert.Equal(4, stacks.Of([0x10, 0x20, 0x20]));
            Assert.Equal(1, stacks.Of([0x10, 0x20]));
            Assert.Equal(5, stacks.Of(deep.AsSpan(0, 4096)));
            Assert.Equal(5, stacks.Of(deep));
            Assert.Equal(6, stacks.Of(deep.AsSpan(0, 4095)));

            // Another module's code lies where a frame was.
            symbols.Add(new TraceSymbol(0x20, 8, "old", "m", 't'));
            Assert.Equal(1, stacks.Of([0x10, 0x20]));
            symbols.Add(new TraceSymbol(0x20, 8, "new", "n", 't'));
            Assert.Equal(7, stacks.Of([0x10, 0x20]));
            Assert.Equal(7, stacks.Of([0x10, 0x20]));
            Assert.Equal(3, stacks.Of([0x10]));
        });

        file.AssertRows("SELECT stack, count(*) FROM frame WHERE run = 3 GROUP BY stack ORDER BY stack", [[1L, 2L], [2L, 2L], [3L, 1L], [4L, 3L], [5L, 4096L], [6L, 4095L], [7L, 2L]]);
        file.AssertRows(
            "SELECT stack, depth, address, symbol FROM frame f JOIN place ON n = f.place WHERE stack < 5 OR stack = 7 ORDER BY stack, depth",
            [
                [1L, 0L, 0x10L, "0x10"], [1L, 1L, 0x20L, "0x20"], [2L, 0L, 0x20L, "0x20"], [2L, 1L, 0x10L, "0x10"], [3L, 0L, 0x10L, "0x10"],
                [4L, 0L, 0x10L, "0x10"], [4L, 1L, 0x20L, "0x20"], [4L, 2L, 0x20L, "0x20"], [7L, 0L, 0x10L, "0x10"], [7L, 1L, 0x20L, "new"],
            ]);
    }

    private static TraceRegisters Plain()
    {
        TraceRegisters registers = default;
        for (int i = 0; i < TraceRegisters.Count; i++)
        {
            registers.AsSpan()[i] = 100UL + (ulong)i;
        }

        return registers;
    }

    /// <summary>Lets trees of a file be filled and completes them.</summary>
    private static void Fill(TreeFile file, Action<Func<string, TableLoader>, Func<string, IndexLoader>> fill)
    {
        Dictionary<string, uint> roots = ((string[])["comm", "kept", "place", "frame"]).ToDictionary(static n => n, file.Root);
        using PageAppender pages = file.Append();
        Dictionary<string, TableLoader> tables = roots.Where(static r => r.Key != "frame").ToDictionary(static r => r.Key, r => new TableLoader(pages, r.Value));
        IndexLoader frames = new(pages, roots["frame"]);
        fill(name => tables[name], _ => frames);
        foreach (TableLoader table in tables.Values)
        {
            table.Finish();
        }

        frames.Finish();
        pages.Complete();
    }
}
