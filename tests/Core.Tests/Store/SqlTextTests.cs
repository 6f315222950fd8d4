using System.Text;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using Xunit;

namespace KprobeTrace.Tests.Store;

/// <summary>Quoted texts, handed to SQLite.</summary>
public sealed class SqlTextTests
{
    private static readonly string[] _texts = ["", "plain", "it's", "''", "a\"b", "\"", "a\0b", "\0", "'\0'\"", "x'; DROP TABLE t; --", "straße 😀"];

    [Fact]
    public void Literal_is_the_text_it_was()
    {
        using SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        foreach (string text in _texts)
        {
            using SqliteStatement statement = database.Prepare($"SELECT hex({SqlText.Literal(text)}), typeof({SqlText.Literal(text)})");
            Assert.True(statement.Step());
            Assert.Equal((Convert.ToHexString(Encoding.UTF8.GetBytes(text)), "text"), (statement.Text(0), statement.Text(1)));
        }
    }

    [Fact]
    public void Identifier_names_what_is_called_so_but_for_NUL()
    {
        using SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        foreach (string text in _texts)
        {
            using SqliteStatement statement = database.Prepare($"SELECT {SqlText.Identifier("c" + text)} FROM (SELECT 7 AS {SqlText.Identifier("c" + text)})");
            Assert.True(statement.Step());
            Assert.Equal(("c" + text.Replace("\0", "", StringComparison.Ordinal), 7), (statement.ColumnName(0), statement.Int64(0)));
        }
    }
}
