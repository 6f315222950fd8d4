using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>A line of megabytes, and arguments as long as the host allows: messages stay short, and carets true.</summary>
public sealed class LongInputTests : IDisposable
{
    /// <summary>As long as an argument may be on Linux, but for some words around it.</summary>
    private const int Long = 120_000;

    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0, 5_000_000, "p:x", 1)] // too long to be looked at
    [InlineData(0, 3000, "%nosuch", 18)]
    [InlineData(100, 2000, "%nosuch", 808)]
    [InlineData(100, 0, "%nosuch", 808)]
    public void A_bad_line_is_shown_around_its_caret(int argumentsBefore, int lettersBehind, string blamed, int column)
    {
        string arguments = string.Concat(Enumerable.Range(0, argumentsBefore).Select(i => $" a{i}=%di"));
        string line = "p:x schedule" + arguments + " bad=%nosuch" + (lettersBehind > 0 ? " " + new string('y', lettersBehind) : "");
        File.WriteAllText(_folder["probes"], line);
        using ToolRun run = ToolRun.Record(_folder.Name, "--probe-file", "probes");

        Assert.Equal(1, run.Exit);
        string[] lines = [.. run.ErrorLines.Select(l => l["kprobe-record: ".Length..])];
        Assert.Equal("probes:1: bad probe definition", lines[0]);
        Assert.StartsWith(blamed, lines[1][(lines[2].Length - 1)..], StringComparison.Ordinal);
        Assert.EndsWith($" (column {column} of {line.Length})", lines[3], StringComparison.Ordinal);
        Assert.Equal((argumentsBefore > 0, lettersBehind > 0), (lines[1].StartsWith('…'), lines[1].EndsWith('…')));
        Assert.InRange(run.Error.Length, 1, 1000);
    }

    [Fact]
    public void A_line_that_is_left_out_is_quoted_in_part_also_in_the_trace()
    {
        File.WriteAllText(_folder["probes"], "p:fine schedule\np:x nosuch" + new string('z', 5_000_000));
        using ToolRun run = ToolRun.Record(_folder.Name, "--probe-file", "probes", "--skip-refused", "-v", "--console", "none");

        Assert.InRange(run.Good().Error.Length, 1, 4000);
        Assert.All(WholeTrace.Read(_folder["trace.mpk"]).Notes, n => Assert.InRange(n.Text.Length, 0, 1000));
    }

    [Theory]
    [InlineData("kprobe-record", "-p", "p:x {0}")]
    [InlineData("kprobe-record", "-p", "p:{0} schedule")]
    [InlineData("kprobe-record", "-p", "p:x schedule %{0}")]
    [InlineData("kprobe-record", "-p", "r:x schedule", "--filter", "x: {0} == 1")]
    [InlineData("kprobe-record", "-p", "r:x schedule", "--filter", "x: common_pid == {0}")]
    [InlineData("kprobe-record", "--filter", "{0}")]
    [InlineData("kprobe-record", "--filter", "{0}: common_pid == 1")]
    [InlineData("kprobe-record", "--list", "{0}")]
    [InlineData("kprobe-record", "--count-only", "{0}")]
    [InlineData("kprobe-record", "{0}")]
    [InlineData("kprobe-record", "--{0}")]
    [InlineData("kprobe-record", "one", "{0}")]
    [InlineData("kprobe-record", "--initrd", "{0}")]
    [InlineData("kprobe-record", "--symbols", "{0}")]
    [InlineData("kprobe-record", "--probe-file", "{0}")]
    [InlineData("kprobe-record", "--output", "{0}")]
    [InlineData("kprobe-record", "--console", "{0}")]
    [InlineData("kprobe-record", "--kinds", "{0}")]
    [InlineData("kprobe-record", "--engine", "{0}")]
    [InlineData("kprobe-record", "--mode", "{0}")]
    [InlineData("kprobe-record", "--memory", "{0}")]
    [InlineData("kprobe-record", "--timeout", "{0}")]
    [InlineData("kprobe-record", "--max-events", "{0}")]
    [InlineData("kprobe-record", "--load", "{0}")]
    [InlineData("kprobe-report", "{0}")]
    [InlineData("kprobe-report", "events", "{0}")]
    [InlineData("kprobe-report", "events", "nosuch", "--{0}")]
    [InlineData("kprobe-report", "query", "{0}", "select 1")]
    [InlineData("kprobe-report", "export", "{0}", "-o", "x")]
    public void No_argument_is_echoed_whole_in_an_error(string tool, params string[] arguments)
    {
        string[] filled = [.. arguments.Select(a => a.Replace("{0}", new string('q', Long), StringComparison.Ordinal))];
        using ToolRun run = tool == "kprobe-record" ? ToolRun.Record(_folder.Name, filled) : ToolRun.Report(_folder.Name, filled);

        Assert.InRange(run.Exit, 1, 2);
        Assert.NotEmpty(run.Error);
        Assert.All(run.ErrorLines, line => Assert.InRange(line.Length, 1, Excerpt.MaxLine + 20));
    }
}
