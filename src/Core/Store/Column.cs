namespace KprobeTrace.Store;

/// <summary>A column of a table or a view of the history.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">What it holds.</param>
/// <param name="IsOptional">True where it may be NULL.</param>
internal sealed record Column(string Name, ColumnType Type = ColumnType.Number, bool IsOptional = false)
{
    /// <summary>SQLite's name of the type.</summary>
    internal string SqlType => Type switch
    {
        ColumnType.Text => "TEXT",
        ColumnType.Bytes => "BLOB",
        _ => "INTEGER",
    };
}
