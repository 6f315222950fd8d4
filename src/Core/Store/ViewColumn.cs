namespace KprobeTrace.Store;

/// <summary>A column of a view, and the SQL that makes it.</summary>
/// <param name="Column">Its name and type.</param>
/// <param name="Sql">An expression over the rows that the view selects from.</param>
internal sealed record ViewColumn(Column Column, string Sql)
{
    /// <summary>What stands behind SELECT.</summary>
    internal string Selected => Sql == Column.Name ? Sql : $"{Sql} AS {Column.Name}";
}
