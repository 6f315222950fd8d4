using System.Globalization;
using CsCheck;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary><c>latency</c> and the view <c>calls</c> against pairing by a list, percentiles against sorting.</summary>
public sealed class LatencyModelTests
{
    private static readonly string[] _columns =
        ["name", "symbol", "between", "count", "min_ns", "mean_ns", "p50_ns", "p95_ns", "p99_ns", "max_ns"];

    [Fact]
    public void Latencies_are_those_of_pairs_found_in_a_list() => HistoryCheck.Ask(
        120, Gen.Frequency((1, HistoryGen.Plans), (1, HistoryCheck.One(HistoryGen.Recursion))), 3,
        static runs =>
            from patterns in Gen.Frequency((1, Gen.Const(0)), (2, Gen.Int[1, 2])).SelectMany(n => HistoryPattern.Of(
                runs.SelectMany(static r => r.History.Probes).SelectMany(static p => (string[])[p.Definition.Name, p.Definition.Symbol])).Array[n])
            from run in Gen.Int[0, runs.Count]
            from format in HistoryAnswer.Formats
            select new Question(patterns, run, format),
        static (database, question) =>
        {
            string[] run = question.Run == 0 ? [] : ["--run", question.Run.ToString(CultureInfo.InvariantCulture)];
            (int exit, string output, string error) = Tool.Run(["latency", database.Source, .. question.Patterns, .. run, "--format", question.Format]);

            HistoryRun[] runs = [.. database.Runs.Where(r => question.Run == 0 || r.Run == question.Run)];
            if (question.Patterns.Length > 0 && !runs.Any(r => r.History.Probes.Any(p => IsNamed(p, question.Patterns))))
            {
                Assert.Equal((1, ""), (exit, output));
                return;
            }

            HistoryLatency[] rows = [.. runs.SelectMany(r => HistoryLatency.Of(r, p => IsNamed(p, question.Patterns)))];
            Assert.Equal(
                (0, rows.Length > 0 ? "" : "kprobe-report: no call matches that has both entry and return, and no instruction both pre and post\n"),
                (exit, error));
            bool people = HistoryAnswer.IsForPeople(question.Format);
            bool withRun = !people || rows.Select(static r => r.Run).Distinct().Count() > 1;
            using TraceHistory history = TraceHistory.Open(database.Source);
            Assert.Equal(
                LatencyQuery.Read(history, question.Patterns, question.Run, long.MaxValue), LatencyQuery.Read(history, question.Patterns, question.Run, inMemory: 0));
            HistoryAnswer.Equal(
                question.Format, withRun ? ["run", .. _columns] : _columns, rows.Select(r => Cells(r, people)[(withRun ? 0 : 1)..]), output);
        });

    [Fact]
    public void Calls_are_pairs_found_in_a_list() => HistoryCheck.Each(
        120, Gen.Frequency((1, HistoryGen.Plans), (1, HistoryCheck.One(HistoryGen.Recursion))),
        static database => Assert.Equal(
            database.Runs.SelectMany(static r => r.Calls.Select(Shown)),
            HistoryAnswer.Csv(Tool.Good(
                "query", database.Source, "--format", "csv",
                "SELECT run, name, symbol, pid, comm, entry_seq, return_seq, time_ns, duration_ns, retval, caller, caller_address FROM calls ORDER BY run, return_seq"))
                .Skip(1).Select(static r => string.Join('|', r))));

    private static string Shown(HistoryCall call) => string.Create(
        CultureInfo.InvariantCulture,
        $"{call.Return.Run}|{call.Return.Name}|{call.Return.Symbol}|{call.Return.Pid}|{call.Return.Comm}|{call.EntrySeq}|{call.Return.Seq}|{call.TimeNs}|{call.DurationNs}|{call.RetVal}|{call.Return.Caller}|{(call.Return.Caller is null ? null : (long)call.Return.Event.Caller)}");

    private static bool IsNamed(HistoryProbe probe, string[] patterns) =>
        patterns.Length == 0 || Array.Exists(patterns, p => HistoryPattern.Matches(p, probe.Definition.Name) || HistoryPattern.Matches(p, probe.Definition.Symbol));

    private static object?[] Cells(HistoryLatency row, bool people) =>
    [
        row.Run, row.Name, row.Symbol, row.Between, (long)row.Sorted.Count, row.Sorted[0],
        people ? Math.Round(row.Mean, 1).ToString("0.0", CultureInfo.InvariantCulture) : Math.Round(row.Mean, 3),
        row.Percentile(50), row.Percentile(95), row.Percentile(99), row.Sorted[^1],
    ];

    private sealed record Question(string[] Patterns, int Run, string Format)
    {
        public override string ToString() => $"latency {string.Join(' ', Patterns.Select(HistoryText.Quote))} --run {Run} --format {Format}";
    }
}
