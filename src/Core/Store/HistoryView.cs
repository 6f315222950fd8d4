namespace KprobeTrace.Store;

/// <summary>A documented view of the history: what users, exports and questions rely on.</summary>
internal sealed class HistoryView(string name, string from, params ViewColumn[] columns)
{
    /// <summary>Its name.</summary>
    internal string Name { get; } = name;

    /// <summary>Its columns in order.</summary>
    internal IReadOnlyList<ViewColumn> Columns { get; } = columns;

    /// <summary>Its columns' names in order.</summary>
    internal string[] Names { get; } = [.. columns.Select(static c => c.Column.Name)];

    /// <summary>The SQL that creates it.</summary>
    internal string Create => $"CREATE VIEW {Name} AS SELECT {string.Join(", ", Columns.Select(static c => c.Selected))} FROM {from};\n";
}
