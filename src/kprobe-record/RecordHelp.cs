using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace KprobeTrace.Record;

/// <summary>What <c>--help</c> prints: the library's help, and the exit statuses behind it.</summary>
internal sealed class RecordHelp : SynchronousCommandLineAction
{
    private const string ExitStatus = """
        Exit status:
          0  the guest powered off, halted for good, reset, or exited with 0; or a signal (Ctrl-C) ended the recording
          1  an error, told in one line
          2  the command line is wrong
          3  the guest crashed (triple fault, reset after a panic), is stuck, or exited with another value than 0
          4  --timeout, --max-instructions or --max-events ended the run
        With 0, 3 and 4 the trace is complete.

        """;

    private readonly HelpAction _options = new();

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <summary>Takes the place of the library's help.</summary>
    public static void Install(RootCommand root)
    {
        foreach (HelpOption help in root.Options.OfType<HelpOption>())
        {
            help.Action = new RecordHelp();
        }
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        _options.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output.Write(ExitStatus);
        return 0;
    }
}
