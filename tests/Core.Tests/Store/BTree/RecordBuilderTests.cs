using System.Globalization;
using KprobeTrace.Store.BTree;
using KprobeTrace.Store.Sqlite;
using Xunit;

namespace KprobeTrace.Tests.Store.BTree;

/// <summary>Records against those that SQLite makes of the same rows, byte by byte.</summary>
public sealed class RecordBuilderTests
{
    public static TheoryData<string> Values() =>
    [
        "null", "0", "1", "2", "-1",
        .. ((int[])[7, 15, 23, 31, 47]).SelectMany(static b => (long[])[(1L << b) - 1, 1L << b, (1L << b) + 1, -(1L << b) + 1, -(1L << b), -(1L << b) - 1]).Select(Plain),
        Plain(long.MaxValue), Plain(long.MinValue), Plain(long.MinValue + 1),
        .. ((int[])[0, 1, 2, 31, 32, 33, 56, 57, 58, 59, 127, 128, 129, 255, 256, 8184, 8185, 8186, 8187, 16383, 16384]).SelectMany(static n => (string[])[$"text {n}", $"blob {n}"]),
        "text 1048569", "text 1048570",
    ];

    [Theory]
    [MemberData(nameof(Values))]
    public void A_value_is_encoded_as_sqlite_does(string value)
    {
        object? parsed = Parse(value);
        AssertSame([null, parsed, 5L]);
        AssertSame([parsed]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(59)]
    [InlineData(60)]
    [InlineData(124)]
    [InlineData(125)]
    [InlineData(126)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(129)]
    [InlineData(148)]
    public void A_header_of_any_length_says_its_own(int columns)
    {
        AssertSame([.. Enumerable.Range(0, columns).Select(static i => (object?)(long)i)]);
        AssertSame([.. Enumerable.Range(0, columns).Select(static i => i % 3 == 0 ? null : (object?)$"{i}")]);
    }

    [Theory]
    [InlineData(60, 57)]
    [InlineData(60, 58)]
    [InlineData(42, 8186)]
    [InlineData(43, 8186)]
    [InlineData(49, 8186)]
    public void Long_texts_lengthen_the_header(int columns, int length) =>
        AssertSame([.. Enumerable.Range(0, columns).Select(i => (object?)new string((char)('a' + (i % 26)), length))]);

    [Fact]
    public void Several_integers_are_those_one_by_one_in_the_order_asked_for()
    {
        ulong[] numbers = [.. Enumerable.Range(0, 64).SelectMany(static b => (ulong[])[(1UL << b) - 1, 1UL << b, 0 - (1UL << b)])];
        int[] which = [.. Enumerable.Range(0, numbers.Length).Select(i => i * 7 % numbers.Length)];
        foreach (int[] some in which.Chunk(48))
        {
            RecordBuilder several = new();
            several.Begin();
            several.Text([.. Enumerable.Repeat((byte)'x', 4090)]);
            several.Integers(numbers, some);

            Assert.Equal(
                TreeFile.Encode(new RecordBuilder(), [new string('x', 4090), .. some.Select(i => (object?)(long)numbers[i])]),
                several.End().ToArray());
        }
    }

    [Fact]
    public void A_record_knows_nothing_of_the_one_before()
    {
        RecordBuilder record = new();
        _ = TreeFile.Encode(record, [1L, new string('x', 20_000), null, long.MinValue]);

        Assert.Equal([3, 9, 15, (byte)'y'], TreeFile.Encode(record, [1L, "y"]).ToArray());
        Assert.Equal([2, 0], TreeFile.Encode(record, [null]).ToArray());
    }

    /// <summary>SQLite's own row stands last on a page of its own, or goes on from there.</summary>
    private static void AssertSame(object?[] row)
    {
        string columns = string.Join(", ", row.Select(static (_, i) => $"c{i}"));
        string schema = $"CREATE TABLE t({columns})";
        using TreeFile ours = new(65536, schema);
        using TreeFile theirs = new(65536, schema);
        ours.LoadTable([(1, row)]);
        using (SqliteDatabase database = theirs.Open(write: true))
        {
            database.Execute($"INSERT INTO t VALUES({string.Join(", ", row.Select(Literal))})");
        }

        // The first page has counters that differ by how often the file was written.
        Assert.True(ours.Bytes.AsSpan(65536).SequenceEqual(theirs.Bytes.AsSpan(65536)), "the pages differ from SQLite's");
        ours.AssertRows("SELECT * FROM t", [row]);
    }

    private static string Plain(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static object? Parse(string value) => value.Split(' ') switch
    {
        ["null"] => null,
        ["text", string length] => new string('t', int.Parse(length, CultureInfo.InvariantCulture)),
        ["blob", string length] => Enumerable.Repeat((byte)0x5A, int.Parse(length, CultureInfo.InvariantCulture)).ToArray(),
        _ => long.Parse(value, CultureInfo.InvariantCulture),
    };

    private static string Literal(object? value) => value switch
    {
        null => "NULL",
        long.MinValue => "-9223372036854775807 - 1",
        long number => Plain(number),
        byte[] blob => $"x'{Convert.ToHexString(blob)}'",
        _ => $"'{value}'",
    };
}
