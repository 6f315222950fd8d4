using System.CommandLine;
using System.Globalization;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Tools;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>before</c>: what led to an event.</summary>
internal static class BeforeVerb
{
    internal static Command Create(ReportConsole console)
    {
        Argument<string> source = SharedOptions.Source();
        Option<string?> database = SharedOptions.Database();
        Option<long?> fault = new Option<long?>("--fault") { Description = "The N-th fault of a probed instruction, counted from 1 (the view faults lists them).", HelpName = "N" }.Whole(1L);
        Option<long?> seq = new Option<long?>("--seq") { Description = "The event with this sequence number.", HelpName = "N" }.Whole(1L);
        Option<int> count = new Option<int>("--limit", "-n")
        {
            Description = "How many events of the same task (10).",
            HelpName = "N",
            DefaultValueFactory = static _ => 10,
        }.Whole(0);
        Option<string[]> probes = SharedOptions.Many("--probe", "NAME", "Only the last hits of these probes (repeatable; all).");
        Option<long> run = SharedOptions.Run();
        Command command = new("before", SharedOptions.Describe(
            "What led to a fault of a probed instruction, or to any event: last events of the same task, calls open at it, last hit of each probe.",
            "before boot.mpk --fault 1",
            "before boot.mpk --seq 12345 --probe 'kmem_*'"))
        {
            source, database, fault, seq, count, probes, run,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(fault) is null == result.GetResult(seq) is null)
            {
                result.AddError("give one of --fault and --seq");
            }
        });
        command.SetAction((result, cancellation) =>
        {
            using TraceHistory history = SharedOptions.Open(
                console, result.GetRequiredValue(source), result.GetValue(database), cancellation);
            long number = result.GetValue(seq)
                ?? BeforeQuery.SeqOfFault(history, result.GetValue(run), result.GetValue(fault) ?? 0);
            BeforeQuery answer = BeforeQuery.OfEvent(
                history, result.GetValue(run), number, result.GetValue(count), result.GetValue(probes));
            using Utf8Output output = console.Results();
            EventLines lines = new(history) { Nanoseconds = true };
            Section(string.Create(CultureInfo.InvariantCulture, $"Event {answer.Seq}"), [answer.Seq]);
            Section("Calls of its task that were open", answer.OpenCalls);
            Section("Before it in the same task", answer.SameTask);
            Section("Last hit of each probe before it", answer.LastHits);
            if (answer.LastHits.Count == 0 && result.GetValue(probes) is { Length: > 0 })
            {
                SharedOptions.SayNothing(console, output, "no hit of these probes is before it");
            }

            return Task.FromResult((int)ExitCode.Success);

            void Section(string title, IReadOnlyList<long> events)
            {
                if (events.Count > 0)
                {
                    output.Write(console.Bold(title) + "\n");
                    foreach (long one in events)
                    {
                        output.Write(string.Create(CultureInfo.InvariantCulture, $"{one,10} "));
                        lines.WriteOne(answer.Run, one, output);
                    }
                }
            }
        });
        return command;
    }
}
