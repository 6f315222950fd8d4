using System.CommandLine;
using System.CommandLine.Parsing;
using KprobeTrace.Report.Verbs;

namespace KprobeTrace.Report;

/// <summary>The command line of kprobe-report.</summary>
internal static class ReportTool
{
    /// <summary>Runs one command line and returns the exit status.</summary>
    internal static int Run(string[] args, ReportConsole console)
    {
        RootCommand root = SummaryVerb.Create(console);
        Command[] verbs =
        [
            QueryVerb.Create(console), EventsVerb.Create(console), HistVerb.Create(console), LatencyVerb.Create(console),
            StacksVerb.Create(console), BeforeVerb.Create(console), WhoVerb.Create(console), AddVerb.Create(console),
            CheckVerb.Create(console), DiffVerb.Create(console),
            ExportVerb.Create(console), HtmlVerb.Create(console), CompletionVerb.Create(console),
        ];
        foreach (Command verb in verbs)
        {
            root.Add(verb);
        }

        VerbHelp.Install(root, console.Width);
        ParseResult result = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Errors.Count > 0)
        {
            foreach (ParseError error in result.Errors)
            {
                console.Say(error.Message);
            }

            console.Say($"see 'dotnet kprobe-report {VerbOf(result)}--help'");
            return (int)ExitCode.Usage;
        }

        using CancellationTokenSource interrupted = new();
        ConsoleCancelEventHandler onInterrupt = (_, e) =>
        {
            e.Cancel = !interrupted.IsCancellationRequested;
            interrupted.Cancel();
        };
        Console.CancelKeyPress += onInterrupt;
        try
        {
            using StreamWriter help = new(console.Output, leaveOpen: true) { AutoFlush = true };
            return result.InvokeAsync(
                new InvocationConfiguration
                {
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null,
                    Output = help,
                    Error = console.Error,
                },
                interrupted.Token).GetAwaiter().GetResult();
        }
        catch (KprobeTraceException e)
        {
            console.Say(e.Message);
            return (int)ExitCode.Failure;
        }
        catch (OperationCanceledException)
        {
            console.Say("interrupted");
            return (int)ExitCode.Failure;
        }
        catch (IOException e) when ((e.HResult & 0xFFFF) == 32)
        {
            // EPIPE: whoever read the results (a pager, head) has seen enough.
            return (int)ExitCode.Success;
        }
        catch (IOException e) when ((e.HResult & 0xFFFF) is 28 or 112)
        {
            // Files of our own say so themselves; what is left is standard output.
            console.Say("the disk is full: the results are cut off");
            return (int)ExitCode.Failure;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            console.Say(e.Message);
            return (int)ExitCode.Failure;
        }
        finally
        {
            Console.CancelKeyPress -= onInterrupt;
        }
    }

    private static string VerbOf(ParseResult result) =>
        result.CommandResult.Command is RootCommand ? "" : result.CommandResult.Command.Name + " ";
}
