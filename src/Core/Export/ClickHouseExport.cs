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
    private static readonly (string View, string Order, string Shard)[] _tables =
    [
        ("runs", "run", "run"),
        ("probes", "run, probe", "run"),
        ("arguments", "run, probe, position", "run"),
        ("events", "run, seq", "cityHash64(run, seq)"),
        ("regs", "run, seq", "cityHash64(run, seq)"),
        ("faults", "run, seq", "cityHash64(run, seq)"),
        ("calls", "run, return_seq", "cityHash64(run, return_seq)"),
        ("symbols", "run, address", "run"),
        ("console", "run, time_ns", "run"),
        ("text_pokes", "run, time_ns", "run"),
        ("stacks", "run, stack, depth", "run"),
        ("notes", "run, time_ns", "run"),
        ("damages", "run, offset", "run"),
    ];

    /// <summary>Views that add up or shorten what the tables hold.</summary>
    private const string SharedViews = $"""
        CREATE VIEW IF NOT EXISTS {Database}.hits AS SELECT run, seq, probe, kind, time_ns FROM {Database}.events;
        CREATE VIEW IF NOT EXISTS {Database}.counts AS SELECT run, probe, name, symbol, kind, comm, toInt64(count(*)) AS events FROM {Database}.events GROUP BY run, probe, name, symbol, kind, comm;

        """;

    private static readonly HashSet<string> _texts =
    [
        "image", "image_sha256", "kernel", "command_line", "ended", "producer", "source", "grp", "name", "type", "symbol",
        "module", "definition", "state", "filter", "view", "event", "kind", "comm", "args", "caller", "line", "old", "new",
        "reason", "text",
    ];

    /// <summary>Columns that may be NULL where they are no key; of the notes also <c>probe</c>.</summary>
    private static readonly HashSet<string> _nullable =
    [
        "pid", "comm", "stack", "caller", "entry_seq", "retval", "caller_address", "offset", "address", "time_ns",
        "symbol", "module", "view",
    ];

    /// <summary>Writes all runs, or the one that is named.</summary>
    /// <exception cref="KprobeTraceException">The folder exists already or cannot be written.</exception>
    public static void Write(TraceHistory history, string path, ExportOptions options) =>
        ExportTarget.Folder(path, folder =>
        {
            ExportTarget.Text(Path.Combine(folder, "schema.sql"), Schema(history));
            ExportTarget.Text(Path.Combine(folder, "tables"), string.Concat(_tables.Select(static t => t.View + "\n")));
            EventSelection.RequireRun(history.Database, options.Run);
            int done = 0;
            foreach ((string view, _, _) in _tables)
            {
                using FileStream stream = new(Path.Combine(folder, view + ".tsv"), FileMode.CreateNew, FileAccess.Write);
                using Utf8Output output = new(stream, leaveOpen: true);
                string sql = $"SELECT {string.Join(", ", Columns(history, view).Select(SqlText.Identifier))} FROM {view}";
                if (options.Run != 0)
                {
                    sql += string.Create(CultureInfo.InvariantCulture, $" WHERE run = {options.Run}");
                }

                SqlQuery.Run(history, sql, new TsvRows(output), options.Cancellation);
                options.Progress?.Invoke((double)++done / _tables.Length);
            }
        });

    private static List<string> Columns(TraceHistory history, string view)
    {
        List<string> names = [];
        using SqliteStatement statement = history.Database.Prepare("SELECT name FROM pragma_table_info(?1)");
        _ = statement.Bind(1, view);
        while (statement.Step())
        {
            names.Add(statement.Text(0));
        }

        return names;
    }

    private static string Schema(TraceHistory history)
    {
        StringBuilder sql = new();
        _ = sql.Append(CultureInfo.InvariantCulture, $"CREATE DATABASE IF NOT EXISTS {Database};\n");
        foreach ((string view, string order, string shard) in _tables)
        {
            string columns = string.Join(",\n    ", Columns(history, view).Select(c => $"`{c}` {TypeOf(view, c, order)}"));
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

    private static string TypeOf(string view, string column, string order)
    {
        string type = _texts.Contains(column) ? "String" : "Int64";
        bool isKey = order.Split(", ").Contains(column);
        bool isNullable = _nullable.Contains(column) || (view == "notes" && column == "probe");
        return isNullable && !isKey ? $"Nullable({type})" : type;
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
