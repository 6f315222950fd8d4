using System.CommandLine;
using KprobeTrace.Export;
using KprobeTrace.Files;
using KprobeTrace.Store;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>export</c>: other formats.</summary>
internal static class ExportVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> source = SharedOptions.Source();
        Option<string?> database = SharedOptions.Database();
        Option<string> to = new("--to")
        {
            Description = "perfetto (a file), ctf (a folder), csv, jsonl (a file), parquet, clickhouse (a folder).",
            HelpName = "FORMAT",
            Required = true,
        };
        to.AcceptOnlyFromAmong("perfetto", "ctf", "csv", "jsonl", "parquet", "clickhouse");
        Option<string> path = new("--output", "-o") { Description = "Where to; - is stdout for perfetto, csv and jsonl.", HelpName = "PATH", Required = true };
        Option<string> view = new("--of")
        {
            Description = "The view for csv and jsonl (events).",
            HelpName = "VIEW",
            DefaultValueFactory = static _ => "events",
        };
        Option<long> run = SharedOptions.Run();
        Command command = new("export", SharedOptions.Describe(
            "Writes events in another tool's format.",
            "export boot.mpk --to perfetto -o boot.pftrace",
            "export boot.mpk --to csv --of calls -o calls.csv",
            "export boot.mpk --to jsonl -o - | gzip > boot.jsonl.gz",
            "export fleet.db --to parquet -o fleet"))
        {
            source, database, to, path, view, run,
        };
        command.SetAction((result, cancellation) =>
        {
            using TraceHistory history = SharedOptions.Open(
                console, result.GetRequiredValue(source), result.GetValue(database), cancellation);
            string target = result.GetRequiredValue(path);
            OutputFile.Distinct(target, "-o", (result.GetRequiredValue(source), "source"), (history.Path, "database"));
            using ProgressLine progress = new(console, "writing " + Path.GetFileName(target));
            ExportOptions options = new()
            {
                Run = result.GetValue(run),
                StandardOutput = console.Output,
                View = result.GetRequiredValue(view),
                Progress = progress.Report,
                Cancellation = cancellation,
            };
            switch (result.GetRequiredValue(to))
            {
                case "perfetto":
                    PerfettoExport.Write(history, target, options);
                    break;
                case "ctf":
                    CtfExport.Write(history, target, options);
                    break;
                case "csv":
                    RowExport.WriteCsv(history, target, options);
                    break;
                case "jsonl":
                    RowExport.WriteJsonLines(history, target, options);
                    break;
                case "clickhouse":
                    ClickHouseExport.Write(history, target, options);
                    break;
                default:
                    ParquetExport.Write(history, target, options);
                    break;
            }

            return Task.FromResult((int)ExitCode.Success);
        });
        return command;
    }
}
