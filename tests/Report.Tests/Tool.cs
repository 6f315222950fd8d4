using System.Text;
using KprobeTrace.Report;

namespace KprobeTrace.Tests.Report;

/// <summary>Runs kprobe-report in this process.</summary>
internal static class Tool
{
    internal static (int Exit, string Output, string Error) Run(params string[] args) => RunWith("", args);

    internal static (int Exit, string Output, string Error) RunWith(string input, params string[] args)
    {
        using MemoryStream output = new();
        using StringWriter error = new();
        ReportConsole console = new(output, error, () => new StringReader(input));
        int exit = ReportTool.Run(args, console);
        return (exit, Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }

    /// <summary>Runs a command line that must succeed and returns what it printed.</summary>
    internal static string Good(params string[] args)
    {
        (int exit, string output, string error) = Run(args);
        Xunit.Assert.True(exit == 0, error);
        return output;
    }

    /// <summary>Runs a command line that must fail with one line on stderr, which is returned.</summary>
    internal static string Bad(int expected, params string[] args)
    {
        (int exit, _, string error) = Run(args);
        Xunit.Assert.Equal(expected, exit);
        Xunit.Assert.StartsWith("kprobe-report: ", error, StringComparison.Ordinal);
        if (expected == 1)
        {
            Xunit.Assert.Single(error.TrimEnd('\n').Split('\n'));
        }

        Xunit.Assert.DoesNotContain("   at KprobeTrace", error, StringComparison.Ordinal);
        return error.TrimEnd('\n');
    }

    /// <summary>The rows of a query as CSV without the header.</summary>
    internal static string[] Rows(string source, string sql) =>
        Good("query", source, sql, "--format", "csv").Split("\r\n", StringSplitOptions.RemoveEmptyEntries)[1..];
}
