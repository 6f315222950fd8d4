using System.Globalization;
using System.Text;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Export;

/// <summary>Writes a folder that a ClickHouse cluster loads: table definitions and one TSV file a view.</summary>
/// <remarks>
/// The tables have the names and columns of the views. Each is a <c>Distributed</c> table over <c>NAME_local</c> on
/// every shard; rows of one event (its registers, its fault) lie on one shard. docs/clickhouse.md shows the steps.
/// </remarks>
public static class ClickHouseExport
{
    /// <summary>Name of the database, and of the cluster in the server's configuration.</summary>
    public const string Database = "kprobetrace";

    /// <summary>Views that become tables, their sort key and the key that chooses the shard.</summary>
    private static readonly (HistoryView View, string Order, string Shard)[] _tables =
    [
        (HistoryViews.Runs, "run", "run"),
        (HistoryViews.Probes, "run, probe", "run"),
        (HistoryViews.Arguments, "run, probe, position", "run"),
        (HistoryViews.Events, "run, seq", "cityHash64(run, seq)"),
        (HistoryViews.Registers, "run, seq", "cityHash64(run, seq)"),
        (HistoryViews.Faults, "run, seq", "cityHash64(run, seq)"),
        (HistoryViews.Calls, "run, return_seq", "cityHash64(run, return_seq)"),
        (HistoryViews.Symbols, "run, address", "run"),
        (HistoryViews.Console, "run, time_ns", "run"),
        (HistoryViews.TextPokes, "run, time_ns", "run"),
        (HistoryViews.Stacks, "run, stack, depth", "run"),
        (HistoryViews.Notes, "run, time_ns", "run"),
        (HistoryViews.Damages, "run, offset", "run"),
    ];

    /// <summary>Views that add up or shorten what the tables hold.</summary>
    private static string SharedViews { get; } = $"""
        CREATE VIEW IF NOT EXISTS {Database}.hits AS SELECT {List(HistoryViews.Hits.Names)} FROM {Database}.events;
        CREATE VIEW IF NOT EXISTS {Database}.counts AS SELECT {List(HistoryViews.Counts.Names[..^1])}, toInt64(count(*)) AS {HistoryViews.Counts.Names[^1]} FROM {Database}.events GROUP BY {List(HistoryViews.Counts.Names[..^1])};

        """;

    /// <summary>Writes all runs, or the one that is named.</summary>
    /// <exception cref="KprobeTraceException">The folder exists already or cannot be written.</exception>
    public static void Write(TraceHistory history, string path, ExportOptions options) =>
        ExportTarget.Folder(path, folder =>
        {
            ExportTarget.Text(Path.Combine(folder, "schema.sql"), Schema(history));
            ExportTarget.Text(Path.Combine(folder, "tables"), string.Concat(_tables.Select(static t => t.View.Name + "\n")));
            EventSelection.RequireRun(history.Database, options.Run);
            int done = 0;
            foreach ((HistoryView view, _, _) in _tables)
            {
                using FileStream stream = new(Path.Combine(folder, view.Name + ".tsv"), FileMode.CreateNew, FileAccess.Write);
                using Utf8Output output = new(stream, leaveOpen: true);
                string sql = $"SELECT {List(view.Names.Select(SqlText.Identifier))} FROM {view.Name}";
                if (options.Run != 0)
                {
                    sql += string.Create(CultureInfo.InvariantCulture, $" WHERE run = {options.Run}");
                }

                SqlQuery.Run(history, sql, new TsvRows(output), options.Cancellation);
                options.Progress?.Invoke((double)++done / _tables.Length);
            }
        });

    private static string List(IEnumerable<string> names) => string.Join(", ", names);

    private static string Schema(TraceHistory history)
    {
        StringBuilder sql = new();
        _ = sql.Append(CultureInfo.InvariantCulture, $"CREATE DATABASE IF NOT EXISTS {Database};\n");
        foreach ((HistoryView table, string order, string shard) in _tables)
        {
            string view = table.Name;
            string columns = string.Join(",\n    ", table.Columns.Select(c => $"`{c.Column.Name}` {TypeOf(c.Column, order)}"));
            _ = sql.Append(CultureInfo.InvariantCulture, $"""
                CREATE TABLE IF NOT EXISTS {Database}.{view}_local
                (
                    {columns}
                )
                ENGINE = MergeTree() PARTITION BY run ORDER BY ({order});
                CREATE TABLE IF NOT EXISTS {Database}.{view} AS {Database}.{view}_local
                ENGINE = Distributed({Database}, {Database}, {view}_local, {shard});

                """);
        }

        _ = sql.Append(SharedViews);
        AddEventViews(history, sql);
        return sql.ToString();
    }

    private static string TypeOf(Column column, string order)
    {
        string type = column.Type is ColumnType.Text or ColumnType.Bytes ? "String" : "Int64";
        return column.IsOptional && !order.Split(", ").Contains(column.Name) ? $"Nullable({type})" : type;
    }

    /// <summary>
    /// One view for each event name; the functions are those of version 18 and of today. An argument that an event does
    /// not have (it was recorded behind the instruction, or could not be read) is NULL, arrays are their JSON.
    /// </summary>
    private static void AddEventViews(TraceHistory history, StringBuilder sql)
    {
        using SqliteStatement statement = history.Database.Prepare("""
            SELECT p.view, p.name, a.name, a.type FROM kt_probe p
            LEFT JOIN kt_argument a ON a.run = p.run AND a.probe = p.probe
            GROUP BY p.view, p.name, a.name ORDER BY p.view, min(a.position)
            """);
        string current = "";
        string ending = "";
        while (statement.Step())
        {
            string view = statement.Text(0);
            if (view != current)
            {
                _ = sql.Append(ending);
                current = view;
                _ = sql.Append(CultureInfo.InvariantCulture, $"CREATE VIEW IF NOT EXISTS {Database}.{Name(view)} AS SELECT *");
                ending = $" FROM {Database}.events WHERE name = {Text(statement.Text(1))};\n";
            }

            if (!statement.IsNull(2))
            {
                string argument = statement.Text(2);
                ArgumentKind kind = ArgumentKind.Parse(statement.Text(3));
                string key = Text(argument);

                // ClickHouse finds no end of a raw value with a text that ends in a backslash. A text is there where a quote is behind
                // its name, which inside of another text would be an escaped one; an array is told by its grammar.
                string value = kind.IsArray
                    ? $"nullIf(extract(args, {Text($"\"{Literally(argument)}\":(\\[(?:[^\\]\"]|\"(?:[^\"\\\\]|\\\\.)*\")*\\])")}), '')"
                    : kind.Style == ArgumentStyle.Text
                    ? $"if(position(args, {Text($"\"{argument}\":\"")}) = 0, NULL, visitParamExtractString(args, {key}))"
                    : $"if(visitParamExtractRaw(args, {key}) IN ('', 'null'), NULL, visitParamExtractInt(args, {key}))";
                _ = sql.Append(CultureInfo.InvariantCulture, $", {value} AS {Name(EventViews.ColumnOf(argument))}");
            }
        }

        _ = sql.Append(ending);
    }

    /// <summary>A regular expression that matches a name and nothing else.</summary>
    private static string Literally(string name) =>
        string.Concat(name.Select(static c => char.IsAscii(c) && !char.IsAsciiLetterOrDigit(c) && c != '_' ? $"\\{c}" : $"{c}"));

    private static string Name(string name) =>
        "`" + name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("`", "\\`", StringComparison.Ordinal) + "`";

    /// <summary>Semicolons are escaped too, so that the file may be cut at them.</summary>
    private static string Text(string text) =>
        "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("'", "\\'", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal)
            .Replace(";", "\\x3B", StringComparison.Ordinal) + "'";
}
