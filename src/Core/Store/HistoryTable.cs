using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KprobeTrace.Store;

/// <summary>A base table of the history: its SQL and the order of its rows' values come from here.</summary>
internal sealed class HistoryTable
{
    private readonly string[] _key;

    /// <summary>A table of columns.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="key">Its primary key, in which order the rows lie; of one column that is the row's number; none for rows as they come.</param>
    /// <param name="columns">Its columns in order.</param>
    internal HistoryTable(string name, string[] key, params Column[] columns)
    {
        Name = name;
        _key = key;
        Columns = columns;
    }

    /// <summary>Its name.</summary>
    internal string Name { get; }

    /// <summary>Its columns, in the order of a row's values.</summary>
    internal IReadOnlyList<Column> Columns { get; }

    /// <summary>The SQL that creates it.</summary>
    internal string Create
    {
        get
        {
            string columns = string.Join(", ", Columns.Select(c => $"{c.Name} {c.SqlType}{(_key is [var only] && only == c.Name ? " PRIMARY KEY" : "")}"));
            return _key.Length > 1
                ? $"CREATE TABLE {Name}({columns}, PRIMARY KEY({string.Join(", ", _key)})) WITHOUT ROWID;\n"
                : $"CREATE TABLE {Name}({columns});\n";
        }
    }

    /// <summary>The SQL that adds a row of all columns, whose parameters are numbered as they are.</summary>
    internal string Insert =>
        $"INSERT INTO {Name}({string.Join(", ", Columns.Select(static c => c.Name))}) VALUES({string.Join(", ", Columns.Select(static (_, i) => $"?{i + 1}"))})";

    /// <summary>Where a column stands, from 0.</summary>
    internal int this[string column]
    {
        get
        {
            for (int i = 0; i < Columns.Count; i++)
            {
                if (Columns[i].Name == column)
                {
                    return i;
                }
            }

            throw new ArgumentException($"{Name} has no column {column}", nameof(column));
        }
    }

    /// <summary>A table whose columns are the fields of a struct; those that are not plain numbers are given.</summary>
    internal static HistoryTable Of<TRow>(string name, string[] key, params Column[] others)
        where TRow : struct
    {
        HistoryTable table = new(name, key, [.. FieldNames.Of<TRow>().Select(n => Array.Find(others, o => o.Name == n) ?? new Column(n))]);
        return others.Length == others.Count(table.Columns.Contains) && Unsafe.SizeOf<TRow>() == table.Columns.Count * Unsafe.SizeOf<long?>()
            ? table
            : throw new ArgumentException($"{typeof(TRow).Name} is no row of {name}", nameof(others));
    }

    /// <summary>The values of a row that <see cref="Of"/> made a table of.</summary>
    internal static ReadOnlySpan<long?> Cells<TRow>(ref readonly TRow row)
        where TRow : struct =>
        MemoryMarshal.CreateReadOnlySpan(in Unsafe.As<TRow, long?>(ref Unsafe.AsRef(in row)), Unsafe.SizeOf<TRow>() / Unsafe.SizeOf<long?>());
}
