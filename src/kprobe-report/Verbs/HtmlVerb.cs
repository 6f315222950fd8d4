using System.CommandLine;
using KprobeTrace.Export;
using KprobeTrace.Files;
using KprobeTrace.Store;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>html</c>: one page about a run.</summary>
internal static class HtmlVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> source = SharedOptions.Source();
        Option<string?> database = SharedOptions.Database();
        Option<string> path = new("--output", "-o") { Description = "The page; - is stdout.", HelpName = "FILE", Required = true };
        Option<long> run = SharedOptions.Run();
        Command command = new("html", SharedOptions.Describe(
            "Writes one self-contained page: summary, timeline, latencies, stacks, searchable events and console lines.",
            "html boot.mpk -o boot.html"))
        {
            source, database, path, run,
        };
        command.SetAction((result, cancellation) =>
        {
            using TraceHistory history = SharedOptions.Open(
                console, result.GetRequiredValue(source), result.GetValue(database), cancellation);
            string target = result.GetRequiredValue(path);
            OutputFile.Distinct(target, "-o", (result.GetRequiredValue(source), "source"), (history.Path, "database"));
            using ProgressLine progress = new(console, "writing " + Path.GetFileName(target));
            HtmlExport.Write(history, target, new ExportOptions
            {
                Run = result.GetValue(run),
                StandardOutput = console.Output,
                Progress = progress.Report,
                Cancellation = cancellation,
            });
            return Task.FromResult((int)ExitCode.Success);
        });
        return command;
    }
}
