using System.Globalization;
using CsCheck;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>The options that choose events (docs/report.md, "events"), and the events they choose.</summary>
internal sealed record HistoryFilter
{
    public string[] Probes { get; init; } = [];

    public string[] Symbols { get; init; } = [];

    public string[] Comms { get; init; } = [];

    public int[] Pids { get; init; } = [];

    public int[] Cpus { get; init; } = [];

    public string[] Kinds { get; init; } = [];

    public HistoryTime? From { get; init; }

    public HistoryTime? To { get; init; }

    public HistoryCondition? Where { get; init; }

    public int? Limit { get; init; }

    public int? Run { get; init; }

    /// <summary>The options as they are typed.</summary>
    internal string[] Options =>
    [
        .. Probes.SelectMany(static p => (string[])["--probe", p]), .. Symbols.SelectMany(static s => (string[])["--symbol", s]),
        .. Comms.SelectMany(static c => (string[])["--comm", c]), .. Pids.SelectMany(static p => Option("--pid", p)),
        .. Cpus.SelectMany(static c => Option("--cpu", c)), .. Kinds.SelectMany(static k => (string[])["--kind", k]),
        .. From is null ? [] : (string[])["--from", From.Text], .. To is null ? [] : (string[])["--to", To.Text],
        .. Where is null ? [] : (string[])["--where", Where.Sql], .. Limit is { } n ? Option("--limit", n) : [], .. Run is { } run ? Option("--run", run) : [],
    ];

    /// <summary>Filters over what runs hold, each option present now and then.</summary>
    internal static Gen<HistoryFilter> Of(IReadOnlyList<HistoryRun> runs)
    {
        HistoryRow[] rows = [.. runs.SelectMany(static r => r.Rows)];
        string[] names = [.. runs.SelectMany(static r => r.History.Probes).SelectMany(static p => (string[])[p.Definition.Name, p.Definition.Name, $"{p.Definition.Group}/{p.Definition.Name}"])];
        Gen<HistoryTime> time = HistoryTime.Near([0, .. rows.Select(static r => r.TimeNs)]);
        return
            from probes in Sometimes(3, HistoryPattern.Of(names))
            from symbols in Sometimes(5, HistoryPattern.Of(runs.SelectMany(static r => r.History.Probes).Select(static p => p.Definition.Symbol)))
            from comms in Sometimes(4, HistoryPattern.Of(rows.Select(static r => r.Comm ?? "")))
            from pids in Sometimes(5, Gen.OneOf([5, .. rows.Select(static r => (int)(r.Pid ?? 0))]))
            from cpus in Sometimes(5, Gen.Int[0, 4])
            from kinds in Sometimes(4, Gen.OneOf("pre", "post", "fault", "ret"))
            from times in Gen.Select(Sometimes(4, time), Sometimes(4, time))
            from wheres in Sometimes(3, HistoryCondition.Of(rows, probes.Length == 1 ? probes[0] : null))
            from limit in Gen.Frequency((3, Gen.Const(-1)), (1, Gen.Int[0, 6]), (1, Gen.Int[7, 60]))
            from run in Gen.Frequency((3, Gen.Const(0)), (1, Gen.Int[1, runs.Count]))
            select new HistoryFilter
            {
                Probes = probes,
                Symbols = symbols,
                Comms = comms,
                Pids = pids,
                Cpus = cpus,
                Kinds = kinds,
                From = times.Item1.FirstOrDefault(),
                To = times.Item2.FirstOrDefault(),
                Where = wheres.FirstOrDefault(),
                Limit = limit < 0 ? null : limit,
                Run = run == 0 ? null : run,
            };
    }

    /// <summary>Whether the filter names something that is not there, which is an error.</summary>
    internal bool IsWrong(IReadOnlyList<HistoryRun> runs) =>
        (Run is { } run && runs.All(r => r.Run != run))
        || ((Probes.Length > 0 || Symbols.Length > 0) && runs.Count == 1 && !runs[0].History.Probes.Any(Chooses));

    /// <summary>The runs that are asked.</summary>
    internal IEnumerable<HistoryRun> RunsOf(IReadOnlyList<HistoryRun> runs) => runs.Where(r => Run is null or 0 || r.Run == Run);

    /// <summary>The events that are chosen, in order.</summary>
    internal IEnumerable<HistoryRow> Choose(IReadOnlyList<HistoryRun> runs)
    {
        IEnumerable<HistoryRow> chosen = RunsOf(runs).SelectMany(static r => r.Rows).Where(Chooses);
        return Limit is > 0 and int limit ? chosen.Take(limit) : chosen;
    }

    public override string ToString() => string.Join(' ', Options.Select(static o => o.StartsWith("--", StringComparison.Ordinal) ? o : HistoryText.Quote(o)));

    private static Gen<T[]> Sometimes<T>(int seldom, Gen<T> gen) => Gen.Frequency((seldom, Gen.Const(0)), (1, Gen.Int[1, 2])).SelectMany(n => gen.Array[n]);

    private static string[] Option(string name, int value) => [name, value.ToString(CultureInfo.InvariantCulture)];

    private bool Chooses(HistoryProbe probe) =>
        Any(Probes, p => HistoryPattern.Matches(p, probe.Definition.Name) || HistoryPattern.Matches(p, $"{probe.Definition.Group}/{probe.Definition.Name}"))
        && Any(Symbols, s => HistoryPattern.Matches(s, probe.Definition.Symbol));

    private bool Chooses(HistoryRow row) =>
        Chooses(row.Event.Probe)
        && Any(Comms, c => row.Comm is { } comm && HistoryPattern.Matches(c, comm))
        && Any(Pids, p => row.Pid == p)
        && Any(Cpus, c => row.Cpu == c)
        && Any(Kinds, k => row.Kind == k)
        && (From is null || row.TimeNs >= From.Ns)
        && (To is null || row.TimeNs <= To.Ns)
        && (Where is null || Where.Holds(row) == true);

    /// <summary>Several values of an option mean any of them, none at all everything.</summary>
    private static bool Any<T>(T[] values, Predicate<T> holds) => values.Length == 0 || Array.Exists(values, holds);
}
