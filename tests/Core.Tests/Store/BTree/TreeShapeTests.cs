using KprobeTrace.Store.BTree;
using Xunit;

namespace KprobeTrace.Tests.Store.BTree;

/// <summary>Trees at the row counts where they get one page or one level more, computed from the sizes of cells.</summary>
public sealed class TreeShapeTests
{
    private const int Page = 512;

    /// <summary>Bytes of each record's text, so that four rows fit on a leaf.</summary>
    private const int Text = 100;

    /// <summary>Rows of a leaf: 8 bytes of header, two of offset a cell, and of a cell up to 3 besides the record of 105.</summary>
    private const int OnLeaf = (Page - 8) / (105 + 3 + 2);

    /// <summary>Children of an interior page of a table: 12 bytes of header; a cell is 4 bytes, a row id of two and two of offset.</summary>
    private const int OnInterior = ((Page - 12) / 8) + 1;

    [Fact]
    public void A_table_has_the_levels_that_its_rows_need()
    {
        Assert.Equal((4, 63), (OnLeaf, OnInterior));
        int two = OnLeaf * OnInterior;
        foreach (int rows in (int[])[0, 1, OnLeaf - 1, OnLeaf, OnLeaf + 1, 2 * OnLeaf, (2 * OnLeaf) + 1, two - 1, two, two + 1, two + OnLeaf, two + OnLeaf + 1, 2 * two, (2 * two) + 1, 3 * two])
        {
            using TreeFile file = new(Page, "CREATE TABLE t(a, b)");
            object?[][] all = [.. Enumerable.Range(0, rows).Select(static i => (object?[])[1000L + i, new string((char)('a' + (i % 26)), Text)])];

            // Row ids of two bytes throughout, so that all separators have one length.
            file.LoadTable(all.Select(static (r, i) => (1000L + i, r)));

            Assert.Equal("ok", file.Integrity());
            file.AssertRows("SELECT a, b FROM t ORDER BY rowid", all);
            Assert.Equal((rows, rows <= OnLeaf ? 1 : rows <= two ? 2 : 3), (rows, Depth(file, "t")));
        }
    }

    [Fact]
    public void An_index_of_every_row_count_up_to_four_levels_is_sound()
    {
        // Separators are rows here: 13 fill an interior page, so 4 levels come within 800 rows.
        HashSet<int> depths = [];
        for (int rows = 0; rows < 900; rows += rows < 120 ? 1 : 7)
        {
            using TreeFile file = new(Page, "CREATE TABLE w(a, b, PRIMARY KEY(a)) WITHOUT ROWID");
            object?[][] all = [.. Enumerable.Range(0, rows).Select(static i => (object?[])[1000L + i, new string((char)('a' + (i % 26)), 70)])];
            file.LoadIndex("w", all);

            Assert.Equal("ok", file.Integrity());
            file.AssertRows("SELECT a, b FROM w ORDER BY a", all);
            _ = depths.Add(Depth(file, "w"));
        }

        Assert.Equal([1, 2, 3, 4], depths.Order());
    }

    [Fact]
    public void No_page_of_a_tree_is_empty_and_all_leaves_but_the_last_are_full()
    {
        for (int rows = 1; rows < 3 * OnLeaf * OnInterior; rows += 31)
        {
            using TreeFile file = new(Page, "CREATE TABLE t(a, b)");
            file.LoadTable(Enumerable.Range(0, rows).Select(static i => (1000L + i, (object?[])[1000L + i, new string('x', Text)])));

            int[] leaves = [.. Leaves(file, file.Root("t"))];
            Assert.All(leaves[..^1], static cells => Assert.Equal(OnLeaf, cells));
            Assert.Equal(rows, leaves.Sum());
            Assert.InRange(leaves[^1], 1, OnLeaf);
        }
    }

    [Theory]
    [InlineData(-2)]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    public void The_page_that_holds_the_locks_is_no_part_of_a_tree(int fromLockPage)
    {
        // The byte at 1 GiB; the file before it is a hole.
        const int Size = 65536;
        const uint LockPage = (0x4000_0000 / Size) + 1;
        using TreeFile file = new(Size, "CREATE TABLE t(a, b)");
        file.Extend((LockPage - 1 + fromLockPage) * (long)Size);
        object?[][] rows =
        [
            [1L, new string('l', 60_000)], [2L, new string('m', 4 * Size)], [3L, new string('n', 60_000)], [4L, new string('o', 60_000)], [5L, new string('p', 60_000)],
        ];
        file.LoadTable(rows.Select(static (r, i) => (i + 1L, r)));

        file.AssertRows("SELECT a, b FROM t ORDER BY rowid", rows);
        using Stream stream = file.Read();
        byte[] page = new byte[Size];
        stream.Position = (LockPage - 1) * (long)Size;
        stream.ReadExactly(page);
        Assert.All(page, static b => Assert.Equal(0, b));
    }

    private static int Depth(TreeFile file, string name)
    {
        byte[] bytes = file.Bytes;
        int depth = 1;
        for (uint page = file.Root(name); Type(bytes, page) is TreePage.TableInterior or TreePage.IndexInterior; depth++)
        {
            page = Number(bytes, At(page) + 8, 4);
        }

        return depth;
    }

    /// <summary>Cells of each leaf from left to right.</summary>
    private static IEnumerable<int> Leaves(TreeFile file, uint root)
    {
        byte[] bytes = file.Bytes;
        return Walk(root);

        IEnumerable<int> Walk(uint page)
        {
            int cells = (int)Number(bytes, At(page) + 3, 2);
            Assert.True(cells > 0, $"page {page} has no cell");
            if (Type(bytes, page) is TreePage.TableLeaf)
            {
                return [cells];
            }

            IEnumerable<uint> children = Enumerable.Range(0, cells).Select(i => Number(bytes, At(page) + (int)Number(bytes, At(page) + 12 + (2 * i), 2), 4));
            return children.Append(Number(bytes, At(page) + 8, 4)).SelectMany(Walk);
        }
    }

    private static int At(uint page) => (int)(page - 1) * Page;

    private static byte Type(byte[] bytes, uint page) => bytes[At(page)];

    private static uint Number(byte[] bytes, int at, int length) => bytes.AsSpan(at, length).ToArray().Aggregate(0U, static (n, b) => (n << 8) | b);
}
