using KprobeTrace.Store;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>What two runs differ in.</summary>
/// <remarks>
/// Events are aligned by what was probed (type, symbol, offset, kind) and by their order among the events of tasks of
/// the same name; addresses do not matter, so that runs of two kernels can be compared. Events with the same caller
/// find each other first, what is left between them is aligned without; of one image pairs with equal arguments go before
/// others. Only probes that both runs have are aligned; the others are listed.
/// </remarks>
public sealed class TraceDiff
{
    private readonly DiffSide _a;
    private readonly DiffSide _b;

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

    /// <summary>What the runs were started with and that differs, besides images of different names.</summary>
    public IReadOnlyList<DiffInput> Inputs { get; private set; } = [];

    /// <summary>True where only counts were compared.</summary>
    public bool CountsOnly { get; private set; }

    /// <summary>Events of the two runs.</summary>
    public (long A, long B) Events => (_a.Total, _b.Total);

    /// <summary>Events of probes that both runs have.</summary>
    public (long A, long B) CommonEvents => (_a.Common, _b.Common);

    /// <summary>Pairs of events that correspond.</summary>
    public long Aligned { get; private set; }

    /// <summary>Share of the common probes' events that have a partner, 0 to 1.</summary>
    public double AlignedShare =>
        CommonEvents.A + CommonEvents.B == 0 ? 1 : 2.0 * Aligned / (CommonEvents.A + CommonEvents.B);

    /// <summary>Probes that only one run has or hit, or that were hit more or less often; kinds besides hits apart.</summary>
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

    /// <summary>True where anything differs. What the runs were started with is no difference by itself.</summary>
    public bool Differs =>
        DivergenceCount > 0 || Probes.Count > 0 || Callers.Count > 0 || Latencies.Count > 0
        || FirstTimeDifference is not null || FirstRegisterDifference is not null;

    /// <summary>Compares two runs.</summary>
    /// <param name="a">The database of the first.</param>
    /// <param name="runA">The first run, 0 for the first of its database.</param>
    /// <param name="b">The database of the second.</param>
    /// <param name="runB">The second run, 0 for the first of its database.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellation">Ends the comparison.</param>
    /// <exception cref="KprobeTraceException">There is no such run, or nothing is called as what is to be ignored.</exception>
    public static TraceDiff Compare(
        TraceHistory a, long runA, TraceHistory b, long runB, DiffOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new DiffOptions();
        using DiffSide sideA = new(a, runA);
        using DiffSide sideB = new(b, runB);
        TraceDiff diff = new(sideA, sideB)
        {
            SameImage = sideA.ImageSha256 == sideB.ImageSha256 && sideA.ImageSha256.Length > 0,
            CountsOnly = options.CountsOnly,
        };
        diff.CompareInputs();
        HashSet<string> common = [.. sideA.Keys.Intersect(sideB.Keys)];
        DiffNames names = new();
        sideA.Begin(names, common, diff.SameImage, options);
        sideB.Begin(names, common, diff.SameImage, options);
        RequireKnown(options, sideA, sideB);
        if (options.CountsOnly)
        {
            sideA.Fill(int.MaxValue);
            sideB.Fill(int.MaxValue);
        }
        else
        {
            diff.Align(names, options, cancellation);
            diff.CompareLatencies(options.LatencyShift);
        }

        diff.CompareCounts();
        return diff;
    }

    /// <summary>Sequence numbers of events around a divergence, on one side.</summary>
    /// <param name="first">True for the first run.</param>
    /// <param name="seq">Sequence number of the event concerned, null for the end of the run.</param>
    /// <param name="count">How many events before and behind.</param>
    public IReadOnlyList<long> Context(bool first, long? seq, int count) => (first ? _a : _b).Around(seq, count);

    private static string Describe(DiffSide side) => side.Kernel.Length > 0 ? $"{side.Image}, {side.Kernel}" : side.Image;

    private static void RequireKnown(DiffOptions options, DiffSide a, DiffSide b)
    {
        foreach (string pattern in options.Ignore)
        {
            DiffOptions one = new() { Ignore = [pattern] };
            if (!TraceRegisters.Names.ToArray().Any(one.Ignores) && !a.Has(one) && !b.Has(one))
            {
                throw new KprobeTraceException(
                    $"--ignore {pattern}: no argument of either run and no register is called so; the view arguments lists the former");
            }
        }
    }

    private void CompareInputs()
    {
        List<DiffInput> list = [];
        if (!SameImage && _a.Image == _b.Image)
        {
            list.Add(new DiffInput("image sha256", _a.ImageSha256, _b.ImageSha256));
        }

        for (int i = 0; i < _a.Inputs.Count; i++)
        {
            if (_a.Inputs[i].Value != _b.Inputs[i].Value)
            {
                list.Add(new DiffInput(_a.Inputs[i].Name, _a.Inputs[i].Value, _b.Inputs[i].Value));
            }
        }

        Inputs = list;
    }

    private void Align(DiffNames names, DiffOptions options, CancellationToken cancellation)
    {
        using DiffWalk walk = new(_a, _b, options, SameImage);
        DiffAlignment alignment = new(_a.Window, _b.Window, names, SameImage);
        int size = options.Window;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            _a.Fill(size);
            _b.Fill(size);
            bool isLast = _a.Ended && _b.Ended;
            if (!alignment.Decide(isLast, mayGrow: !isLast && size < options.LargestWindow))
            {
                size = options.LargestWindow;
                continue;
            }

            walk.Advance();
            if (isLast)
            {
                break;
            }
        }

        Aligned = alignment.Aligned;
        Divergences = walk.Divergences;
        DivergenceCount = walk.Count;
        FirstTimeDifference = walk.FirstTimeDifference;
        FirstRegisterDifference = walk.FirstRegisterDifference;
    }

    private void CompareCounts()
    {
        Dictionary<string, long> countsA = _a.Counts();
        Dictionary<string, long> countsB = _b.Counts();
        Dictionary<(string Key, string Caller), long> callersA = _a.Callers();
        Dictionary<(string Key, string Caller), long> callersB = _b.Callers();
        Probes = Changes(
            [.. _a.Keys.Union(_b.Keys).Union(countsA.Keys).Union(countsB.Keys).Order(StringComparer.Ordinal)],
            static key => (key, ""),
            key => Known(_a, countsA, key),
            key => Known(_b, countsB, key));
        HashSet<string> common = [.. _a.Keys.Intersect(_b.Keys)];
        Callers = Changes(
            [.. callersA.Keys.Union(callersB.Keys).Where(k => common.Contains(k.Key))
                .OrderBy(static k => k.Key, StringComparer.Ordinal).ThenBy(static k => k.Caller, StringComparer.Ordinal)],
            static key => key,
            key => callersA.TryGetValue(key, out long n) ? n : null,
            key => callersB.TryGetValue(key, out long n) ? n : null);
    }

    /// <summary>How often; null for a probe that the run does not have.</summary>
    private static long? Known(DiffSide side, Dictionary<string, long> counts, string key)
    {
        if (counts.TryGetValue(key, out long count))
        {
            return count;
        }

        string probe = TraceEventKinds.Names.ToArray().Aggregate(key, static (k, kind) => k.EndsWith(" " + kind, StringComparison.Ordinal) ? k[..^(kind.Length + 1)] : k);
        return side.Keys.Contains(key) || side.Keys.Contains(probe) ? 0 : null;
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

        // In the order of the keys where changes are equal.
        return [.. list.OrderByDescending(static c => Math.Abs((c.B ?? 0) - (c.A ?? 0)))];
    }

    private void CompareLatencies(double shift)
    {
        Dictionary<string, LatencyRow> inA = Rows(_a);
        Dictionary<string, LatencyRow> inB = Rows(_b);
        List<DiffLatency> list = [];
        foreach ((string key, LatencyRow a) in inA.OrderBy(static p => p.Key, StringComparer.Ordinal))
        {
            if (inB.TryGetValue(key, out LatencyRow? b)
                && Math.Abs(b.MeanNs - a.MeanNs) >= shift * Math.Max(1, Math.Min(a.MeanNs, b.MeanNs)))
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
}
