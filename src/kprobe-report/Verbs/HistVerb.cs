using System.CommandLine;
using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Tools;
using KprobeTrace.Tracing;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>hist</c>: counts by an expression.</summary>
internal static class HistVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> source = SharedOptions.Source();
        Option<string?> database = SharedOptions.Database();
        Option<string> key = new("--key") { Description = "SQL expression to count by.", HelpName = "EXPR", Required = true };
        Option<string?> value = new("--value") { Description = "SQL expression to add up.", HelpName = "EXPR" };
        Option<bool> log2 = new("--log2") { Description = "Count by powers of two." };
        Option<string?> view = new("--of") { Description = "The view (events, or calls where its columns are used).", HelpName = "VIEW" };
        Option<string?> where = new("--where") { Description = "SQL condition.", HelpName = "SQL" };
        Option<int> limit = new Option<int>("--limit", "-n")
        {
            Description = "Print at most N lines (50; 0: no limit).",
            HelpName = "N",
            DefaultValueFactory = static _ => 50,
        }.Whole(0);
        Option<string[]> kinds = SharedOptions.Many(
            "--kind", "KIND", $"{TraceEventKinds.Choice} (repeatable; hits, which are pre and ret, unless an expression says kind).");
        kinds.AcceptOnlyFromAmong(TraceEventKinds.Names.ToArray());
        Option<long> run = SharedOptions.Run();
        Option<long> memory = SharedOptions.Memory();
        Option<string> format = SharedOptions.Format("table", "csv", "json", "jsonl", "md");
        Command command = new("hist", SharedOptions.Describe(
            "Counts hits, or the rows of another view, by an expression.",
            "hist boot.mpk --key symbol",
            "hist boot.mpk --key duration_ns --log2",
            "hist boot.mpk --of open --key arg_name --value dfd",
            "hist boot.mpk --key kind"))
        {
            source, database, key, value, log2, view, where, kinds, limit, run, format, memory,
        };
        command.SetAction((result, cancellation) =>
        {
            using TraceHistory history = SharedOptions.OpenForQuery(
                console, result.GetRequiredValue(source), result.GetValue(database), result.GetValue(memory), cancellation);
            IReadOnlyList<HistogramBucket> buckets = new HistogramQuery
            {
                Key = result.GetRequiredValue(key),
                Value = result.GetValue(value),
                Log2 = result.GetValue(log2),
                View = result.GetValue(view),
                Where = result.GetValue(where),
                Kinds = result.GetRequiredValue(kinds),
                Run = result.GetValue(run),
                Limit = result.GetValue(limit),
            }.Read(history, out long all, cancellation);
            using Utf8Output output = console.Results();
            Print(buckets, all, result.GetRequiredValue(format), hasValue: result.GetValue(value) is not null, output, console);
            if (all == 0)
            {
                SharedOptions.SayNothing(console, output, "no row matches");
            }

            return Task.FromResult((int)ExitCode.Success);
        });
        return command;
    }

    private static void Print(
        IReadOnlyList<HistogramBucket> buckets, long all, string format, bool hasValue, Utf8Output output, ReportConsole console)
    {
        bool people = format is "table" or "md";
        long most = buckets.Count == 0 ? 1 : Math.Max(1, buckets.Max(static b => b.Count));
        ValueRows rows = new(format, output, console);
        List<string> columns = ["key", "count"];
        if (hasValue)
        {
            columns.AddRange(["sum", "min", "mean", "max"]);
        }

        if (people)
        {
            columns.Add("");
        }

        rows.Begin(columns);
        foreach (HistogramBucket bucket in buckets)
        {
            List<object?> cells = [bucket.Key, bucket.Count];
            if (hasValue)
            {
                double?[] numbers = [bucket.Sum, bucket.Min, bucket.Mean, bucket.Max];
                cells.AddRange(numbers.Select(n => people
                    ? n?.ToString("0.###", CultureInfo.InvariantCulture)
                    : (object?)n));
            }

            if (people)
            {
                cells.Add(new string('#', (int)Math.Ceiling(40.0 * bucket.Count / most)));
            }

            rows.Add([.. cells]);
        }

        rows.AlignLeft(people ? [0, columns.Count - 1] : [0]);
        rows.Finish();
        if (buckets.Count < all)
        {
            output.Flush();
            console.Say($"{all - buckets.Count} more lines; --limit 0 prints all");
        }
    }
}
