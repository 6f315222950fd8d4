using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>A call counts once, however many events tell of it.</summary>
public sealed class HitCountTests : IDisposable
{
    /// <summary>Three reads of two tasks, one in another; the second faults and its instruction is done later. Two calls of brk.</summary>
    private const string Story = """
        p:read vfs_read
        r:read_ret vfs_read
        p:brk do_brk
        10 read cat-7
        20 read cat-7
        21 read fault cat-7 cr2=0x5000
        25 read post cat-7
        30 read_ret cat-7
        31 read_ret cat-7
        40 brk cat-7
        50 read dd-8
        55 read_ret dd-8
        60 brk dd-8
        """;

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_summary_counts_calls_and_shows_kinds_apart()
    {
        string summary = Tool.Good(_folder.Trace(Story));

        Assert.Contains("  event     symbol    hits\n  read      vfs_read     3\n  read_ret  vfs_read     3\n  brk       do_brk       2\n", summary, StringComparison.Ordinal);
        Assert.Matches(@"\n  comm +hits\n  cat +5\n  dd +3\n", summary);
        Assert.Matches(@"\n  kind +events\n  pre +5\n  ret +3\n  fault +1\n  post +1\n", summary);
        Assert.Contains("Faults of probed instructions", summary, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("key,count vfs_read,6 do_brk,2", "--key", "symbol")]
    [InlineData("key,count fault,1 post,1", "--key", "kind", "--where", "kind NOT IN ('pre', 'ret')")]
    [InlineData("key,count pre,5 ret,3 fault,1 post,1", "--key", "kind")]
    [InlineData("key,count pre,5 ret,3 fault,1 post,1", "--key", "KIND")]
    [InlineData("key,count pre,5 ret,3 fault,1 post,1", "--of", "Events", "--key", "Kind")]
    [InlineData("key,count mankind,8", "--key", "'mankind'")]
    [InlineData("key,count vfs_read,1", "--key", "symbol", "--kind", "fault")]
    [InlineData("key,count vfs_read,2", "--key", "symbol", "--kind", "fault", "--kind", "post")]
    [InlineData("key,count vfs_read,3", "--of", "read", "--key", "symbol")]
    [InlineData("key,count cat,2 dd,1", "--of", "calls", "--key", "comm")]
    public void A_histogram_counts_calls_unless_kinds_are_asked_for(string expected, params string[] arguments) =>
        Assert.Equal(
            expected,
            Tool.Good(["hist", _folder.Trace(Story), "--format", "csv", .. arguments]).TrimEnd().ReplaceLineEndings(" "));

    [Fact]
    public void Where_no_entry_was_recorded_what_was_recorded_counts()
    {
        string trace = _folder.Trace("""
            p:exit do_exit
            650 exit post
            """);

        Assert.Contains("  exit   do_exit     1\n", Tool.Good(trace), StringComparison.Ordinal);
        Assert.Equal("key,count\r\ndo_exit,1\r\n", Tool.Good("hist", trace, "--key", "symbol", "--format", "csv"));
    }

    [Fact]
    public void A_histogram_of_more_keys_than_its_limit_says_how_many_there_are()
    {
        (int exit, string output, string error) = Tool.Run("hist", _folder.Trace(Story), "--key", "seq", "--limit", "2", "--format", "csv");

        Assert.Equal((0, "key,count\r\n1,1\r\n2,1\r\n"), (exit, output));
        Assert.Contains("6 more lines", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fault_that_is_not_there_is_said_to_be_one_of_probed_instructions() =>
        Assert.Contains(
            "run 1 has 1 fault of probed instructions; there is no fault 2",
            Tool.Bad(1, "before", _folder.Trace(Story), "--fault", "2"), StringComparison.Ordinal);
}
