using System.Globalization;
using CsCheck;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary><c>before</c> with all its options against scanning backwards.</summary>
public sealed class BeforeModelTests
{
    [Fact]
    public void Before_tells_what_a_scan_backwards_finds() => HistoryCheck.Ask(
        120, Gen.Frequency((2, HistoryGen.Plans), (1, HistoryCheck.One(HistoryGen.Recursion))), 5,
        static runs =>
            from isFault in Gen.Frequency((1, Gen.Const(true)), (2, Gen.Const(false)))
            from number in isFault ? Gen.Int[1, 4] : Gen.Int[1, Math.Max(2, runs.Max(static r => r.Rows.Count) + 1)]
            from limit in Gen.Int[-2, 4]
            from patterns in Gen.Frequency((3, Gen.Const(0)), (1, Gen.Int[1, 2])).SelectMany(n => HistoryPattern.Of(
                runs.SelectMany(static r => r.History.Probes).SelectMany(static p => (string[])[p.Definition.Name, p.Definition.Symbol])).Array[n])
            from run in Gen.Int[0, runs.Count]
            select new Question(isFault, number, limit < 0 ? null : limit, patterns, run),
        static (database, question) =>
        {
            (int exit, string output, string error) = Tool.Run(["before", database.Source, .. question.Options]);

            HistoryRun? run = database.Runs.FirstOrDefault(r => question.Run == 0 || r.Run == question.Run);
            HistoryRow? row = question.IsFault
                ? run?.Rows.Where(static r => r.Kind == "fault").Skip(question.Number - 1).FirstOrDefault()
                : run?.Rows.FirstOrDefault(r => r.Seq == question.Number);
            HistoryProbe[] probes = [.. run?.History.Probes.Where(question.Chooses) ?? []];
            if (row is null || (probes.Length == 0 && question.Patterns.Length > 0))
            {
                Assert.Equal((1, ""), (exit, output));
                return;
            }

            HistoryRow[] before = [.. run!.Rows.Where(r => r.Seq < row.Seq)];
            bool isNothing = question.Patterns.Length > 0 && !before.Any(r => probes.Contains(r.Event.Probe) && run.Hits.Contains(r));
            Assert.Equal((0, isNothing ? "kprobe-report: no hit of these probes is before it\n" : ""), (exit, error));
            Assert.Equal(
                Section(run, $"Event {row.Seq}", [row])
                + Section(run, "Calls of its task that were open", Open(run, row))
                + Section(run, "Before it in the same task", before.Where(r => row.Pid is not null && r.Pid == row.Pid).TakeLast(question.Limit ?? 10))
                + Section(run, "Last hit of each probe before it", probes
                    .Select(p => before.LastOrDefault(r => r.Event.Probe == p && run.Hits.Contains(r))).OfType<HistoryRow>().OrderByDescending(static r => r.Seq)),
                output);
        });

    /// <summary>The entries of calls that the event's task had begun and not ended, outermost first.</summary>
    private static IEnumerable<HistoryRow> Open(HistoryRun run, HistoryRow row) => run.Calls
        .Where(c => row.Pid is not null && c.Return.Pid == row.Pid && c.EntrySeq < row.Seq && c.Return.Seq > row.Seq)
        .Select(static c => c.EntrySeq).Distinct().Order().Select(s => run.Rows.Single(r => r.Seq == s));

    private static string Section(HistoryRun run, string title, IEnumerable<HistoryRow> rows)
    {
        string lines = string.Concat(rows.Select(r => $"{r.Seq,10} {HistoryLine.Of(run, r, nanoseconds: true)}\n"));
        return lines.Length == 0 ? "" : title + "\n" + lines;
    }

    private sealed record Question(bool IsFault, int Number, int? Limit, string[] Patterns, int Run)
    {
        internal string[] Options =>
        [
            IsFault ? "--fault" : "--seq", Number.ToString(CultureInfo.InvariantCulture), .. Patterns.SelectMany(static p => (string[])["--probe", p]),
            .. Limit is { } n ? ["--limit", n.ToString(CultureInfo.InvariantCulture)] : (string[])[],
            .. Run == 0 ? [] : (string[])["--run", Run.ToString(CultureInfo.InvariantCulture)],
        ];

        internal bool Chooses(HistoryProbe probe) => Patterns.Length == 0
            || Array.Exists(Patterns, p => HistoryPattern.Matches(p, probe.Definition.Name) || HistoryPattern.Matches(p, probe.Definition.Symbol));

        public override string ToString() => "before " + string.Join(' ', Options.Select(HistoryText.Quote));
    }
}
