using System.Text;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Store;

/// <summary>Creates one view for each event name, with a column for each of its arguments.</summary>
/// <remarks>
/// A view is named as its event. Where that name is taken (SQLite does not tell <c>Open</c> from <c>open</c>, and the
/// documented views and what begins with <c>kt_</c> or <c>sqlite_</c> are not to be had), <c>_event</c>,
/// <c>_event2</c> … is added. An argument whose name is a column of <c>events</c> gets the prefix <c>arg_</c>.
/// Names come from the trace and are quoted.
/// </remarks>
internal static class EventViews
{
    /// <summary>Drops the views of single events, if any, and creates them for all probes of all runs.</summary>
    internal static void Create(SqliteDatabase database)
    {
        Drop(database);
        Dictionary<string, List<string>> arguments = new(StringComparer.Ordinal);
        using (SqliteStatement statement = database.Prepare("""
            SELECT p.name, a.name FROM kt_probe p
            LEFT JOIN kt_argument a ON a.run = p.run AND a.probe = p.probe
            ORDER BY p.run, p.probe, a.position
            """))
        {
            while (statement.Step())
            {
                string name = statement.Text(0);
                if (!arguments.TryGetValue(name, out List<string>? list))
                {
                    arguments.Add(name, list = []);
                }

                string? argument = statement.TextOrNull(1);
                if (argument is not null && !list.Contains(argument, StringComparer.OrdinalIgnoreCase))
                {
                    list.Add(argument);
                }
            }
        }

        HashSet<string> taken = new(HistoryViews.All.Select(static v => v.Name), StringComparer.OrdinalIgnoreCase);
        Dictionary<string, string> views = new(StringComparer.Ordinal);
        StringBuilder sql = new();
        foreach ((string name, List<string> list) in arguments)
        {
            string view = ViewName(name, taken);
            views.Add(name, view);
            sql.Clear().Append("CREATE VIEW ").Append(SqlText.Identifier(view)).Append(" AS SELECT events.*");
            foreach (string argument in list)
            {
                sql.Append(", json_extract(args, ")
                    .Append(SqlText.Literal("$." + argument))
                    .Append(") AS ")
                    .Append(SqlText.Identifier(ColumnOf(argument)));
            }

            sql.Append(" FROM events WHERE name = ").Append(SqlText.Literal(name));
            database.Execute(sql.ToString());
        }

        NameInProbes(database, views);
    }

    /// <summary>The column that shows an argument.</summary>
    internal static string ColumnOf(string argument) =>
        HistoryViews.Events.Names.Contains(argument, StringComparer.OrdinalIgnoreCase) ? "arg_" + argument : argument;

    private static void NameInProbes(SqliteDatabase database, Dictionary<string, string> views)
    {
        List<(long Run, long Probe, string View)> rows = [];
        using (SqliteStatement statement = database.Prepare("SELECT run, probe, name FROM kt_probe"))
        {
            while (statement.Step())
            {
                rows.Add((statement.Int64(0), statement.Int64(1), views[statement.Text(2)]));
            }
        }

        using SqliteStatement update = database.Prepare(
            "UPDATE kt_probe SET view = ?1 WHERE run = ?2 AND probe = ?3");
        foreach ((long run, long probe, string view) in rows)
        {
            update.Bind(1, view).Bind(2, run).Bind(3, probe).Run();
        }
    }

    private static void Drop(SqliteDatabase database)
    {
        List<string> views = [];
        using (SqliteStatement statement = database.Prepare("SELECT name FROM sqlite_schema WHERE type = 'view'"))
        {
            while (statement.Step())
            {
                views.Add(statement.Text(0));
            }
        }

        foreach (string view in views.Except(HistoryViews.All.Select(static v => v.Name)))
        {
            database.Execute("DROP VIEW " + SqlText.Identifier(view));
        }
    }

    private static string ViewName(string name, HashSet<string> taken)
    {
        // A name with NUL bytes cannot be said in SQL.
        string wanted = name.Replace("\0", "", StringComparison.Ordinal);
        bool reserved = wanted.Length == 0
            || wanted.StartsWith(Schema.Prefix, StringComparison.OrdinalIgnoreCase)
            || wanted.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase);
        if (!reserved && taken.Add(wanted))
        {
            return wanted;
        }

        string stem = (reserved ? "x" : "") + wanted + "_event";
        string candidate = stem;
        for (int i = 2; !taken.Add(candidate); i++)
        {
            candidate = stem + i;
        }

        return candidate;
    }
}
