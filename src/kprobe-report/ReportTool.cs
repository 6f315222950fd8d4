using System.CommandLine;
using KprobeTrace.Report.Verbs;
using KprobeTrace.Tools;

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
        LineCompletion.Install(root, args);
        ParseResult result = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Action is not LineCompletion && MisspeltVerb(result) is { } misspelt)
        {
            console.Say(misspelt);
            return (int)ExitCode.Usage;
        }

        if (result.Errors.Count > 0)
        {
            foreach (string error in UsageErrors.Of(result))
            {
                console.Say(error);
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
            using StreamWriter help = new(console.Output, leaveOpen: true);
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
        catch (IOException e) when (StandardOutput.IsReaderGone(e))
        {
            // Whoever read the results (a pager, head) has seen enough.
            return (int)ExitCode.Success;
        }
        catch (IOException e) when (FileErrors.IsDiskFull(e))
        {
            // Files of our own say so themselves; what is left is standard output.
            console.Say("the disk is full: the results are cut off");
            return (int)ExitCode.Failure;
        }
        catch (OutOfMemoryException)
        {
            console.Say("the host has not enough memory for this; raise its limits (ulimit -v, the container's)");
            return (int)ExitCode.Failure;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            console.Say(e is PlainIOException ? e.Message : "a file cannot be read or written: " + FileErrors.Reason(e));
            return (int)ExitCode.Failure;
        }
        finally
        {
            Console.CancelKeyPress -= onInterrupt;
        }
    }

    /// <summary>A misspelt verb is taken for the name of a trace, of which there is none; null where that is not so.</summary>
    private static string? MisspeltVerb(ParseResult result)
    {
        Command root = result.RootCommandResult.Command;
        string name = result.CommandResult.Command == root
            && result.GetResult(root.Arguments[0]) is { Tokens: [{ Value: string first }, ..] } ? first : "";
        string question = name.Length == 0 || Path.Exists(name) ? "" : NearestName.Ask(name, root.Subcommands.Select(static c => c.Name));
        return question.Length == 0 ? null : $"there is no verb and no trace '{name}'{question}";
    }

    private static string VerbOf(ParseResult result) =>
        result.CommandResult.Command is RootCommand ? "" : result.CommandResult.Command.Name + " ";
}
