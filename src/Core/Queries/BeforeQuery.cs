using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Queries;

/// <summary>What led to an event: sequence numbers, to be printed or looked up.</summary>
public sealed record BeforeQuery
{
    /// <summary>The run.</summary>
    public required long Run { get; init; }

    /// <summary>The event in question.</summary>
    public required long Seq { get; init; }

    /// <summary>The last events of the same task before it, in order.</summary>
    public required IReadOnlyList<long> SameTask { get; init; }

    /// <summary>The last hit of each probe before it, the latest first.</summary>
    public required IReadOnlyList<long> LastHits { get; init; }

    /// <summary>The calls of its task that were open at it: entry events, outermost first.</summary>
    public required IReadOnlyList<long> OpenCalls { get; init; }

    /// <summary>Asks about the event with a sequence number.</summary>
    /// <param name="history">The database.</param>
    /// <param name="run">The run, 0 for the first.</param>
    /// <param name="seq">Sequence number.</param>
    /// <param name="count">How many events of the same task.</param>
    /// <param name="probes">Names or patterns of the probes whose last hit is wanted; all without any.</param>
    /// <exception cref="KprobeTraceException">There is no such event.</exception>
    public static BeforeQuery OfEvent(
        TraceHistory history, long run, long seq, int count = 10, IReadOnlyList<string>? probes = null)
    {
        SqliteDatabase database = history.Database;
        run = EventSelection.Runs(database, run)[0];
        using SqliteStatement found = database.Prepare(
            "SELECT pid, comm FROM kt_event WHERE run = ?1 AND seq = ?2");
        if (!found.Bind(1, run).Bind(2, seq).Step())
        {
            throw new KprobeTraceException($"run {run} has no event {seq}");
        }

        bool hasTask = !found.IsNull(0);
        long pid = found.Int64(0);

        // Task 0 is the idle task of every CPU, so the CPU tells them apart.
        List<long> task = !hasTask ? [] : Column(
            database,
            """
            SELECT e.seq FROM kt_event e
            WHERE e.run = ?1 AND e.seq < ?2 AND e.pid = ?3 ORDER BY e.seq DESC LIMIT ?4
            """,
            run, seq, pid, count);
        task.Reverse();
        return new BeforeQuery
        {
            Run = run,
            Seq = seq,
            SameTask = task,
            LastHits = Last(database, run, seq, probes ?? []),
            OpenCalls = hasTask ? Open(database, run, seq, pid) : [],
        };
    }

    /// <summary>The sequence number of the n-th fault of a probed instruction of a run, counted from 1.</summary>
    /// <exception cref="KprobeTraceException">There are fewer faults.</exception>
    public static long SeqOfFault(TraceHistory history, long run, long number)
    {
        SqliteDatabase database = history.Database;
        run = EventSelection.Runs(database, run)[0];
        List<long> seq = number < 1 ? [] : Column(
            database, "SELECT seq FROM kt_fault WHERE run = ?1 ORDER BY seq LIMIT 1 OFFSET ?2", run, number - 1);
        if (seq.Count == 1)
        {
            return seq[0];
        }

        long all = database.ScalarInt64($"SELECT count(*) FROM kt_fault WHERE run = {run}");
        throw new KprobeTraceException(
            $"run {run} has {all} fault{(all == 1 ? "" : "s")} of probed instructions; " +
            $"there is no fault {number}. The guest's other faults are the hits of probes on its fault handlers");
    }

    private static List<long> Last(SqliteDatabase database, long run, long seq, IReadOnlyList<string> patterns)
    {
        List<long> ids = [];
        using (SqliteStatement probes = database.Prepare("SELECT probe, name, symbol FROM kt_probe WHERE run = ?1"))
        {
            _ = probes.Bind(1, run);
            while (probes.Step())
            {
                string name = probes.Text(1);
                string symbol = probes.Text(2);
                if (patterns.Count == 0 || patterns.Any(p => Glob.Matches(p, name) || Glob.Matches(p, symbol)))
                {
                    ids.Add(probes.Int64(0));
                }
            }
        }

        if (ids.Count == 0 && patterns.Count > 0)
        {
            throw ProbeNames.NoMatch(database, patterns);
        }

        List<long> hits = [];
        using SqliteStatement last = database.Prepare($"""
            SELECT e.seq FROM kt_event e WHERE e.run = ?1 AND e.probe = ?2 AND e.seq < ?3 AND {HitCounts.IsHit("(e.kind & 3)", "e")}
            ORDER BY e.seq DESC LIMIT 1
            """);
        foreach (long id in ids)
        {
            if (last.Bind(1, run).Bind(2, id).Bind(3, seq).Step())
            {
                hits.Add(last.Int64(0));
            }

            last.Reset();
        }

        hits.Sort(static (a, b) => b.CompareTo(a));
        return hits;
    }

    private static List<long> Open(SqliteDatabase database, long run, long seq, long pid) => Column(
        database,
        """
        SELECT DISTINCT k.return_seq - k.entry FROM kt_call k
        WHERE k.run = ?1 AND k.return_seq > ?2 AND k.return_seq < ?2 + 200000 AND k.pid = ?3
          AND k.return_seq - k.entry < ?2 ORDER BY 1
        """,
        run, seq, pid);

    private static List<long> Column(SqliteDatabase database, string sql, params ReadOnlySpan<long> values)
    {
        List<long> rows = [];
        using SqliteStatement statement = database.Prepare(sql);
        for (int i = 0; i < values.Length; i++)
        {
            _ = statement.Bind(i + 1, values[i]);
        }

        while (statement.Step())
        {
            rows.Add(statement.Int64(0));
        }

        return rows;
    }
}
