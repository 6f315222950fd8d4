using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Report;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>A command line of kprobe-report in this process.</summary>
internal static class ReportRun
{
    /// <summary>Runs it; the exit status must be one of the tool's, and what it says one line.</summary>
    public static (int Exit, long Bytes) Run(params string[] args)
    {
        using MemoryStream output = new();
        using StringWriter error = new();
        ReportConsole console = new(output, error, static () => new StringReader("select 1"));
        int exit = ReportTool.Run(args, console);
        string said = error.ToString();
        InvariantException.Require(exit is >= 0 and <= 4, $"exit status {exit}");
        InvariantException.Require(exit == 0 || said.Length > 0 || output.Length > 0, "a failure without a word");
        InvariantException.Require(!said.Contains("   at ", StringComparison.Ordinal), "a stack trace:\n" + said);
        return (exit, output.Length);
    }
}
