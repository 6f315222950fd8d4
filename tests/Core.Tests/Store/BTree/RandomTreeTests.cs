using KprobeTrace.Store.Sqlite;
using Xunit;

namespace KprobeTrace.Tests.Store.BTree;

/// <summary>Thousands of small databases of random rows: SQLite finds them sound, reads every row in every order, and goes on with them.</summary>
public sealed class RandomTreeTests
{
    private static readonly int[] _pageSizes = [512, 512, 1024, 4096, 8192];

    private static readonly long[] _integers =
        [0, 1, -1, 2, 127, 128, -128, -129, 32767, 32768, 8388607, 8388608, int.MaxValue, 1L << 31, (1L << 47) - 1, 1L << 47, long.MaxValue, long.MinValue];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Rows_read_back_in_every_order(int seed)
    {
        for (int i = 0; i < 500; i++)
        {
            Random random = new((seed * 1_000_003) + i);
            int pageSize = _pageSizes[random.Next(_pageSizes.Length)];
            (long RowId, object?[] Row)[] rows = Rows(random, pageSize);
            string where = $"seed {seed}, database {i}, page size {pageSize}, {rows.Length} rows";
            using TreeFile file = new(pageSize);
            file.LoadTable(rows);
            (long RowId, object?[] Row)[] sorted = [.. rows.OrderBy(static r => r.Row[0], Order).ThenBy(static r => r.Row[1], Order).ThenBy(static r => r.RowId)];
            file.LoadIndex("i", sorted.Select(static r => (object?[])[r.Row[0], r.Row[1], r.RowId]));
            object?[][] keyed = [.. sorted.Where(static r => r.Row[0] is not null && r.Row[1] is not null).Select(static r => r.Row).DistinctBy(static r => (Key(r[0]), Key(r[1])))];
            file.LoadIndex("w", keyed);

            Assert.True(file.Integrity() == "ok", $"{where}: {file.Integrity()}");
            file.AssertRows("SELECT rowid, a, b, c FROM t NOT INDEXED ORDER BY rowid", rows.Select(static r => (object?[])[r.RowId, .. r.Row]));
            file.AssertRows("SELECT a, b, rowid FROM t INDEXED BY i ORDER BY a, b, rowid", sorted.Select(static r => (object?[])[r.Row[0], r.Row[1], r.RowId]));
            file.AssertRows("SELECT a, b, c FROM w ORDER BY a, b", keyed);
            AssertGoesOn(file, where);
        }
    }

    /// <summary>SQLite takes rows out and puts rows in: what pages say of their free bytes must be true for that.</summary>
    private static void AssertGoesOn(TreeFile file, string where)
    {
        using SqliteDatabase database = file.Open(write: true);
        database.Execute("""
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;
            DELETE FROM t WHERE rowid % 3 = 1; DELETE FROM w WHERE length(c) % 2 = 0;
            UPDATE t SET c = c || 'more' WHERE rowid % 5 = 2;
            INSERT INTO t(a, b, c) SELECT b, a, c FROM t LIMIT 20; COMMIT;
            """);
        Assert.True(database.ScalarText("PRAGMA integrity_check") == "ok", $"{where}, changed: {database.ScalarText("PRAGMA integrity_check")}");
    }

    private static (long, object?[])[] Rows(Random random, int pageSize)
    {
        int count = random.Next(5) switch { 0 => random.Next(4), 1 => random.Next(400), _ => random.Next(40) };
        bool isWide = random.Next(3) == 0;
        long id = random.Next(4) == 0 ? random.NextInt64(long.MinValue / 2, long.MaxValue / 2) : 0;
        List<(long, object?[])> rows = [];
        for (int i = 0; i < count; i++)
        {
            id += random.Next(4) == 0 ? random.Next(1, 100_000) : 1;
            rows.Add((id, [Value(random, isWide ? pageSize : 40), Value(random, 40), Value(random, isWide ? 3 * pageSize : pageSize / 3)]));
        }

        return [.. rows];
    }

    private static object? Value(Random random, int most) => random.Next(8) switch
    {
        0 => null,
        1 or 2 => _integers[random.Next(_integers.Length)],
        3 => (long)random.Next(20),
        4 => Enumerable.Repeat((byte)random.Next(3), random.Next(most)).ToArray(),
        5 => new string('a', random.Next(most)),
        _ => new string('a', random.Next(Math.Min(most, 30))) + (char)('a' + random.Next(3)) + new string('é', random.Next(most / 4)),
    };

    /// <summary>NULL, numbers, texts, blobs; texts and blobs by their bytes.</summary>
    private static Comparer<object?> Order { get; } = Comparer<object?>.Create(static (a, b) => (a, b) switch
    {
        (long x, long y) => x.CompareTo(y),
        (string x, string y) => string.CompareOrdinal(x, y),
        (byte[] x, byte[] y) => x.AsSpan().SequenceCompareTo(y),
        _ => Class(a).CompareTo(Class(b)),
    });

    private static int Class(object? value) => value switch { null => 0, long => 1, string => 2, _ => 3 };

    private static string Key(object? value) => value is byte[] blob ? "b" + Convert.ToHexString(blob) : $"{Class(value)}{value}";
}
