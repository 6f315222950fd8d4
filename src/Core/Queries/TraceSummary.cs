using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Queries;

/// <summary>What a reader wants to know of a run first.</summary>
public sealed record TraceSummary
{
    /// <summary>Number of the run.</summary>
    public required long Run { get; init; }

    /// <summary>The columns of the <c>runs</c> view by name.</summary>
    public required IReadOnlyDictionary<string, string> Properties { get; init; }

    /// <summary>True where the trace is whole.</summary>
    public required bool Complete { get; init; }

    /// <summary>Number of events.</summary>
    public required long Events { get; init; }

    /// <summary>Events by kind, the most first.</summary>
    public required IReadOnlyList<(string Name, long Count)> Kinds { get; init; }

    /// <summary>Hits by event name and symbol, the most first; a <c>post</c> or <c>fault</c> is no further hit.</summary>
    public required IReadOnlyList<(string Name, string Symbol, long Count)> Symbols { get; init; }

    /// <summary>How many event names there are besides those in <see cref="Symbols"/>.</summary>
    public required int OtherSymbols { get; init; }

    /// <summary>Hits by task name, the most first.</summary>
    public required IReadOnlyList<(string Name, long Count)> Comms { get; init; }

    /// <summary>How many task names there are besides those in <see cref="Comms"/>.</summary>
    public required int OtherComms { get; init; }

    /// <summary>Probes that never fired: name, symbol and state; the first few.</summary>
    public required IReadOnlyList<(string Name, string Symbol, string State)> Silent { get; init; }

    /// <summary>How many probes never fired.</summary>
    public required long SilentCount { get; init; }

    /// <summary>Number of probes.</summary>
    public required long Probes { get; init; }

    /// <summary>Entry-to-return durations.</summary>
    public required IReadOnlyList<LatencyRow> Latencies { get; init; }

    /// <summary>Faults by vector: how many, and how many of them were handled.</summary>
    public required IReadOnlyList<(int Vector, long Count, long Handled)> Faults { get; init; }

    /// <summary>Notes of the recorder.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>What could not be read of the trace.</summary>
    public required IReadOnlyList<string> Damage { get; init; }

    /// <summary>Reads the summary of every run.</summary>
    /// <param name="history">The database.</param>
    /// <param name="top">How many symbols, task names and silent probes to list.</param>
    /// <param name="run">The run, 0 for all.</param>
    public static IReadOnlyList<TraceSummary> Read(TraceHistory history, int top = 10, long run = 0)
    {
        SqliteDatabase database = history.Database;
        List<TraceSummary> summaries = [];
        foreach (long number in EventSelection.Runs(database, run))
        {
            summaries.Add(ReadRun(history, number, top));
        }

        return summaries;
    }

    private static TraceSummary ReadRun(TraceHistory history, long run, int top)
    {
        SqliteDatabase database = history.Database;
        Dictionary<string, string> properties = [];
        using (SqliteStatement statement = database.Prepare("SELECT * FROM runs WHERE run = ?1"))
        {
            _ = statement.Bind(1, run).Step();
            for (int i = 0; i < statement.ColumnCount; i++)
            {
                properties[statement.ColumnName(i)] = statement.Text(i);
            }
        }

        string hits = $"FROM kt_tally t WHERE t.run = ?1 AND {HitCounts.IsHit("t.kind", "t")}";
        List<(string, string, long)> symbols = Rows(database, run, $"""
            SELECT p.name, p.symbol, h.n FROM (SELECT t.probe AS probe, sum(t.events) AS n {hits} GROUP BY t.probe) h
            JOIN kt_probe p ON p.run = ?1 AND p.probe = h.probe ORDER BY 3 DESC, 1, h.probe
            """, static s => (s.Text(0), s.Text(1), s.Int64(2)));
        List<(string, long)> comms = Rows(database, run, $"""
            SELECT coalesce(c.name, '(no task)'), sum(h.n)
            FROM (SELECT t.comm AS comm, sum(t.events) AS n {hits} GROUP BY t.comm) h LEFT JOIN kt_comm c ON c.comm = h.comm
            GROUP BY 1 ORDER BY 2 DESC, 1
            """, static s => (s.Text(0), s.Int64(1)));
        List<(string, string, string)> silent = Rows(database, run, """
            SELECT name, symbol, state FROM kt_probe WHERE run = ?1 AND hits = 0
              AND probe NOT IN (SELECT probe FROM kt_tally WHERE run = ?1)
            ORDER BY probe
            """, static s => (s.Text(0), s.Text(1), s.Text(2)));
        return new TraceSummary
        {
            Run = run,
            Properties = properties,
            Complete = properties["complete"] == "1",
            Events = database.ScalarInt64($"SELECT events FROM kt_run WHERE run = {run}"),
            Kinds = Rows(database, run, """
                SELECT kind, sum(events) FROM counts WHERE run = ?1 GROUP BY kind ORDER BY 2 DESC, 1
                """, static s => (s.Text(0), s.Int64(1))),
            Symbols = symbols[..Math.Min(top, symbols.Count)],
            OtherSymbols = Math.Max(0, symbols.Count - top),
            Comms = comms[..Math.Min(top, comms.Count)],
            OtherComms = Math.Max(0, comms.Count - top),
            Silent = silent[..Math.Min(top, silent.Count)],
            SilentCount = silent.Count,
            Probes = database.ScalarInt64($"SELECT count(*) FROM kt_probe WHERE run = {run}"),
            Latencies = [.. LatencyQuery.Read(history, [], run).Where(static l => l.Between == "entry-ret").Take(top)],
            Faults = Rows(database, run, """
                SELECT vector, count(*), sum(handled) FROM kt_fault WHERE run = ?1 GROUP BY vector ORDER BY vector
                """, static s => (s.Int32(0), s.Int64(1), s.Int64(2))),
            Notes = ReadNotes(database, run),
            Damage = Rows(database, run, """
                SELECT CASE length WHEN 0 THEN reason ELSE 'at byte ' || offset || ': ' || reason END
                FROM kt_damage WHERE run = ?1 LIMIT 20
                """, static s => s.Text(0)),
        };
    }

    /// <summary>The notes that matter most first; those that say the same of several probes become one.</summary>
    private static List<string> ReadNotes(SqliteDatabase database, long run)
    {
        const int shown = 20;
        List<string> notes = Rows(database, run, """
            SELECT n.kind, n.text, min(p.name), count(DISTINCT n.probe)
            FROM kt_note n LEFT JOIN kt_probe p ON p.run = n.run AND p.probe = n.probe
            WHERE n.run = ?1 GROUP BY n.kind, n.text
            ORDER BY CASE n.kind WHEN 'miss' THEN 0 WHEN 'limit' THEN 1 WHEN 'refusal' THEN 2 WHEN 'remark' THEN 3 ELSE 4 END,
              min(n.rowid)
            """, static s => s.Int64(3) switch
        {
            0 => $"{s.Text(0)}: {s.Text(1)}",
            1 => $"{s.Text(0)}: {s.Text(2)}: {s.Text(1)}",
            long probes => $"{s.Text(0)}: {s.Text(2)} and {probes - 1} more: {s.Text(1)}",
        });
        if (notes.Count > shown)
        {
            int others = notes.Count - shown;
            notes.RemoveRange(shown, others);
            notes.Add($"… and {others} more in the view notes");
        }

        return notes;
    }

    private static List<T> Rows<T>(SqliteDatabase database, long run, string sql, Func<SqliteStatement, T> read)
    {
        List<T> rows = [];
        using SqliteStatement statement = database.Prepare(sql);
        _ = statement.Bind(1, run);
        while (statement.Step())
        {
            rows.Add(read(statement));
        }

        return rows;
    }
}
