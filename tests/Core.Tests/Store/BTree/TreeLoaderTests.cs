using System.Text;
using KprobeTrace.Store.BTree;
using KprobeTrace.Store.Sqlite;
using SQLitePCL;
using Xunit;

namespace KprobeTrace.Tests.Store.BTree;

public sealed class TreeLoaderTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), "tree-" + Guid.NewGuid().ToString("N"));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(17)]
    [InlineData(90)]
    [InlineData(91)]
    [InlineData(92)]
    [InlineData(1_000)]
    [InlineData(30_000)]
    public void Table_of_any_height_is_what_sqlite_itself_would_hold(int rows)
    {
        Load(rows, _ => 20, out string integrity, out long count, out long sum);

        Assert.Equal("ok", integrity);
        Assert.Equal(rows, count);
        Assert.Equal((long)rows * (rows + 1) / 2, sum);
    }

    [Fact]
    public void Every_row_count_up_to_three_levels_is_sound()
    {
        for (int rows = 1; rows < 700; rows++)
        {
            Load(rows, _ => 60, out string integrity, out long count, out _);

            Assert.Equal("ok", integrity);
            Assert.Equal(rows, count);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(200)]
    public void Payloads_of_all_lengths_spill_as_sqlite_expects(int rows)
    {
        Load(rows, i => i * 37 % 9_000, out string integrity, out long count, out _);

        Assert.Equal("ok", integrity);
        Assert.Equal(rows, count);
    }

    [Fact]
    public void Integers_of_every_width_read_back()
    {
        List<long> values = [0, 1, -1, long.MinValue, long.MaxValue];
        for (int bit = 1; bit < 63; bit++)
        {
            values.AddRange([(1L << bit) - 1, 1L << bit, -(1L << bit), -(1L << bit) - 1]);
        }

        Create("CREATE TABLE t(a)");
        using (PageAppender file = new(_path))
        {
            TableLoader loader = new(file, Root("t"));
            RecordBuilder record = new();
            for (int i = 0; i < values.Count; i++)
            {
                record.Begin();
                record.Integer(values[i]);
                loader.Add(i + 1, record.End());
            }

            loader.Finish();
            file.Complete();
        }

        List<long> read = [];
        using SqliteDatabase database = SqliteDatabase.Open(_path);
        using SqliteStatement statement = database.Prepare("SELECT a FROM t ORDER BY rowid");
        while (statement.Step())
        {
            Assert.Equal(raw.SQLITE_INTEGER, statement.Type(0));
            read.Add(statement.Int64(0));
        }

        Assert.Equal(values, read);
    }

    [Fact]
    public void Sqlite_can_add_rows_to_a_loaded_tree()
    {
        Load(5_000, _ => 20, out _, out _, out _);

        using SqliteDatabase database = SqliteDatabase.Open(_path, write: true);
        database.Execute("INSERT INTO t SELECT a + 5000, b FROM t; INSERT INTO w SELECT a + 5000, b FROM w");

        Assert.Equal("ok", database.ScalarText("PRAGMA integrity_check"));
        Assert.Equal(10_000, database.ScalarInt64("SELECT count(*) FROM w"));
    }

    public void Dispose() => File.Delete(_path);

    private void Load(int rows, Func<int, int> length, out string integrity, out long count, out long sum)
    {
        Create("""
            CREATE TABLE t(a INTEGER, b TEXT);
            CREATE TABLE w(a INTEGER PRIMARY KEY, b TEXT) WITHOUT ROWID;
            CREATE INDEX t_ab ON t(a, b);
            """);
        using (PageAppender file = new(_path))
        {
            TableLoader table = new(file, Root("t"));
            IndexLoader clustered = new(file, Root("w"));
            IndexLoader index = new(file, Root("t_ab"));
            RecordBuilder record = new();
            for (int i = 1; i <= rows; i++)
            {
                byte[] text = Encoding.UTF8.GetBytes(new string((char)('a' + (i % 26)), length(i)));
                record.Begin();
                record.Integer(i);
                record.Text(text);
                table.Add(i, record.End());
                clustered.Add(record.End());
                record.Integer(i);
                index.Add(record.End());
            }

            table.Finish();
            clustered.Finish();
            index.Finish();
            file.Complete();
        }

        using SqliteDatabase database = SqliteDatabase.Open(_path);
        integrity = database.ScalarText("PRAGMA integrity_check") ?? "";
        count = database.ScalarInt64("SELECT count(*) FROM w JOIN t USING (a, b)");
        sum = database.ScalarInt64("SELECT sum(a) FROM w");
    }

    private void Create(string schema)
    {
        File.Delete(_path);
        using SqliteDatabase database = SqliteDatabase.Open(_path, create: true);
        database.Execute("PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
        database.Execute(schema);
    }

    private uint Root(string name)
    {
        using SqliteDatabase database = SqliteDatabase.Open(_path);
        return (uint)database.ScalarInt64($"SELECT rootpage FROM sqlite_schema WHERE name = '{name}'");
    }
}
