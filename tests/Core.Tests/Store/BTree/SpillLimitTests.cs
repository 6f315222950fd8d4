using KprobeTrace.Store.BTree;
using Xunit;

namespace KprobeTrace.Tests.Store.BTree;

/// <summary>
/// Records at every length where the file format changes how much of them stays on the page
/// (https://www.sqlite.org/fileformat2.html, section 1.6).
/// </summary>
public sealed class SpillLimitTests
{
    /// <summary>Page size, whether the tree is an index, and the payload's length.</summary>
    public static TheoryData<int, bool> Trees() => new()
    {
        { 512, false }, { 512, true }, { 1024, false }, { 1024, true }, { 4096, false }, { 4096, true }, { 8192, false }, { 8192, true },
        { 65536, false }, { 65536, true },
    };

    [Theory]
    [MemberData(nameof(Trees))]
    public void A_record_takes_as_many_overflow_pages_as_the_format_says(int pageSize, bool isIndex)
    {
        foreach (int length in Lengths(pageSize, isIndex))
        {
            using TreeFile file = new(pageSize);
            object?[] row = RowOf(length);
            long before = file.Pages;
            Load(file, isIndex, [row]);

            Assert.True(OverflowPages(pageSize, isIndex, length) == file.Pages - before, $"{length} bytes: {file.Pages - before} overflow pages");
            Assert.Equal("ok", isIndex ? file.Integrity() : file.Integrity().Replace("wrong # of entries in index i", "ok", StringComparison.Ordinal));
            file.AssertRows(isIndex ? "SELECT a, b, c FROM w" : "SELECT a, b, c FROM t NOT INDEXED", [row]);
        }
    }

    [Theory]
    [MemberData(nameof(Trees))]
    public void Records_at_the_limits_stand_side_by_side(int pageSize, bool isIndex)
    {
        object?[][] rows = [.. Lengths(pageSize, isIndex).SelectMany(static l => (int[])[l, 40]).Select(static (l, i) => RowOf(l, 1000 + i))];
        using TreeFile file = new(pageSize);
        Load(file, isIndex, rows);

        Assert.Equal("ok", isIndex ? file.Integrity() : file.Integrity().Replace("wrong # of entries in index i", "ok", StringComparison.Ordinal));
        file.AssertRows(isIndex ? "SELECT a, b, c FROM w ORDER BY a" : "SELECT a, b, c FROM t NOT INDEXED ORDER BY rowid", rows);
    }

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    [InlineData(8192)]
    public void A_page_is_filled_to_its_last_byte_and_not_beyond(int pageSize)
    {
        // A leaf of a table has a header of 8 bytes, and two bytes besides the cell: a length and a row id of one byte each.
        for (int spare = -2; spare <= 2; spare++)
        {
            using TreeFile file = new(pageSize);
            int room = pageSize - 8;
            List<object?[]> rows = [];
            while (room - (60 + 4) > 100)
            {
                rows.Add(RowOf(60));
                room -= 60 + 4;
            }

            int last = room - spare - 4;
            rows.Add(RowOf(last));
            Assert.InRange(last, 40, 127);
            long before = file.Pages;
            Load(file, false, rows);

            // One leaf is the root itself; two leaves hang below it.
            Assert.Equal(spare >= 0 ? 0 : 2, file.Pages - before);
            file.AssertRows("SELECT a, b, c FROM t NOT INDEXED ORDER BY rowid", rows);
        }
    }

    /// <summary>The formulas' own lengths with those below and above: where spilling begins, and where one more page is needed or less of it stays.</summary>
    private static IEnumerable<int> Lengths(int pageSize, bool isIndex)
    {
        int x = MostLocal(pageSize, isIndex);
        int m = LeastLocal(pageSize);
        int each = pageSize - 4;
        IEnumerable<int> limits = [x, m, m + each, x + each, m + (2 * each), x + (2 * each), x + (5 * each), m + (9 * each), pageSize, 2 * pageSize];
        return limits.SelectMany(static l => (int[])[l - 1, l, l + 1]).Distinct().Where(l => pageSize < 65536 || l < 3 * pageSize);
    }

    private static long OverflowPages(int pageSize, bool isIndex, int length)
    {
        int x = MostLocal(pageSize, isIndex);
        if (length <= x)
        {
            return 0;
        }

        int m = LeastLocal(pageSize);
        int k = m + ((length - m) % (pageSize - 4));
        int local = k <= x ? k : m;
        return (length - local + pageSize - 5) / (pageSize - 4);
    }

    private static int MostLocal(int usable, bool isIndex) => isIndex ? ((usable - 12) * 64 / 255) - 23 : usable - 35;

    private static int LeastLocal(int usable) => ((usable - 12) * 32 / 255) - 23;

    /// <summary>A row whose record has exactly so many bytes.</summary>
    private static object?[] RowOf(int length, long key = 1000)
    {
        // The second column makes up for lengths that a growing serial type skips.
        for (int text = length; text >= 0; text--)
        {
            foreach (object pad in (object[])[1L, 7L])
            {
                object?[] row = [key, pad, new string((char)('a' + (length % 26)), text)];
                int type = (2 * text) + 13;
                if (1 + 1 + 1 + (type < 128 ? 1 : type < 16384 ? 2 : 3) + 2 + (pad is 7L ? 1 : 0) + text == length)
                {
                    Assert.Equal(length, TreeFile.Encode(new RecordBuilder(), row).Length);
                    return row;
                }
            }
        }

        throw new InvalidOperationException($"no record has {length} bytes");
    }

    private static void Load(TreeFile file, bool isIndex, IReadOnlyList<object?[]> rows)
    {
        if (isIndex)
        {
            file.LoadIndex("w", rows);
        }
        else
        {
            file.LoadTable(rows.Select(static (r, i) => (i + 1L, r)));
        }
    }
}
