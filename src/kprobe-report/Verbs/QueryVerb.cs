using System.CommandLine;
using KprobeTrace.Export;
using KprobeTrace.Queries;
using KprobeTrace.Store;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>query</c>: read-only SQL.</summary>
internal static class QueryVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> source = SharedOptions.Source();
        Argument<string> sql = new("SQL") { Description = "One statement, or - to read it from stdin." };
        Option<string?> database = SharedOptions.Database();
        Option<string> format = SharedOptions.Format("table", "csv", "json", "jsonl", "md");
        Option<long> memory = SharedOptions.Memory();
        Command command = new("query", SharedOptions.Describe(
            "Runs read-only SQL on the views (runs, probes, arguments, events, regs, faults, calls, hits, counts, stacks, symbols, console, " +
            "text_pokes, notes, damages, one per event; docs/schema.md). Adds hex64, sym, bucket, percentile, median, p50, p90, p95, p99.",
            "query boot.mpk \"select comm, count(*) from events where name = 'fork' group by comm\"",
            "query boot.mpk --format csv \"select seq, hex64(ip), sym(ip) from regs limit 10\""))
        {
            source,
            sql,
            database,
            format,
            memory,
        };
        command.SetAction((result, cancellation) =>
        {
            string text = result.GetRequiredValue(sql);
            if (text == "-")
            {
                text = console.Input.ReadToEnd();
            }

            using TraceHistory history = SharedOptions.OpenForQuery(
                console, result.GetRequiredValue(source), result.GetValue(database), result.GetValue(memory), cancellation);
            using Utf8Output output = console.Results();
            SqlQuery.Run(history, text, Sink(result.GetRequiredValue(format), output, console), cancellation);
            return Task.FromResult((int)ExitCode.Success);
        });
        return command;
    }

    /// <summary>The writer of a format.</summary>
    internal static IRowSink Sink(string format, Utf8Output output, ReportConsole console) => format switch
    {
        "csv" => new CsvRows(output),
        "json" => new JsonRows(output, lines: false),
        "jsonl" => new JsonRows(output, lines: true),
        "md" => new TableRows(output, markdown: true),
        _ => new TableRows(output, maxWidth: console.Width, emphasize: console.Bold),
    };
}
