using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Export;

/// <summary>Writes a view as CSV or as JSON lines.</summary>
public static class RowExport
{
    /// <summary>Writes CSV (RFC 4180) with a header line.</summary>
    public static void WriteCsv(TraceHistory history, string path, ExportOptions options) =>
        Write(history, path, options, static output => new CsvRows(output));

    /// <summary>Writes one JSON object a line.</summary>
    public static void WriteJsonLines(TraceHistory history, string path, ExportOptions options) =>
        Write(history, path, options, static output => new JsonRows(output, lines: true));

    private static void Write(
        TraceHistory history, string path, ExportOptions options, Func<Utf8Output, IRowSink> format)
    {
        EventSelection.RequireRun(history.Database, options.Run);
        string sql = "SELECT * FROM " + SqlText.Identifier(options.View);
        if (options.Run != 0)
        {
            sql += string.Create(CultureInfo.InvariantCulture, $" WHERE run = {options.Run}");
        }

        SqliteDatabase database = history.Database;
        using (SqliteStatement columns = database.Prepare("SELECT name FROM pragma_table_info(?1)"))
        {
            List<string> names = [];
            _ = columns.Bind(1, options.View);
            while (columns.Step())
            {
                names.Add(columns.Text(0));
            }

            if (names.Count == 0)
            {
                throw new KprobeTraceException(
                    $"there is no view {options.View}{NearestName.Ask(options.View, ViewNames(database))}; docs/schema.md names those of all histories, the view probes those of events");
            }

            string? order = names.Contains("seq") ? "seq" : names.Contains("return_seq") ? "return_seq" : null;
            sql += order is not null && names.Contains("run") ? " ORDER BY run, " + order : "";
        }

        ExportTarget.File(path, options, stream =>
        {
            using Utf8Output output = new(stream, leaveOpen: true);
            SqlQuery.Run(history, sql, format(output), options.Cancellation);
        });
    }

    private static List<string> ViewNames(SqliteDatabase database)
    {
        List<string> names = [];
        using SqliteStatement views = database.Prepare("SELECT name FROM sqlite_schema WHERE type = 'view'");
        while (views.Step())
        {
            names.Add(views.Text(0));
        }

        return names;
    }
}
