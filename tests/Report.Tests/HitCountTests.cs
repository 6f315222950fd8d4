using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>A call counts once, however many events tell of it.</summary>
public sealed class HitCountTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_summary_counts_calls_and_shows_kinds_apart()
    {
        string summary = Tool.Good(_folder.Small());

        Assert.Contains("  event     symbol          hits\n  fork      kernel_clone       2\n", summary, StringComparison.Ordinal);
        Assert.Matches(@"\n  comm +hits\n  sh +4\n", summary);
        Assert.Matches(@"\n  kind +events\n  pre +4\n  ret +3\n  fault +1\n  post +1\n", summary);
        Assert.Contains("Faults of probed instructions", summary, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("key,count do_sys_openat2,4 kernel_clone,3", "--key", "symbol")]
    [InlineData("key,count fault,1 post,1", "--key", "kind", "--where", "kind NOT IN ('pre', 'ret')")]
    [InlineData("key,count pre,4 ret,3 fault,1 post,1", "--key", "kind")]
    [InlineData("key,count kernel_clone,1", "--key", "symbol", "--kind", "fault")]
    [InlineData("key,count kernel_clone,2", "--key", "symbol", "--kind", "fault", "--kind", "post")]
    [InlineData("key,count kernel_clone,2", "--of", "fork", "--key", "symbol")]
    [InlineData("key,count do_sys_openat2,2 kernel_clone,1", "--of", "calls", "--key", "symbol")]
    public void A_histogram_counts_calls_unless_kinds_are_asked_for(string expected, params string[] arguments) =>
        Assert.Equal(
            expected,
            Tool.Good(["hist", _folder.Small(), "--format", "csv", .. arguments]).TrimEnd().ReplaceLineEndings(" "));

    [Fact]
    public void Where_no_entry_was_recorded_what_was_recorded_counts()
    {
        string trace = _folder.Small(change: static e =>
        {
            e.Clear();
            e.Add(new(TraceEventKind.Post, 0, 650, 42, "sh"));
        });

        Assert.Contains("  fork   kernel_clone     1\n", Tool.Good(trace), StringComparison.Ordinal);
        Assert.Equal("key,count\r\nkernel_clone,1\r\n", Tool.Good("hist", trace, "--key", "symbol", "--format", "csv"));
    }

    [Fact]
    public void A_histogram_of_more_keys_than_its_limit_says_how_many_there_are()
    {
        (int exit, string output, string error) = Tool.Run("hist", _folder.Small(), "--key", "seq", "--limit", "2", "--format", "csv");

        Assert.Equal((0, "key,count\r\n1,1\r\n2,1\r\n"), (exit, output));
        Assert.Contains("5 more lines", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fault_that_is_not_there_is_said_to_be_one_of_probed_instructions() =>
        Assert.Contains(
            "run 1 has 1 fault of probed instructions; there is no fault 2",
            Tool.Bad(1, "before", _folder.Small(), "--fault", "2"), StringComparison.Ordinal);
}
