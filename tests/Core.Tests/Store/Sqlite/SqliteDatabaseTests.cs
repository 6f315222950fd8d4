using KprobeTrace.Store.Sqlite;
using SQLitePCL;
using Xunit;

namespace KprobeTrace.Tests.Store.Sqlite;

public sealed class SqliteDatabaseTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sqlite-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <remarks>A file's name is no URI and no part of a connection string.</remarks>
    [Theory]
    [InlineData("plain.db")]
    [InlineData(" blanks .db ")]
    [InlineData("a;Mode=Memory;b.db")]
    [InlineData("say \"this\".db")]
    [InlineData("it's.db")]
    [InlineData("a=b'\";c.db")]
    [InlineData("|DataDirectory|.db")]
    [InlineData("a?mode=memory&b#c%20.db")]
    [InlineData("Käse\u3042.db")]
    [InlineData("line\nline.db")]
    public void A_file_is_named_as_it_is(string name)
    {
        string path = Path.Combine(_folder, name);
        using (SqliteDatabase written = SqliteDatabase.Open(path, create: true))
        {
            written.Execute("CREATE TABLE t(a); INSERT INTO t VALUES(7)");
        }

        using SqliteDatabase read = SqliteDatabase.Open(path);

        Assert.Equal([path], Directory.GetFiles(_folder));
        Assert.Equal(7, read.ScalarInt64("SELECT a FROM t"));
    }

    /// <remarks>Such a name is relative to the working directory, which is the process's; so the file is only looked for.</remarks>
    [Theory]
    [InlineData("file:there-is-no-such.db?mode=memory")]
    [InlineData("FILE::memory:")]
    public void A_name_that_looks_like_a_URI_is_none(string path) =>
        Assert.Equal($"{path}: unable to open database file", Assert.Throws<DatabaseException>(() => SqliteDatabase.Open(path)).Message);

    [Fact]
    public void What_is_not_there_is_not_made_by_who_does_not_create()
    {
        string path = Path.Combine(_folder, "none.db");

        foreach (bool write in (bool[])[false, true])
        {
            DatabaseException error = Assert.Throws<DatabaseException>(() => SqliteDatabase.Open(path, write));
            Assert.Equal(($"{path}: unable to open database file", raw.SQLITE_CANTOPEN, -1), (error.Message, error.Code, error.Offset));
        }

        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public void Who_opens_for_reading_cannot_write()
    {
        string path = Path.Combine(_folder, "t.db");
        SqliteDatabase.Open(path, create: true).Dispose();
        using SqliteDatabase database = SqliteDatabase.Open(path);

        DatabaseException error = Assert.Throws<DatabaseException>(() => database.Execute("CREATE TABLE t(a)"));

        Assert.Equal(($"{path}: may not be written", raw.SQLITE_READONLY), (error.Message, error.Code));
    }

    [Fact]
    public void A_file_is_let_go_of_when_its_database_is_closed()
    {
        string path = Path.Combine(_folder, "t.db");
        SqliteDatabase database = SqliteDatabase.Open(path, create: true);
        database.Execute("CREATE TABLE t(a)");
        Assert.True(IsOpen(path));

        database.Dispose();

        Assert.False(IsOpen(path));

        static bool IsOpen(string path) => new DirectoryInfo("/proc/self/fd").EnumerateFiles().Any(file => file.LinkTarget == path);
    }

    [Fact]
    public void Interrupting_what_is_closed_does_nothing()
    {
        SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        database.Dispose();

        Assert.Null(Record.Exception(database.Interrupt));
    }

    /// <remarks>Offsets count bytes of UTF-8: an umlaut is two.</remarks>
    [Theory]
    [InlineData("SELECT 'ä', b FROM t", 13, "no such column: b")]
    [InlineData("SELECT a FROM t WHERE WHERE", 22, "near \"WHERE\": syntax error")]
    [InlineData("SELECT missing(a) FROM t", 7, "no such function: missing")]
    [InlineData("SELECT a FROM u", -1, "no such table: u")]
    public void A_wrong_statement_is_told_with_its_place(string sql, int offset, string message)
    {
        using SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        database.Execute("CREATE TABLE t(a)");

        DatabaseException error = Assert.Throws<DatabaseException>(() => database.Prepare(sql));

        Assert.Equal((message, raw.SQLITE_ERROR, offset), (error.Message, error.Code, error.Offset));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("a\0b")]
    [InlineData("\0")]
    [InlineData("äあ𝄞")]
    [InlineData(null)]
    public void A_text_comes_back_as_it_was_given(string? text)
    {
        using SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        using SqliteStatement statement = database.Prepare("SELECT ?1, typeof(?1), CAST(?1 AS BLOB)");

        Assert.True(statement.Bind(1, text).Step());
        Assert.Equal((text, text is null ? "null" : "text"), (statement.TextOrNull(0), statement.Text(1)));
        Assert.Equal(System.Text.Encoding.UTF8.GetBytes(text ?? ""), statement.Blob(2));
    }

    /// <remarks>What is asked of a statement that is gone is nothing, and no memory that is no longer its own.</remarks>
    [Fact]
    public void A_statement_that_was_disposed_of_has_no_values()
    {
        using SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        SqliteStatement statement = database.Prepare("SELECT 7, 'text'");
        Assert.True(statement.Step());

        statement.Dispose();

        Assert.Equal((0, true), (statement.Int64(0), statement.IsNull(0)));
        Assert.Throws<ObjectDisposedException>(() => statement.Text(1));
    }

    [Theory]
    [InlineData("", true, "")]
    [InlineData(" -- nothing", true, "")]
    [InlineData("SELECT 1", false, "")]
    [InlineData("SELECT 1; SELECT 'ä' ", false, " SELECT 'ä' ")]
    public void What_follows_a_statement_is_handed_back(string sql, bool empty, string rest)
    {
        using SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        using SqliteStatement statement = database.Prepare(sql, out string following);

        Assert.Equal((empty, rest), (statement.IsEmpty, following));
    }
}
