using System.CommandLine;
using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>latency</c>: durations from entry to return.</summary>
internal static class LatencyVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> source = SharedOptions.Source();
        Argument<string[]> probes = new("PROBE")
        {
            Description = "Event names or symbols, * and ? match (all).",
            Arity = ArgumentArity.ZeroOrMore,
            DefaultValueFactory = static _ => [],
        };

        SharedOptions.RefuseOptions(probes);
        Option<string?> database = SharedOptions.Database();
        Option<long> run = SharedOptions.Run();
        Option<string> format = SharedOptions.Format("table", "csv", "json", "jsonl", "md");
        Command command = new("latency", SharedOptions.Describe(
            "Durations from entry to return (of return probes) or from before to behind an instruction, in virtual time.",
            "latency boot.mpk",
            "latency boot.mpk 'open*' --format csv"))
        {
            source,
            probes,
            database,
            run,
            format,
        };
        command.SetAction((result, cancellation) =>
        {
            using TraceHistory history = SharedOptions.Open(
                console, result.GetRequiredValue(source), result.GetValue(database), cancellation);
            IReadOnlyList<LatencyRow> rows = LatencyQuery.Read(
                history, result.GetRequiredValue(probes), result.GetValue(run), cancellation);
            using Utf8Output output = console.Results();
            Print(rows, result.GetRequiredValue(format), output, console);
            if (rows.Count == 0)
            {
                SharedOptions.SayNothing(console, output, "no call matches that has both entry and return, and no instruction both pre and post");
            }

            return Task.FromResult((int)ExitCode.Success);
        });
        return command;
    }

    internal static void Print(IReadOnlyList<LatencyRow> rows, string format, Utf8Output output, ReportConsole console)
    {
        bool people = format is "table" or "md";
        ValueRows values = new(format, output, console);
        bool runs = rows.Select(static r => r.Run).Distinct().Count() > 1 || !people;
        string[] columns =
            ["name", "symbol", "between", "count", "min_ns", "mean_ns", "p50_ns", "p95_ns", "p99_ns", "max_ns"];
        values.Begin(runs ? ["run", .. columns] : columns);
        foreach (LatencyRow row in rows)
        {
            object mean = people
                ? Math.Round(row.MeanNs, 1).ToString("0.0", CultureInfo.InvariantCulture)
                : Math.Round(row.MeanNs, 3);
            object[] cells =
            [
                row.Name, row.Symbol, row.Between, row.Count, row.MinNs, mean, row.P50Ns, row.P95Ns, row.P99Ns, row.MaxNs,
            ];
            values.Add(runs ? [row.Run, .. cells] : cells);
        }

        values.AlignLeft(runs ? [1, 2, 3] : [0, 1, 2]);
        values.Finish();
    }
}
