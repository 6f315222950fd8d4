using System.CommandLine;
using KprobeTrace.Probes;
using KprobeTrace.Tools;

namespace KprobeTrace.Record;

/// <summary>The command line of kprobe-record: parses it, runs it, and turns every expected error into one line.</summary>
internal static class RecordTool
{
    /// <summary>Runs one command line and returns the exit status.</summary>
    internal static int Run(string[] args, RecordConsole console)
    {
        RecordCommand command = new(console);
        ParseResult result = command.Root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Errors.Count > 0)
        {
            foreach (string error in UsageErrors.Of(result))
            {
                console.Say(error);
            }

            console.Say("see 'kprobe-record --help'");
            return (int)ExitCode.Usage;
        }

        return Guard(
            () =>
            {
                using StreamWriter help = new(console.Output);
                return result.Invoke(new InvocationConfiguration
                {
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null,
                    Output = help,
                    Error = console.Error,
                });
            },
            console.Say);
    }

    /// <summary>Does something and returns its exit status; what is expected to go wrong is said line by line.</summary>
    internal static int Guard(Func<int> run, Action<string> say)
    {
        try
        {
            return run();
        }
        catch (ProbeSyntaxException e)
        {
            // The definition, a caret under the offending column, and ftrace's message take three lines.
            foreach (string line in e.Message.Split('\n'))
            {
                say(line);
            }

            return (int)ExitCode.Failure;
        }
        catch (KprobeTraceException e)
        {
            say(e.Message);
            return (int)ExitCode.Failure;
        }
        catch (IOException e) when (StandardOutput.IsReaderGone(e))
        {
            return (int)ExitCode.Success;
        }
        catch (OutOfMemoryException)
        {
            say("the host has not enough memory for this; raise its limits (ulimit -v, the container's), or give the guest less with --memory");
            return (int)ExitCode.Failure;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            say(e is PlainIOException ? e.Message : "a file cannot be read or written: " + FileErrors.Reason(e));
            return (int)ExitCode.Failure;
        }
    }
}
