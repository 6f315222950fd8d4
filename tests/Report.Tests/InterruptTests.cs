using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Ctrl-C while a query goes on.</summary>
public sealed partial class InterruptTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_query_without_end_stops_with_a_word_and_a_status_when_it_is_interrupted()
    {
        const string endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
        using Process tool = Process.Start(new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "kprobe-report.dll"), "query", _folder.Trace("p:f f\n1 f"), endless, "-f", "csv"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> error = tool.StandardError.ReadToEndAsync();

        // Rows come, so the query goes on.
        Assert.Equal("i", await tool.StandardOutput.ReadLineAsync());
        Assert.Equal("1", await tool.StandardOutput.ReadLineAsync());
        Assert.Equal(0, Kill(tool.Id, 2));
        _ = await tool.StandardOutput.ReadToEndAsync();
        await tool.WaitForExitAsync();
        Assert.Equal((1, "kprobe-report: interrupted\n"), (tool.ExitCode, await error));
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
