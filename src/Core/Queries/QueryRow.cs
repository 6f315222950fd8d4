using KprobeTrace.Store.Sqlite;
using SQLitePCL;

namespace KprobeTrace.Queries;

/// <summary>The current row of a query's result.</summary>
public sealed class QueryRow
{
    private readonly SqliteStatement _statement;

    internal QueryRow(SqliteStatement statement)
    {
        _statement = statement;
        string[] names = new string[statement.ColumnCount];
        for (int i = 0; i < names.Length; i++)
        {
            names[i] = statement.ColumnName(i);
        }

        Names = names;
    }

    /// <summary>The columns' names.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>What kind of value a column of this row holds.</summary>
    public QueryValueKind GetKind(int column) => _statement.Type(column) switch
    {
        raw.SQLITE_INTEGER => QueryValueKind.WholeNumber,
        raw.SQLITE_FLOAT => QueryValueKind.Real,
        raw.SQLITE_TEXT => QueryValueKind.Text,
        raw.SQLITE_BLOB => QueryValueKind.Blob,
        _ => QueryValueKind.Null,
    };

    /// <summary>The value as an integer.</summary>
    public long GetInteger(int column) => _statement.Int64(column);

    /// <summary>The value as a floating-point number.</summary>
    public double GetReal(int column) => _statement.Double(column);

    /// <summary>The value as UTF-8 text, valid until the next row.</summary>
    public ReadOnlySpan<byte> GetUtf8(int column) => _statement.Utf8(column);

    /// <summary>The value's bytes, valid until the next row.</summary>
    public ReadOnlySpan<byte> GetBlob(int column) => _statement.Blob(column);

    /// <summary>The value as text.</summary>
    public string GetText(int column) => _statement.Text(column);
}
