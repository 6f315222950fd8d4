using System.CommandLine;
using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>add</c>: several traces in one history.</summary>
internal static class AddVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> database = new("DB") { Description = "The database; created where it does not exist." };
        Argument<string[]> traces = new("TRACE")
        {
            Description = "Traces to add, each a run of its own.",
            Arity = ArgumentArity.OneOrMore,
        };
        SharedOptions.RefuseOptions(traces);
        Command command = new("add", SharedOptions.Describe(
            "Imports traces as further runs of one history.",
            "add fleet.db monday.mpk tuesday.mpk"))
        {
            database, traces,
        };
        command.SetAction((result, cancellation) =>
        {
            string target = result.GetRequiredValue(database);
            using Utf8Output output = console.Results();
            foreach (string trace in result.GetRequiredValue(traces))
            {
                using ProgressLine progress = new(console, "importing " + Path.GetFileName(trace));
                (long run, bool there) = TraceHistory.Add(
                    target, trace, new ImportOptions { Progress = progress.Report, Cancellation = cancellation }, console.Say);
                output.Write(string.Create(
                    CultureInfo.InvariantCulture, $"{trace}: run {run}{(there ? ", was there already" : "")}\n"));
            }

            return Task.FromResult((int)ExitCode.Success);
        });
        return command;
    }
}
