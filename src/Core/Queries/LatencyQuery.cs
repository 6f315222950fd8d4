using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>Durations from entry to return, or from before to behind an instruction, by event.</summary>
public static class LatencyQuery
{
    private const int Post = (int)TraceEventKind.Post;

    /// <summary>Durations kept in memory at most; above it SQLite sorts them, on disk where it has to.</summary>
    private const int MaxInMemory = 8_000_000;

    /// <summary>Reads the latencies of the events that any of <paramref name="patterns"/> names; all without any.</summary>
    /// <exception cref="KprobeTraceException">No event is called so.</exception>
    public static IReadOnlyList<LatencyRow> Read(
        TraceHistory history, IReadOnlyList<string> patterns, long run = 0, CancellationToken cancellation = default) =>
        Read(history, patterns, run, MaxInMemory, cancellation);

    /// <summary>The same, with <paramref name="inMemory"/> durations in memory at most.</summary>
    internal static IReadOnlyList<LatencyRow> Read(
        TraceHistory history, IReadOnlyList<string> patterns, long run, long inMemory, CancellationToken cancellation = default)
    {
        SqliteDatabase database = history.Database;
        using CancellationTokenRegistration registration = cancellation.Register(database.Interrupt);
        EventSelection.RequireRun(database, run);
        Dictionary<(long Run, long Probe), (string Name, string Symbol)> probes = [];
        using (SqliteStatement statement = database.Prepare(
            "SELECT run, probe, name, symbol FROM kt_probe WHERE ?1 = 0 OR run = ?1"))
        {
            _ = statement.Bind(1, run);
            while (statement.Step())
            {
                string name = statement.Text(2);
                string symbol = statement.Text(3);
                if (patterns.Count == 0 || patterns.Any(p => Glob.Matches(p, name) || Glob.Matches(p, symbol)))
                {
                    probes.Add((statement.Int64(0), statement.Int64(1)), (name, symbol));
                }
            }
        }

        if (probes.Count == 0 && patterns.Count > 0)
        {
            throw ProbeNames.NoMatch(database, patterns);
        }

        List<LatencyRow> rows = [];
        Collect(
            database, probes, "entry-ret", rows,
            "SELECT run, probe, duration_ns FROM kt_call", "FROM kt_call", inMemory, cancellation);
        HashSet<(long, string)> measured = [.. rows.Select(static r => (r.Run, r.Name))];
        if (database.ScalarInt64($"SELECT EXISTS (SELECT 1 FROM kt_tally WHERE kind = {Post})") != 0)
        {
            Collect(
                database,
                probes.Where(p => !measured.Contains((p.Key.Run, p.Value.Name))).ToDictionary(),
                "pre-post",
                rows,
                $"""
                SELECT b.run, b.probe, b.time_ns - a.time_ns
                FROM kt_event b JOIN kt_event a ON a.run = b.run AND a.seq = b.seq - b.link
                WHERE b.kind & 3 = {Post} AND b.link > 0
                """,
                $"FROM kt_event WHERE kind & 3 = {Post}",
                inMemory,
                cancellation);
        }

        rows.Sort(static (a, b) => a.Run != b.Run
            ? a.Run.CompareTo(b.Run)
            : a.Between != b.Between
                ? string.CompareOrdinal(a.Between, b.Between)
                : b.Count != a.Count ? b.Count.CompareTo(a.Count) : string.CompareOrdinal(a.Name, b.Name));
        return rows;
    }

    private static void Collect(
        SqliteDatabase database,
        Dictionary<(long Run, long Probe), (string Name, string Symbol)> probes,
        string between,
        List<LatencyRow> rows,
        string sql,
        string source,
        long inMemory,
        CancellationToken cancellation)
    {
        if (probes.Count == 0)
        {
            return;
        }

        // Several probes may share an event name: they are one row.
        Dictionary<(long Run, string Name), DurationList> lists = [];
        Dictionary<(long Run, long Probe), DurationList> byProbe = [];
        foreach (((long run, long probe), (string name, string symbol)) in probes)
        {
            if (!lists.TryGetValue((run, name), out DurationList? list))
            {
                lists.Add((run, name), list = new DurationList(symbol));
            }

            byProbe.Add((run, probe), list);
        }

        bool large = database.ScalarInt64("SELECT count(*) " + source) > inMemory;
        if (large)
        {
            // Sorted by SQLite, durations of one probe arrive in order and only the ranks wanted are kept.
            Dictionary<(long, long), long> counts = [];
            using SqliteStatement count = database.Prepare(
                $"SELECT run, probe, count(*) FROM ({sql}) GROUP BY run, probe");
            while (count.Step())
            {
                counts[(count.Int64(0), count.Int64(1))] = count.Int64(2);
            }

            foreach (((long run, long probe), DurationList list) in byProbe)
            {
                list.Expect(counts.GetValueOrDefault((run, probe)));
            }

            sql = $"SELECT * FROM ({sql}) ORDER BY 3";
        }

        try
        {
            using SqliteStatement statement = database.Prepare(sql);
            (long, long) lastKey = (-1, -1);
            DurationList? last = null;
            while (statement.Step())
            {
                (long, long) key = (statement.Int64(0), statement.Int64(1));
                if (key != lastKey)
                {
                    lastKey = key;
                    _ = byProbe.TryGetValue(key, out last);
                }

                last?.Add(statement.Int64(2));
            }
        }
        catch (DatabaseException e) when (e.IsInterrupt)
        {
            cancellation.ThrowIfCancellationRequested();
            throw;
        }

        foreach (((long run, string name), DurationList list) in lists)
        {
            if (list.Count > 0)
            {
                rows.Add(list.ToRow(run, name, between));
            }
        }
    }
}
