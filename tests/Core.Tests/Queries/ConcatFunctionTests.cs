using KprobeTrace.Queries;
using KprobeTrace.Store.Sqlite;
using Xunit;

namespace KprobeTrace.Tests.Queries;

/// <summary>The project's <c>group_concat</c> and <c>string_agg</c> beside SQLite's own, on a connection that has those.</summary>
public sealed class ConcatFunctionTests : IDisposable
{
    private readonly SqliteDatabase _ours = Open();
    private readonly SqliteDatabase _sqlites = Open();

    public ConcatFunctionTests() => ConcatFunction.Register(_ours);

    public void Dispose()
    {
        _ours.Dispose();
        _sqlites.Dispose();
    }

    [Theory]
    [InlineData("group_concat(t)")]
    [InlineData("group_concat(t, s)")]
    [InlineData("string_agg(t, s)")]
    [InlineData("string_agg(t, '; ')")]
    [InlineData("group_concat(t, '')")]
    [InlineData("group_concat(t, NULL)")]
    [InlineData("group_concat(t, 7)")]
    [InlineData("group_concat(DISTINCT g)")]
    [InlineData("group_concat(NULL)")]
    [InlineData("group_concat('')")]
    [InlineData("group_concat('', '')")]
    public void A_group_is_what_SQLite_makes_of_it(string call)
    {
        SameAsSqlite($"SELECT {call} FROM v");
        SameAsSqlite($"SELECT {call} FROM v WHERE id < 2");
        SameAsSqlite($"SELECT {call} FROM v WHERE 0");
        SameAsSqlite($"SELECT g, {call}, count(*) FROM v GROUP BY g ORDER BY g");
    }

    /// <summary>SQLite's own windows lose separators beside empty texts, so the rows of each are concatenated by a question of their own.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(-1, 0)]
    [InlineData(-1, 1)]
    [InlineData(-7, 3)]
    [InlineData(-40, 0)]
    [InlineData(3, 5)]
    [InlineData(-9, -8)]
    [InlineData(0, 1000)]
    [InlineData(-1000, 0)]
    [InlineData(-1000, 1000)]
    public void A_window_that_moves_holds_what_its_rows_are_as_a_group(int from, int to)
    {
        string frame = $"RANGE BETWEEN {Bound(from)} AND {Bound(to)}";
        foreach (string arguments in (string[])["t", "t, ''", "t, '-->'", "t, char(65 + id % 26)", "t, NULL"])
        {
            foreach ((string partition, string same) in ((string, string)[])[("", "1"), ("PARTITION BY g", "w.g = v.g")])
            {
                Assert.Equal(
                    Rows(_sqlites, $"SELECT id, (SELECT group_concat({arguments} ORDER BY id) FROM v w WHERE {same} AND w.id BETWEEN v.id + {from} AND v.id + {to}) FROM v ORDER BY id"),
                    Rows(_ours, $"SELECT id, group_concat({arguments}) OVER ({partition} ORDER BY id {frame}) FROM v ORDER BY id"));
            }
        }

        static string Bound(int offset) => offset switch
        {
            -1000 => "UNBOUNDED PRECEDING",
            1000 => "UNBOUNDED FOLLOWING",
            0 => "CURRENT ROW",
            < 0 => $"{-offset} PRECEDING",
            _ => $"{offset} FOLLOWING",
        };
    }

    [Fact]
    public void Separators_of_several_lengths_are_refused_where_a_value_leaves_and_only_there()
    {
        const string Separator = "substr('----', 1, 1 + id % 3)";

        Assert.Equal(
            Rows(_sqlites, $"SELECT id, (SELECT group_concat(t, {Separator} ORDER BY id) FROM v w WHERE w.id <= v.id) FROM v"),
            Rows(_ours, $"SELECT id, group_concat(t, {Separator}) OVER (ORDER BY id) FROM v"));
        DatabaseException error = Assert.Throws<DatabaseException>(() => Rows(_ours, $"SELECT id, group_concat(t, {Separator}) OVER (ORDER BY id ROWS 3 PRECEDING) FROM v"));
        Assert.Equal("group_concat over a moving window takes separators of one length", error.Message);
    }

    [Theory]
    [InlineData(3, 33, null)] // 99 characters and two commas are more than a hundred
    [InlineData(3, 32, 98)]
    [InlineData(4, 25, null)]
    [InlineData(2, 50, null)]
    [InlineData(1, 100, 100)]
    public void A_text_may_be_as_long_as_a_value_and_no_longer(int rows, int length, int? all)
    {
        _ours.LimitValues(100);
        string sql = $"SELECT length(group_concat(substr(x, 1, {length}))) FROM (SELECT printf('%100c', 'x') AS x FROM v LIMIT {rows})";

        if (all is null)
        {
            Assert.Contains("a value of more than 100 bytes", Assert.Throws<DatabaseException>(() => Rows(_ours, sql)).Message, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal([$"{all}"], Rows(_ours, sql));
        }
    }

    [Fact]
    public void Of_a_window_only_what_it_holds_counts_for_the_longest_value()
    {
        _ours.LimitValues(460);

        Assert.Equal(
            Enumerable.Range(0, 120).Select(static i => $"{i}|{(91 * Math.Min(4, i + 1)) - 1}"),
            Rows(_ours, "SELECT id, length(group_concat(printf('%90c', 'x')) OVER (ORDER BY id ROWS 3 PRECEDING)) FROM v"));
        _ = Assert.Throws<DatabaseException>(() => Rows(_ours, "SELECT id, group_concat(printf('%90c', 'x')) OVER (ORDER BY id ROWS 5 PRECEDING) FROM v"));
    }

    private static SqliteDatabase Open()
    {
        SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        database.Execute("CREATE TABLE v(id INTEGER, g INTEGER, t, s)");
        Random random = new(4);
        for (int i = 0; i < 120; i++)
        {
            string text = random.Next(8) switch
            {
                0 => "NULL",
                1 => $"{random.Next(-1000, 1000)}",
                2 => "x'616263'",
                3 => "1.5",
                4 => "''",
                5 => $"'{new string('q', random.Next(100, 400))}'",
                _ => $"'{new string((char)('a' + (i % 26)), random.Next(1, 30))}é'",
            };
            string separator = random.Next(4) switch { 0 => "NULL", 1 => "''", 2 => "5", _ => $"'{new string('-', random.Next(1, 5))}'" };
            database.Execute($"INSERT INTO v VALUES({i}, {random.Next(5)}, {text}, {separator})");
        }

        return database;
    }

    private void SameAsSqlite(string sql) => Assert.Equal(Rows(_sqlites, sql), Rows(_ours, sql));

    private static string[] Rows(SqliteDatabase database, string sql)
    {
        List<string> rows = [];
        using SqliteStatement statement = database.Prepare(sql);
        while (statement.Step())
        {
            rows.Add(string.Join('|', Enumerable.Range(0, statement.ColumnCount).Select(i => statement.TextOrNull(i) ?? "NULL")));
        }

        return [.. rows];
    }
}
