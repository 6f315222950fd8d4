using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>What two runs differ in.</summary>
/// <remarks>
/// Events are aligned by what was probed (type, symbol, offset, kind) and by their order among the events of tasks of
/// the same name; addresses do not matter, so that runs of two kernels can be compared. Events with the same caller
/// find each other first, what is left between them is aligned without. Only probes that both runs have are aligned;
/// the others are listed.
/// </remarks>
public sealed class TraceDiff
{
    private readonly DiffSide _a;
    private readonly DiffSide _b;
    private int[] _match = [];

    private TraceDiff(DiffSide a, DiffSide b)
    {
        _a = a;
        _b = b;
    }

    /// <summary>The numbers of the two runs in their databases.</summary>
    public (long A, long B) Runs => (_a.Run, _b.Run);

    /// <summary>True where both runs are of the same image.</summary>
    public bool SameImage { get; private set; }

    /// <summary>Image and kernel of the two runs.</summary>
    public (string A, string B) Images => (Describe(_a), Describe(_b));

    /// <summary>Events of the two runs.</summary>
    public (long A, long B) Events => (_a.Total, _b.Total);

    /// <summary>Events of probes that both runs have.</summary>
    public (long A, long B) CommonEvents => (_a.Seqs.Length, _b.Seqs.Length);

    /// <summary>Pairs of events that correspond.</summary>
    public long Aligned { get; private set; }

    /// <summary>Share of the common probes' events that have a partner, 0 to 1.</summary>
    public double AlignedShare =>
        CommonEvents.A + CommonEvents.B == 0 ? 1 : 2.0 * Aligned / (CommonEvents.A + CommonEvents.B);

    /// <summary>True where a run was too long and only its beginning was aligned.</summary>
    public bool Cut => _a.Cut || _b.Cut;

    /// <summary>Probes that only one run has or hit, or that were hit more or less often.</summary>
    public IReadOnlyList<DiffCount> Probes { get; private set; } = [];

    /// <summary>Callers of probed functions gained, lost or changed in count.</summary>
    public IReadOnlyList<DiffCount> Callers { get; private set; } = [];

    /// <summary>Where the runs part, in order: the first is the first divergence.</summary>
    public IReadOnlyList<DiffDivergence> Divergences { get; private set; } = [];

    /// <summary>How many divergences there are, listed or not.</summary>
    public long DivergenceCount { get; private set; }

    /// <summary>Changes of latencies by event.</summary>
    public IReadOnlyList<DiffLatency> Latencies { get; private set; } = [];

    /// <summary>The first aligned pair whose virtual times differ (runs of one image only), or null.</summary>
    public (long SeqA, long SeqB, long TimeA, long TimeB)? FirstTimeDifference { get; private set; }

    /// <summary>The first aligned pair whose registers differ (runs of one image only), or null.</summary>
    public (long SeqA, long SeqB, IReadOnlyList<DiffRegister> Registers)? FirstRegisterDifference { get; private set; }

    /// <summary>True where anything differs.</summary>
    public bool Differs =>
        DivergenceCount > 0 || Probes.Count > 0 || Callers.Count > 0 || Latencies.Count > 0
        || FirstTimeDifference is not null || FirstRegisterDifference is not null;

    /// <summary>Compares two runs.</summary>
    /// <param name="a">The database of the first.</param>
    /// <param name="runA">The first run, 0 for the first of its database.</param>
    /// <param name="b">The database of the second.</param>
    /// <param name="runB">The second run, 0 for the first of its database.</param>
    /// <param name="limit">How many divergences to list.</param>
    /// <param name="latencyShift">Relative change of a mean latency from which it is listed.</param>
    /// <exception cref="KprobeTraceException">There is no such run.</exception>
    public static TraceDiff Compare(
        TraceHistory a, long runA, TraceHistory b, long runB, int limit = 10, double latencyShift = 0.05)
    {
        TraceDiff diff = new(new DiffSide(a, runA), new DiffSide(b, runB));
        diff.SameImage = diff._a.ImageSha256 == diff._b.ImageSha256 && diff._a.ImageSha256.Length > 0;
        HashSet<string> common = [.. diff._a.Keys.Intersect(diff._b.Keys)];
        DiffNames names = new();
        diff._a.Read(names, common, diff.SameImage);
        diff._b.Read(names, common, diff.SameImage);
        diff.Align(names);
        diff.FindDivergences(limit);
        diff.CompareCounts();
        diff.CompareLatencies(latencyShift);
        if (diff.SameImage)
        {
            diff.CompareTimes();
            diff.CompareRegisters();
        }

        return diff;
    }

    /// <summary>Sequence numbers of events around a divergence, on one side.</summary>
    /// <param name="first">True for the first run.</param>
    /// <param name="index">Index among its aligned events.</param>
    /// <param name="count">How many events before and behind.</param>
    public IReadOnlyList<long> Context(bool first, int index, int count)
    {
        uint[] seqs = first ? _a.Seqs : _b.Seqs;
        int from = Math.Max(0, index - count);
        int to = Math.Min(seqs.Length, index + count + 1);
        List<long> list = [];
        for (int i = from; i < to; i++)
        {
            list.Add(seqs[i]);
        }

        return list;
    }

    private static string Describe(DiffSide side) => side.Kernel.Length > 0 ? $"{side.Image}, {side.Kernel}" : side.Image;

    private void Align(DiffNames names)
    {
        int groups = names.GroupCount;
        _match = new int[_a.Seqs.Length];
        Array.Fill(_match, -1);
        int[] startsA = Starts(_a.Groups, groups, out int[] placesA);
        int[] startsB = Starts(_b.Groups, groups, out int[] placesB);
        long steps = SequenceAlignment.MaxSteps;
        for (int group = 0; group < groups; group++)
        {
            ReadOnlySpan<int> inA = placesA.AsSpan(startsA[group]..startsA[group + 1]);
            ReadOnlySpan<int> inB = placesB.AsSpan(startsB[group]..startsB[group + 1]);
            int[] a = Pick(_a.Calls, inA);
            int[] b = Pick(_b.Calls, inB);
            int[] match = SequenceAlignment.Align(a, b, ref steps);
            names.ForgetCallers(a);
            names.ForgetCallers(b);
            AlignGaps(match, a, b, ref steps);
            for (int i = 0; i < match.Length; i++)
            {
                if (match[i] >= 0)
                {
                    _match[inA[i]] = inB[match[i]];
                    Aligned++;
                }
            }
        }

        _a.ForgetOrder();
        _b.ForgetOrder();
    }

    /// <summary>Aligns what has no partner yet between those that have, whoever the callers are.</summary>
    private static void AlignGaps(int[] match, int[] a, int[] b, ref long steps)
    {
        int startA = 0;
        int startB = 0;
        for (int i = 0; i <= match.Length; i++)
        {
            if (i < match.Length && match[i] < 0)
            {
                continue;
            }

            int endB = i < match.Length ? match[i] : b.Length;
            if (i > startA && endB > startB)
            {
                int[] inside = SequenceAlignment.Align(a[startA..i], b[startB..endB], ref steps);
                for (int k = 0; k < inside.Length; k++)
                {
                    match[startA + k] = inside[k] >= 0 ? startB + inside[k] : -1;
                }
            }

            startA = i + 1;
            startB = endB + 1;
        }
    }

    private static int[] Pick(int[] values, ReadOnlySpan<int> places)
    {
        int[] picked = new int[places.Length];
        for (int i = 0; i < picked.Length; i++)
        {
            picked[i] = values[places[i]];
        }

        return picked;
    }

    /// <summary>Sorts the events by group, in order within each; returns where each group begins.</summary>
    private static int[] Starts(ushort[] groupOf, int groups, out int[] places)
    {
        int[] starts = new int[groups + 2];
        foreach (ushort group in groupOf)
        {
            starts[group + 2]++;
        }

        for (int i = 2; i < starts.Length; i++)
        {
            starts[i] += starts[i - 1];
        }

        places = new int[groupOf.Length];
        for (int i = 0; i < groupOf.Length; i++)
        {
            places[starts[groupOf[i] + 1]++] = i;
        }

        return starts;
    }

    /// <summary>
    /// Walks both runs at once. A divergence is a stretch of events without a partner on either side, or a pair whose
    /// arguments differ.
    /// </summary>
    private void FindDivergences(int limit)
    {
        List<DiffDivergence> list = [];
        bool[] matchedB = new bool[_b.Seqs.Length];
        foreach (int partner in _match)
        {
            if (partner >= 0)
            {
                matchedB[partner] = true;
            }
        }

        int a = 0;
        int b = 0;
        while (a < _match.Length || b < matchedB.Length)
        {
            bool loneA = a < _match.Length && _match[a] < 0;
            bool loneB = b < matchedB.Length && !matchedB[b];
            if (loneA || loneB)
            {
                int startA = a;
                int startB = b;
                while (a < _match.Length && _match[a] < 0)
                {
                    a++;
                }

                while (b < matchedB.Length && !matchedB[b])
                {
                    b++;
                }

                Add("events", startA, a - startA, startB, b - startB);
                continue;
            }

            if (a < _match.Length)
            {
                if (_a.Contents[a] != _b.Contents[_match[a]])
                {
                    Add(SameArguments(_a.Seqs[a], _b.Seqs[_match[a]]) ? "caller" : "arguments", a, 1, _match[a], 1);
                }

                // Tasks may take turns differently: the partner need not be the next one on its side.
                a++;
            }

            if (b < matchedB.Length && matchedB[b])
            {
                b++;
            }
        }

        Divergences = list;

        void Add(string what, int atA, int countA, int atB, int countB)
        {
            if (DivergenceCount++ >= limit)
            {
                return;
            }

            list.Add(new DiffDivergence(
                what,
                atA,
                countA,
                atB,
                countB,
                atA < _a.Seqs.Length ? _a.Seqs[atA] : null,
                atB < _b.Seqs.Length ? _b.Seqs[atB] : null,
                atA < _a.Seqs.Length && atB < _b.Seqs.Length
                    ? Registers(_a.Seqs[atA], _b.Seqs[atB])
                    : []));
        }
    }

    private bool SameArguments(long seqA, long seqB)
    {
        return Read(_a, seqA).AsSpan().SequenceEqual(Read(_b, seqB));

        static byte[] Read(DiffSide side, long seq)
        {
            using SqliteStatement statement = side.History.Database.Prepare(
                "SELECT args FROM kt_event WHERE run = ?1 AND seq = ?2");
            return statement.Bind(1, side.Run).Bind(2, seq).Step() ? statement.Utf8(0).ToArray() : [];
        }
    }

    /// <summary>The registers in which two events differ.</summary>
    private List<DiffRegister> Registers(long seqA, long seqB)
    {
        ulong[]? a = Read(_a, seqA);
        ulong[]? b = Read(_b, seqB);
        List<DiffRegister> list = [];
        if (a is not null && b is not null)
        {
            for (int i = 0; i < a.Length; i++)
            {
                if (a[i] != b[i])
                {
                    list.Add(new DiffRegister(TraceRegisters.Names[i], a[i], b[i]));
                }
            }
        }

        return list;

        static ulong[]? Read(DiffSide side, long seq)
        {
            using SqliteStatement statement = side.History.Database.Prepare(
                $"SELECT {string.Join(", ", TraceRegisters.Names.ToArray())} FROM regs WHERE run = ?1 AND seq = ?2");
            if (!statement.Bind(1, side.Run).Bind(2, seq).Step())
            {
                return null;
            }

            ulong[] values = new ulong[TraceRegisters.Count];
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = statement.UInt64(i);
            }

            return values;
        }
    }

    private void CompareCounts()
    {
        Probes = Changes(
            [.. _a.Keys.Union(_b.Keys).Order(StringComparer.Ordinal)],
            static key => (key, ""),
            key => _a.Keys.Contains(key) ? _a.Counts.GetValueOrDefault(key) : null,
            key => _b.Keys.Contains(key) ? _b.Counts.GetValueOrDefault(key) : null);
        HashSet<string> common = [.. _a.Keys.Intersect(_b.Keys)];
        Callers = Changes(
            [.. _a.Callers.Keys.Union(_b.Callers.Keys).Where(k => common.Contains(k.Key)).Order()],
            static key => key,
            key => _a.Callers.TryGetValue(key, out long n) ? n : null,
            key => _b.Callers.TryGetValue(key, out long n) ? n : null);
    }

    private static List<DiffCount> Changes<T>(
        List<T> keys, Func<T, (string Probe, string Caller)> name, Func<T, long?> inA, Func<T, long?> inB)
    {
        List<DiffCount> list = [];
        foreach (T key in keys)
        {
            long? a = inA(key);
            long? b = inB(key);
            if (a != b)
            {
                (string probe, string caller) = name(key);
                list.Add(new DiffCount(probe, caller, a, b));
            }
        }

        list.Sort(static (x, y) => Math.Abs((y.B ?? 0) - (y.A ?? 0)).CompareTo(Math.Abs((x.B ?? 0) - (x.A ?? 0))));
        return list;
    }

    private void CompareLatencies(double shift)
    {
        Dictionary<string, LatencyRow> inA = Rows(_a);
        Dictionary<string, LatencyRow> inB = Rows(_b);
        List<DiffLatency> list = [];
        foreach ((string key, LatencyRow a) in inA.OrderBy(static p => p.Key, StringComparer.Ordinal))
        {
            if (inB.TryGetValue(key, out LatencyRow? b)
                && Math.Abs(b.MeanNs - a.MeanNs) > shift * Math.Max(1, Math.Min(a.MeanNs, b.MeanNs)))
            {
                list.Add(new DiffLatency(a, b));
            }
        }

        Latencies = list;

        static Dictionary<string, LatencyRow> Rows(DiffSide side)
        {
            Dictionary<string, LatencyRow> rows = [];
            foreach (LatencyRow row in LatencyQuery.Read(side.History, [], side.Run))
            {
                _ = rows.TryAdd(row.Between + " " + (row.Symbol.Length > 0 ? row.Symbol : row.Name), row);
            }

            return rows;
        }
    }

    private void CompareTimes()
    {
        const string sql = "SELECT seq, time_ns FROM kt_event WHERE run = ?1 ORDER BY seq";
        FirstDifference(sql, 1, (a, b) => FirstTimeDifference = (a.Int64(0), b.Int64(0), a.Int64(1), b.Int64(1)));
    }

    private void CompareRegisters()
    {
        string sql = $"SELECT seq, {string.Join(", ", TraceRegisters.Names.ToArray())} FROM regs WHERE run = ?1 ORDER BY seq";
        FirstDifference(sql, TraceRegisters.Count, (a, b) =>
            FirstRegisterDifference = (a.Int64(0), b.Int64(0), Registers(a.Int64(0), b.Int64(0))));
    }

    /// <summary>
    /// Reads rows of both runs side by side and stops at the first aligned pair that differs in one of the columns behind
    /// the sequence number.
    /// </summary>
    private void FirstDifference(string sql, int columns, Action<SqliteStatement, SqliteStatement> found)
    {
        using SqliteStatement a = _a.History.Database.Prepare(sql).Bind(1, _a.Run);
        using SqliteStatement b = _b.History.Database.Prepare(sql).Bind(1, _b.Run);
        if (!a.Step() || !b.Step())
        {
            return;
        }

        for (int i = 0; i < _match.Length; i++)
        {
            // Where tasks take turns differently a partner may lie behind one that was read already.
            if (_match[i] < 0 || b.Int64(0) > _b.Seqs[_match[i]] || !Reach(a, _a.Seqs[i]) || !Reach(b, _b.Seqs[_match[i]]))
            {
                continue;
            }

            for (int column = 1; column <= columns; column++)
            {
                if (a.Int64(column) != b.Int64(column))
                {
                    found(a, b);
                    return;
                }
            }
        }

        static bool Reach(SqliteStatement row, uint seq)
        {
            while (row.Int64(0) < seq)
            {
                if (!row.Step())
                {
                    return false;
                }
            }

            return row.Int64(0) == seq;
        }
    }
}
