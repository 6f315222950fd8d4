using System.Globalization;
using System.Text;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>Turns an <see cref="EventFilter"/> into a statement over the base tables.</summary>
internal static class EventSelection
{
    /// <summary>Above this share of a run's events a scan is faster than an index.</summary>
    private const double ScanShare = 0.05;

    /// <summary>Compiles <c>SELECT columns FROM kt_event e …</c> for one run, in the order of the sequence.</summary>
    /// <exception cref="KprobeTraceException">The filter names what is not there, or its SQL is wrong.</exception>
    internal static SqliteStatement Prepare(SqliteDatabase database, EventFilter filter, long run, string columns)
    {
        StringBuilder sql = new();
        _ = sql.Append(CultureInfo.InvariantCulture, $"SELECT {columns} FROM kt_event e WHERE e.run = {run}");
        AddProbes(database, filter, run, sql);
        AddComms(database, filter, sql);
        AddNumbers(sql, "e.pid", filter.Pids);
        AddNumbers(sql, "e.cpu", filter.Cpus);
        AddNumbers(sql, "(e.kind & 3)", [.. filter.Kinds.Select(KindNumber)]);
        AddTimes(database, filter, run, sql);
        _ = filter.HitsOnly ? sql.Append(" AND ").Append(HitCounts.IsHit("(e.kind & 3)", "e")) : sql;
        int prefix = sql.Length;
        if (filter.Where is not null)
        {
            CheckWhere(database, filter);
            _ = sql.Append(" AND EXISTS (SELECT 1 FROM ")
                .Append(WhereSource(database, filter))
                .Append(" v WHERE v.run = e.run AND v.seq = e.seq AND (");
            prefix = sql.Length;
            _ = sql.Append(filter.Where).Append("\n))");
        }

        _ = sql.Append(" ORDER BY e.seq");
        if (filter.Limit > 0)
        {
            _ = sql.Append(CultureInfo.InvariantCulture, $" LIMIT {filter.Limit}");
        }

        try
        {
            return database.Prepare(sql.ToString());
        }
        catch (DatabaseException e) when (filter.Where is not null && e.Offset >= prefix)
        {
            throw WhereError(database, e, sql.ToString(), filter.Where, e.Offset - Encoding.UTF8.GetByteCount(sql.ToString(0, prefix)));
        }
    }

    /// <summary>Refuses a run that is not there, where the query itself would find nothing in silence.</summary>
    internal static void RequireRun(SqliteDatabase database, long run) => _ = Runs(database, run);

    /// <summary>The runs that a question is about: one, or all for 0.</summary>
    /// <exception cref="KprobeTraceException">There is no such run.</exception>
    internal static IReadOnlyList<long> Runs(SqliteDatabase database, long run)
    {
        List<long> runs = [];
        using SqliteStatement statement = database.Prepare(
            "SELECT run FROM kt_run WHERE ?1 = 0 OR run = ?1 ORDER BY run");
        _ = statement.Bind(1, run);
        while (statement.Step())
        {
            runs.Add(statement.Int64(0));
        }

        return runs.Count > 0
            ? runs
            : throw new KprobeTraceException($"{database.Path}: there is no run {run} in it; the view runs lists them");
    }

    /// <summary>The number of a kind's name.</summary>
    /// <exception cref="KprobeTraceException">There is no such kind.</exception>
    internal static int KindNumber(string kind) => TraceEventKinds.Find(kind) is { } found
        ? (int)found
        : throw new KprobeTraceException($"'{kind}' is no kind of event; there are {TraceEventKinds.List}");

    private static void AddProbes(SqliteDatabase database, EventFilter filter, long run, StringBuilder sql)
    {
        if (filter.Probes.Count == 0 && filter.Symbols.Count == 0)
        {
            return;
        }

        List<long> ids = [];
        using (SqliteStatement statement = database.Prepare(
            "SELECT probe, name, symbol, grp FROM kt_probe WHERE run = ?1"))
        {
            _ = statement.Bind(1, run);
            while (statement.Step())
            {
                string name = statement.Text(1);
                string symbol = statement.Text(2);
                string qualified = statement.Text(3) + "/" + name;
                if ((filter.Probes.Count == 0 || filter.Probes.Any(p => Glob.Matches(p, name) || Glob.Matches(p, qualified)))
                    && (filter.Symbols.Count == 0 || filter.Symbols.Any(s => Glob.Matches(s, symbol))))
                {
                    ids.Add(statement.Int64(0));
                }
            }
        }

        if (ids.Count == 0 && Runs(database, 0).Count == 1)
        {
            throw ProbeNames.NoMatch(database, filter.Probes.Concat(filter.Symbols));
        }

        long total = database.ScalarInt64(string.Create(
            CultureInfo.InvariantCulture, $"SELECT events FROM kt_run WHERE run = {run}"));
        string list = string.Join(',', ids);
        long matching = ids.Count == 0 ? 0 : database.ScalarInt64(string.Create(
            CultureInfo.InvariantCulture, $"SELECT sum(events) FROM kt_tally WHERE run = {run} AND probe IN ({list})"));

        _ = sql.Append(" AND ").Append(IsScan(ids.Count, matching, total) ? "+" : "").Append("e.probe IN (").Append(list).Append(')');
    }

    /// <summary>Whether the events of so many probes, so many of all, are found sooner by reading all. A plus keeps SQLite from using an index.</summary>
    internal static bool IsScan(int probes, long matching, long total) => probes > 1 || matching > total * ScanShare;

    private static void AddComms(SqliteDatabase database, EventFilter filter, StringBuilder sql)
    {
        if (filter.Comms.Count == 0)
        {
            return;
        }

        List<long> ids = [];
        using SqliteStatement statement = database.Prepare("SELECT comm, name FROM kt_comm");
        while (statement.Step())
        {
            string name = statement.Text(1);
            if (filter.Comms.Any(c => Glob.Matches(c, name)))
            {
                ids.Add(statement.Int64(0));
            }
        }

        _ = sql.Append(" AND e.comm IN (").AppendJoin(',', ids).Append(')');
    }

    private static void AddNumbers(StringBuilder sql, string column, IReadOnlyList<int> numbers)
    {
        if (numbers.Count > 0)
        {
            _ = sql.Append(" AND ").Append(column).Append(" IN (").AppendJoin(',', numbers).Append(')');
        }
    }

    private static void AddTimes(SqliteDatabase database, EventFilter filter, long run, StringBuilder sql)
    {
        if (filter.FromNs is null && filter.ToNs is null)
        {
            return;
        }

        string number = run.ToString(CultureInfo.InvariantCulture);
        bool rises = database.ScalarInt64("SELECT time_rises FROM kt_run WHERE run = " + number) != 0;
        if (filter.FromNs is { } from)
        {
            _ = sql.Append(CultureInfo.InvariantCulture, $" AND +e.time_ns >= {from}");
            if (rises)
            {
                long first = database.ScalarInt64(string.Create(CultureInfo.InvariantCulture, $"""
                    SELECT seq FROM kt_event WHERE run = {run} AND time_ns >= {from}
                    ORDER BY time_ns, seq LIMIT 1
                    """), long.MaxValue);
                _ = sql.Append(CultureInfo.InvariantCulture, $" AND e.seq >= {first}");
            }
        }

        if (filter.ToNs is { } to)
        {
            _ = sql.Append(CultureInfo.InvariantCulture, $" AND +e.time_ns <= {to}");
            if (rises)
            {
                long last = database.ScalarInt64(string.Create(CultureInfo.InvariantCulture, $"""
                    SELECT seq FROM kt_event WHERE run = {run} AND time_ns <= {to}
                    ORDER BY time_ns DESC, seq DESC LIMIT 1
                    """), -1);
                _ = sql.Append(CultureInfo.InvariantCulture, $" AND e.seq <= {last}");
            }
        }
    }

    /// <summary>The view a condition is about: that of the one event named, so that its arguments are columns, in every run.</summary>
    private static string WhereSource(SqliteDatabase database, EventFilter filter)
    {
        if (filter.Probes.Count == 1)
        {
            using SqliteStatement statement = database.Prepare(
                "SELECT view FROM kt_probe WHERE name = ?1 OR grp || '/' || name = ?1 ORDER BY name <> ?1 LIMIT 1");
            _ = statement.Bind(1, filter.Probes[0]);
            if (statement.Step())
            {
                return SqlText.Identifier(statement.Text(0));
            }
        }

        return "events";
    }

    /// <summary>Compiles the condition alone first: what a user wrote must be one expression, not more.</summary>
    private static void CheckWhere(SqliteDatabase database, EventFilter filter)
    {
        string before = $"SELECT 1 FROM {WhereSource(database, filter)} v WHERE ";
        ReadOnlyAuthorizer.Install(database);
        try
        {
            using SqliteStatement statement = database.Prepare(before + filter.Where, out string rest);
            if (!string.IsNullOrWhiteSpace(rest) || filter.Where!.Contains(';', StringComparison.Ordinal))
            {
                throw new KprobeTraceException("--where takes one expression, without a semicolon");
            }
        }
        catch (DatabaseException e)
        {
            throw WhereError(database, e, before + filter.Where, filter.Where!, e.Offset - Encoding.UTF8.GetByteCount(before));
        }
        finally
        {
            ReadOnlyAuthorizer.Remove(database);
        }
    }

    private static KprobeTraceException WhereError(SqliteDatabase database, DatabaseException e, string sql, string where, int offset) =>
        offset < 0
            ? new KprobeTraceException("--where: " + SqlErrors.Explain(database, e, sql), e)
            : new KprobeTraceException(
                $"--where, column {Encoding.UTF8.GetString(
                    Encoding.UTF8.GetBytes(where).AsSpan(0, Math.Min(offset, Encoding.UTF8.GetByteCount(where)))).Length + 1}: " +
                SqlErrors.Explain(database, e, sql),
                e);

    /// <summary>An event of a probe that the history does not have.</summary>
    internal static KprobeTraceException UnknownProbe(long seq, long probe) =>
        new($"event {seq} is of probe {probe}, which the history does not have: it was changed by another program; import its trace again");
}
