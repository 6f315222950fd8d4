using KprobeTrace.Store.BTree;
using KprobeTrace.Store.Sqlite;
using SQLitePCL;
using Xunit;

namespace KprobeTrace.Tests.Store.BTree;

/// <summary>A database whose trees a test fills page by page, for SQLite to judge.</summary>
/// <remarks>
/// It has a table <c>t</c> with an index <c>i</c> over two of its columns, and a table <c>w</c> without row ids:
/// all kinds of trees that a history has.
/// </remarks>
internal sealed class TreeFile : IDisposable
{
    internal const string Schema = """
        CREATE TABLE t(a, b, c);
        CREATE INDEX i ON t(a, b);
        CREATE TABLE w(a, b, c, PRIMARY KEY(a, b)) WITHOUT ROWID;
        """;

    private readonly string _path = Path.Combine(Path.GetTempPath(), "trees-" + Guid.NewGuid().ToString("N"));

    internal TreeFile(int pageSize, string schema = Schema)
    {
        PageSize = pageSize;
        using SqliteDatabase database = SqliteDatabase.Open(_path, create: true);
        database.Execute($"PRAGMA page_size = {pageSize}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
        database.Execute(schema);
    }

    internal int PageSize { get; }

    /// <summary>Pages in the file.</summary>
    internal long Pages => new FileInfo(_path).Length / PageSize;

    /// <summary>The file's bytes.</summary>
    internal byte[] Bytes => File.ReadAllBytes(_path);

    /// <summary>Number of a tree's root page.</summary>
    internal uint Root(string name)
    {
        using SqliteDatabase database = Open();
        return (uint)database.ScalarInt64($"SELECT rootpage FROM sqlite_schema WHERE name = '{name}'");
    }

    /// <summary>Makes the file longer, by zeros that take no space on the disk.</summary>
    internal void Extend(long bytes)
    {
        using FileStream file = new(_path, FileMode.Open);
        file.SetLength(bytes);
    }

    /// <summary>The file, to be read.</summary>
    internal Stream Read() => File.OpenRead(_path);

    internal SqliteDatabase Open(bool write = false) => SqliteDatabase.Open(_path, write);

    internal PageAppender Append() => new(_path);

    /// <summary>Fills the table from rows in order, each with its row id.</summary>
    internal void LoadTable(IEnumerable<(long RowId, object?[] Row)> rows)
    {
        uint root = Root("t");
        using PageAppender file = Append();
        TableLoader loader = new(file, root);
        RecordBuilder record = new();
        foreach ((long id, object?[] row) in rows)
        {
            loader.Add(id, Encode(record, row));
        }

        loader.Finish();
        file.Complete();
    }

    /// <summary>Fills an index, or the table without row ids, from rows in order of their keys.</summary>
    internal void LoadIndex(string name, IEnumerable<object?[]> rows)
    {
        uint root = Root(name);
        using PageAppender file = Append();
        IndexLoader loader = new(file, root);
        RecordBuilder record = new();
        foreach (object?[] row in rows)
        {
            loader.Add(Encode(record, row));
        }

        loader.Finish();
        file.Complete();
    }

    /// <summary>What SQLite finds wrong: <c>ok</c>.</summary>
    internal string Integrity()
    {
        using SqliteDatabase database = Open();
        return database.ScalarText("PRAGMA integrity_check") ?? "";
    }

    /// <summary>Fails unless a question has these rows for its answer, in this order.</summary>
    internal void AssertRows(string sql, IEnumerable<object?[]> expected)
    {
        using SqliteDatabase database = Open();
        using SqliteStatement statement = database.Prepare(sql);
        int number = 0;
        foreach (object?[] row in expected)
        {
            Assert.True(statement.Step(), $"{sql}: no row {number}");
            for (int i = 0; i < row.Length; i++)
            {
                Assert.True(Equals(statement, i, row[i]), $"{sql}: row {number}, column {i}");
            }

            number++;
        }

        Assert.False(statement.Step(), $"{sql}: more than {number} rows");
    }

    /// <summary>A record of values: null, <see cref="long"/>, text as UTF-8 in a <see cref="ReadOnlyMemory{T}"/>, or a blob.</summary>
    internal static ReadOnlySpan<byte> Encode(RecordBuilder record, object?[] row)
    {
        record.Begin();
        foreach (object? value in row)
        {
            switch (value)
            {
                case null:
                    record.Null();
                    break;
                case long number:
                    record.Integer(number);
                    break;
                case byte[] blob:
                    record.Blob(blob);
                    break;
                default:
                    record.Text(System.Text.Encoding.UTF8.GetBytes((string)value));
                    break;
            }
        }

        return record.End();
    }

    public void Dispose() => File.Delete(_path);

    private static bool Equals(SqliteStatement row, int column, object? value) => value switch
    {
        null => row.Type(column) == raw.SQLITE_NULL,
        long number => row.Type(column) == raw.SQLITE_INTEGER && row.Int64(column) == number,
        byte[] blob => row.Type(column) == raw.SQLITE_BLOB && row.Blob(column).SequenceEqual(blob),
        _ => row.Type(column) == raw.SQLITE_TEXT && row.Text(column) == (string)value,
    };
}
