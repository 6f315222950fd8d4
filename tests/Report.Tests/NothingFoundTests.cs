using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Filters that leave nothing, and numbers that make no sense.</summary>
public sealed class NothingFoundTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("no event matches", "events", "TRACE", "--pid", "77")]
    [InlineData("no event matches", "events", "TRACE", "--comm", "nobody")]
    [InlineData("no event matches", "events", "TRACE", "--from", "5s")]
    [InlineData("no event matches", "events", "TRACE", "--where", "seq > 99")]
    [InlineData("no event matches", "stacks", "TRACE", "--comm", "nobody")]
    [InlineData("no event matches", "stacks", "TRACE", "--folded", "--cpu", "9")]
    [InlineData("no row matches", "hist", "TRACE", "--key", "comm", "--where", "seq > 99")]
    [InlineData("no row matches", "hist", "TRACE", "--key", "comm", "--where", "seq > 99", "--log2", "--format", "csv")]
    [InlineData("no call matches that has both entry and return, and no instruction both pre and post", "latency", "TRACE", "open")]
    [InlineData("no hit of these probes is before it", "before", "TRACE", "--seq", "3", "--probe", "open")]
    [InlineData("no event held that value in a register", "who", "TRACE", "0x123456789")]
    public void What_leaves_nothing_says_so_in_one_line_and_is_no_error(string said, params string[] line)
    {
        string trace = _folder.Trace("""
            p:fork kernel_clone
            p:open do_sys_openat2
            1 fork
            2 fork
            3 open
            """);

        (int exit, _, string error) = Tool.Run([.. line.Select(a => a == "TRACE" ? trace : a)]);

        Assert.Equal($"kprobe-report: {said}\n", error);
        Assert.Equal(0, exit);
    }

    [Theory]
    [InlineData("events", "TRACE", "--pid", "x", "--pid wants a number, not 'x'")]
    [InlineData("events", "TRACE", "--pid", "1", "--pid", "1.5", "--pid wants a number, not '1.5'")]
    [InlineData("events", "TRACE", "--cpu", "1.5", "--cpu wants a number of at least 0, not '1.5'")]
    [InlineData("events", "TRACE", "--limit", "-1", "--limit wants a number of at least 0, not '-1'")]
    [InlineData("events", "TRACE", "-n", "many", "--limit wants a number of at least 0, not 'many'")]
    [InlineData("events", "TRACE", "--run", "0", "--run wants a number of at least 1, not '0'")]
    [InlineData("events", "TRACE", "--from", "soon", "--from 'soon' is no time; write seconds as in 1.5, or a number with ns, us, ms or s")]
    [InlineData("events", "TRACE", "--memory", "much", "--memory 'much' is no size; write it as 64M or 2G")]
    [InlineData("events", "TRACE", "--pid", "--pid wants N behind it")]
    [InlineData("events", "TRACE", "--from", "--from wants TIME behind it")]
    [InlineData("TRACE", "--top", "0", "--top wants a number of at least 1, not '0'")]
    [InlineData("TRACE", "--top", "99999999999", "--top wants a number from 1 to 2147483647, not '99999999999'")]
    [InlineData("hist", "TRACE", "--key", "comm", "--limit", "-3", "--limit wants a number of at least 0, not '-3'")]
    [InlineData("stacks", "TRACE", "--min", "200", "--min wants a number from 0 to 100, not '200'")]
    [InlineData("stacks", "TRACE", "--min", "half", "--min wants a number from 0 to 100, not 'half'")]
    [InlineData("before", "TRACE", "--seq", "0", "--seq wants a number of at least 1, not '0'")]
    [InlineData("before", "TRACE", "--fault", "one", "--fault wants a number of at least 1, not 'one'")]
    [InlineData("who", "TRACE", "1", "--limit", "-1", "--limit wants a number of at least 0, not '-1'")]
    [InlineData("who", "TRACE", "much", "VALUE 'much' is no number of 64 bits")]
    [InlineData("diff", "TRACE", "TRACE", "--limit", "0", "--limit wants a number of at least 1, not '0'")]
    [InlineData("diff", "TRACE", "TRACE", "--context", "-1", "--context wants a number of at least 0, not '-1'")]
    [InlineData("diff", "TRACE", "TRACE", "--run-a", "b", "--run-a wants a number of at least 1, not 'b'")]
    [InlineData("export", "TRACE", "--to", "csv", "-o", "x", "--run", "last", "--run wants a number of at least 1, not 'last'")]
    public void A_number_that_makes_no_sense_is_refused_in_one_line_of_our_words(params string[] line)
    {
        string trace = _folder.Trace("p:f f\n1 f %di=17");

        string error = Tool.Bad(2, [.. line[..^1].Select(a => a == "TRACE" ? trace : a)]);

        string[] lines = error.Split('\n');
        Assert.Equal("kprobe-report: " + line[^1], lines[0]);
        Assert.StartsWith("kprobe-report: see 'dotnet kprobe-report", lines[1], StringComparison.Ordinal);
        Assert.Equal(2, lines.Length);
    }

    [Theory]
    [InlineData("events")]
    [InlineData("stacks")]
    [InlineData("latency")]
    [InlineData("who", "17")]
    [InlineData("hist", "--key", "comm")]
    [InlineData("before", "--seq", "1")]
    [InlineData("export", "--to", "csv", "-o", "x")]
    [InlineData("export", "--to", "clickhouse", "-o", "x")]
    [InlineData("export", "--to", "perfetto", "-o", "x")]
    [InlineData("html", "-o", "x")]
    public void A_run_that_is_not_there_is_an_error(params string[] verb)
    {
        string trace = _folder.Trace("p:f f\n1 f %di=17");

        string error = Tool.Bad(1, [verb[0], trace, .. verb[1..].Select(a => a == "x" ? _folder["x"] : a), "--run", "7"]);

        Assert.Contains("there is no run 7 in it; the view runs lists them", error, StringComparison.Ordinal);
        Assert.False(Path.Exists(_folder["x"]));
    }
}
