using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;
using SQLitePCL;

namespace KprobeTrace.Queries;

/// <summary>Counts rows of a view by an expression.</summary>
/// <remarks>
/// Of <c>events</c> and the views of single events hits are counted (see <see cref="HitCounts"/>), unless kinds are chosen
/// or one of the expressions speaks of <c>kind</c>.
/// </remarks>
public sealed record HistogramQuery
{
    /// <summary>SQL expression to count by.</summary>
    public required string Key { get; init; }

    /// <summary>SQL expression to add up for each key, or null.</summary>
    public string? Value { get; init; }

    /// <summary>Count by powers of two.</summary>
    public bool Log2 { get; init; }

    /// <summary>The view; null for <c>events</c>, or <c>calls</c> where the expressions need its columns.</summary>
    public string? View { get; init; }

    /// <summary>SQL condition, or null.</summary>
    public string? Where { get; init; }

    /// <summary>Kinds of events to count; hits without any.</summary>
    public IReadOnlyList<string> Kinds { get; init; } = [];

    /// <summary>The run, 0 for all.</summary>
    public long Run { get; init; }

    /// <summary>How many buckets to return, 0 for all.</summary>
    public int Limit { get; init; }

    /// <summary>Buckets that are held at most; more are refused unless <see cref="Limit"/> cuts them off.</summary>
    internal int MostBuckets { get; init; } = 1 << 20;

    /// <summary>Runs the query; buckets of powers of two come in order, others the most frequent first.</summary>
    /// <param name="history">What to ask.</param>
    /// <param name="all">How many buckets there are, those beyond <see cref="Limit"/> included.</param>
    /// <param name="cancellation">Ends the query.</param>
    /// <exception cref="KprobeTraceException">An expression is wrong, or there are too many buckets to hold.</exception>
    public IReadOnlyList<HistogramBucket> Read(TraceHistory history, out long all, CancellationToken cancellation = default)
    {
        SqliteDatabase database = history.Database;
        EventSelection.RequireRun(database, Run);
        SqlFunctions.Register(history);
        ReadOnlyAuthorizer.Install(database);
        using CancellationTokenRegistration registration = cancellation.Register(database.Interrupt);
        try
        {
            using SqliteStatement statement = Prepare(database);
            List<HistogramBucket> buckets = Log2 ? ReadPowers(statement, out all) : ReadGroups(statement, out all);
            if (Limit > 0 && buckets.Count > Limit)
            {
                buckets.RemoveRange(Limit, buckets.Count - Limit);
            }

            return buckets;
        }
        catch (DatabaseException e) when (e.IsInterrupt)
        {
            cancellation.ThrowIfCancellationRequested();
            throw;
        }
        finally
        {
            ReadOnlyAuthorizer.Remove(database);
        }
    }

    private SqliteStatement Prepare(SqliteDatabase database)
    {
        string sql = Sql(View ?? "events", KindCondition(database));
        try
        {
            return Single(database, sql);
        }
        catch (DatabaseException e) when (View is null && e.Message.StartsWith("no such column", StringComparison.Ordinal))
        {
            try
            {
                return Single(database, Sql("calls", ""));
            }
            catch (DatabaseException)
            {
                string question = SqlErrors.Ask(database, e, "events calls");
                throw new KprobeTraceException(
                    $"{e.Message} in the views events and calls{(question.Length > 0 ? question : "; name another view with --of")}", e);
            }
        }
        catch (DatabaseException e) when (e.Message == $"no such table: {View}")
        {
            throw new KprobeTraceException($"--of: there is no view {View}{SqlErrors.Ask(database, e, sql)}", e);
        }
        catch (DatabaseException e)
        {
            throw new KprobeTraceException("--key, --value or --where is no SQL expression: " + SqlErrors.Explain(database, e, sql), e);
        }
    }

    private static SqliteStatement Single(SqliteDatabase database, string sql)
    {
        SqliteStatement statement = database.Prepare(sql, out string rest);
        if (string.IsNullOrWhiteSpace(rest))
        {
            return statement;
        }

        statement.Dispose();
        throw new KprobeTraceException("SQL: --key, --value and --where take one expression each, without a semicolon");
    }

    /// <summary>The SQL that leaves hits, or the kinds that were chosen.</summary>
    private string KindCondition(SqliteDatabase database)
    {
        bool isChosen = Kinds.Count > 0;
        string view = View ?? "events";
        bool hasKinds = view.Equals("events", StringComparison.OrdinalIgnoreCase) || IsEventView(database, view);
        if (!hasKinds)
        {
            return isChosen
                ? throw new KprobeTraceException($"--kind chooses events; the view {view} has no kinds of them")
                : "";
        }

        if (!isChosen)
        {
            return SpeaksOfKind(Key) || SpeaksOfKind(Value) || SpeaksOfKind(Where) ? "" : " AND " + HitCounts.IsHitOfView;
        }

        return $" AND kind IN ({string.Join(", ", Kinds.Select(static k => SqlText.Literal(TraceEventKinds.Names[EventSelection.KindNumber(k)])))})";
    }

    private static bool SpeaksOfKind(string? expression) =>
        expression is not null && Regex.IsMatch(expression, @"\bkind\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

    private static bool IsEventView(SqliteDatabase database, string view)
    {
        using SqliteStatement statement = database.Prepare("SELECT 1 FROM kt_probe WHERE view = ?1 COLLATE NOCASE LIMIT 1");
        return statement.Bind(1, view).Step();
    }

    private string Sql(string view, string kinds)
    {
        StringBuilder sql = new("SELECT (");
        _ = sql.Append(Key).Append("\n) AS k");
        if (Log2)
        {
            _ = sql.Append(Value is null ? ", NULL" : $", ({Value}\n)");
        }
        else
        {
            _ = sql.Append(", count(*)");
            _ = sql.Append(Value is null
                ? ", 0, NULL, NULL, NULL"
                : $", count(({Value}\n)), total(({Value}\n)), min(({Value}\n)), max(({Value}\n))");
        }

        _ = sql.Append(" FROM ").Append(SqlText.Identifier(view)).Append(" WHERE 1").Append(kinds);
        if (Run != 0)
        {
            _ = sql.Append(CultureInfo.InvariantCulture, $" AND run = {Run}");
        }

        if (Where is not null)
        {
            _ = sql.Append(" AND (").Append(Where).Append("\n)");
        }

        return (Log2 ? sql : sql.Append(" GROUP BY k ORDER BY 2 DESC, 1")).ToString();
    }

    private List<HistogramBucket> ReadGroups(SqliteStatement statement, out long all)
    {
        List<HistogramBucket> buckets = [];
        for (all = 0; statement.Step(); all++)
        {
            if (Limit > 0 && all >= Limit)
            {
                continue;
            }

            if (all == MostBuckets)
            {
                throw new KprobeTraceException(
                    $"there are more than {MostBuckets:N0} different keys; print the most frequent with --limit, or ask with query");
            }

            bool hasValue = !statement.IsNull(4);
            buckets.Add(new HistogramBucket(
                statement.TextOrNull(0) ?? "(null)",
                statement.Int64(1),
                statement.Int64(2),
                hasValue ? statement.Double(3) : null,
                hasValue ? statement.Double(4) : null,
                hasValue ? statement.Double(5) : null));
        }

        return buckets;
    }

    /// <summary>Adds up here what SQLite would have to sort first: there are at most 128 buckets.</summary>
    private static List<HistogramBucket> ReadPowers(SqliteStatement statement, out long all)
    {
        SortedDictionary<long, Totals> buckets = [];
        Totals? last = null;
        long lastKey = 0;
        Totals none = new();
        while (statement.Step())
        {
            int type = statement.Type(0);
            Totals totals;
            if (type is raw.SQLITE_INTEGER or raw.SQLITE_FLOAT)
            {
                long key = SqlFunctions.PowerOfTwo(statement.Int64(0));
                if (last is null || key != lastKey)
                {
                    if (!buckets.TryGetValue(key, out last))
                    {
                        buckets.Add(key, last = new Totals());
                    }

                    lastKey = key;
                }

                totals = last;
            }
            else
            {
                totals = none;
            }

            totals.Count++;
            if (!statement.IsNull(1))
            {
                totals.AddValue(statement.Double(1));
            }
        }

        List<HistogramBucket> result = [];
        if (none.Count > 0)
        {
            result.Add(none.ToBucket("(no number)"));
        }

        foreach ((long key, Totals totals) in buckets)
        {
            string text = key switch
            {
                0 => "0",
                < 0 => string.Create(CultureInfo.InvariantCulture, $"({(key == long.MinValue ? "-2^64" : key * 2)}, {key}]"),
                1 => "1",
                _ => string.Create(CultureInfo.InvariantCulture, $"[{key}, {(key == 1L << 62 ? "2^63" : key * 2)})"),
            };
            result.Add(totals.ToBucket(text));
        }

        all = result.Count;
        return result;
    }

    private sealed class Totals
    {
        private double _sum;
        private double _min = double.PositiveInfinity;
        private double _max = double.NegativeInfinity;
        private long _values;

        internal long Count { get; set; }

        internal void AddValue(double value)
        {
            _values++;
            _sum += value;
            _min = Math.Min(_min, value);
            _max = Math.Max(_max, value);
        }

        internal HistogramBucket ToBucket(string key) =>
            new(key, Count, _values, _values > 0 ? _sum : null, _values > 0 ? _min : null, _values > 0 ? _max : null);
    }
}
