using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>Misspelt names in SQL are told the ones that were meant.</summary>
public sealed class SqlErrorTests : IDisposable
{
    private const string Story = """
        p:open do_sys_openat2 name=+0(%si):ustring
        1 open name=x
        """;

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("SQL: no such table: evnts; did you mean events?", "query", "SELECT * FROM evnts")]
    [InlineData("no such column: com; did you mean comm?", "query", "SELECT com FROM events")]
    [InlineData("no such column: e.Symbl; did you mean symbol?", "query", "SELECT e.Symbl FROM events e")]
    [InlineData("no such column: arg_nam; did you mean arg_name?", "query", "SELECT arg_nam FROM open")]
    [InlineData("no such function: hex6; did you mean hex or hex64?", "query", "SELECT hex6(ip) FROM regs")]
    [InlineData("no such function: medan; did you mean median?", "query", "SELECT medan(duration_ns) FROM calls")]
    [InlineData("--where, column 1: no such column: sybmol; did you mean symbol?", "events", "--where", "sybmol = 'x'")]
    [InlineData("--where, column 1: no such function: bukcet; did you mean bucket?", "events", "--where", "bukcet(seq) = 1")]
    [InlineData("no such column: duration in the views events and calls; did you mean duration_ns?", "hist", "--key", "duration")]
    [InlineData("no such function: buckets; did you mean bucket?", "hist", "--key", "buckets(seq)")]
    [InlineData("--of: there is no view cals; did you mean calls?", "hist", "--of", "cals", "--key", "name")]
    [InlineData("there is no view cals; did you mean calls?", "export", "--to", "csv", "--of", "cals", "-o", "x")]
    public void A_misspelt_name_is_asked_about(string said, string verb, params string[] options)
    {
        string error = Tool.Bad(1, [verb, _folder.Trace(Story), .. options]);

        Assert.Contains(said, error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_like_none_is_left_alone() =>
        Assert.EndsWith("no such table: zzzzzzzz", Tool.Bad(1, "query", _folder.Trace(Story), "SELECT * FROM zzzzzzzz"), StringComparison.Ordinal);
}
