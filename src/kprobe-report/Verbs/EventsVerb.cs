using System.CommandLine;
using KprobeTrace.Queries;
using KprobeTrace.Store;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>events</c>: one line an event.</summary>
internal static class EventsVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> source = SharedOptions.Source();
        Option<string?> database = SharedOptions.Database();
        EventFilterOptions filter = new();
        Option<bool> nanoseconds = new("--ns") { Description = "Print nine digits of a second instead of six." };
        Option<long> memory = SharedOptions.Memory();
        Command command = new("events", SharedOptions.Describe(
            "Prints one line an event, as ftrace does.",
            "events boot.mpk --probe open --comm sh --limit 20",
            "events boot.mpk --probe open --where \"dfd = 0xffffff9c\" --from 1.3 --to 1310ms"))
        {
            source,
            database,
            nanoseconds,
            memory,
        };
        filter.AddTo(command);
        command.SetAction((result, cancellation) =>
        {
            EventFilter wanted = filter.Read(result);
            using TraceHistory history = SharedOptions.OpenForQuery(
                console, result.GetRequiredValue(source), result.GetValue(database), result.GetValue(memory), cancellation);
            using Utf8Output output = console.Results();
            if (new EventLines(history) { Nanoseconds = result.GetValue(nanoseconds) }.Write(wanted, output, cancellation) == 0)
            {
                SharedOptions.SayNothing(console, output, "no event matches");
            }

            return Task.FromResult((int)ExitCode.Success);
        });
        return command;
    }
}
