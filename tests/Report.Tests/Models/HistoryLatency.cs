namespace KprobeTrace.Tests.Report.Models;

/// <summary>The durations of one event name of a run, sorted.</summary>
/// <param name="Run">The run.</param>
/// <param name="Name">The event.</param>
/// <param name="Symbol">The symbol of its first probe.</param>
/// <param name="Between">What was measured.</param>
/// <param name="Sorted">The durations in ascending order.</param>
internal sealed record HistoryLatency(long Run, string Name, string Symbol, string Between, IReadOnlyList<long> Sorted)
{
    internal double Mean => (double)Sorted.Sum() / Sorted.Count;

    /// <summary>The latencies of a run's chosen probes: of calls where there are any, else from <c>pre</c> to <c>post</c>; the most calls first.</summary>
    internal static IEnumerable<HistoryLatency> Of(HistoryRun run, Predicate<HistoryProbe> chosen)
    {
        (HistoryProbe Probe, long Ns)[] calls = [.. run.Calls.Select(static c => (c.Return.Event.Probe, c.DurationNs)).Where(c => chosen(c.Probe))];
        (HistoryProbe Probe, long Ns)[] posts =
        [
            .. run.Rows.Where(r => r.Kind == "post" && r.EntrySeq is not null && chosen(r.Event.Probe))
                .Select(r => (r.Event.Probe, r.TimeNs - run.Rows.Single(p => p.Seq == r.EntrySeq).TimeNs)),
        ];
        HistoryLatency[] returned = [.. Rows("entry-ret", calls)];
        return returned.Concat(Rows("pre-post", posts).Where(p => returned.All(r => r.Name != p.Name)));

        IEnumerable<HistoryLatency> Rows(string between, IEnumerable<(HistoryProbe Probe, long Ns)> durations) => durations
            .GroupBy(static d => d.Probe.Definition.Name)
            .Select(g => new HistoryLatency(
                run.Run, g.Key, run.History.Probes.First(p => p.Definition.Name == g.Key && chosen(p)).Definition.Symbol, between,
                [.. g.Select(static d => d.Ns).Order()]))
            .OrderByDescending(static r => r.Sorted.Count).ThenBy(static r => r.Name, StringComparer.Ordinal);
    }

    /// <summary>The smallest duration that at least so many per cent do not exceed.</summary>
    internal long Percentile(int percent) => Sorted.First(d => Sorted.Count(o => o <= d) * 100 >= percent * Sorted.Count);
}
