using System.Text;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>No line for people is as long as what a trace or a command line brings.</summary>
public sealed class LongLineTests : IDisposable
{
    private const int Long = 5_000_000;
    private const ulong Function = 0xFFFFFFFF81094000;
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_error_in_a_long_statement_shows_its_beginning_and_its_end()
    {
        string trace = _folder.Trace("p:f f\n1 f");

        (int exit, _, string error) = Tool.RunWith($"SELECT {new string('x', Long)}", "query", trace, "-");

        Assert.Equal(1, exit);
        Assert.InRange(error.Length, 100, 9000);
        Assert.StartsWith("kprobe-report: SQL, line 1, column 8: no such column: xxx", error, StringComparison.Ordinal);
        Assert.Contains("x…x", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("events", "--probe", "LONG")]
    [InlineData("events", "--where", "LONG = 1")]
    [InlineData("events", "--pid", "LONG")]
    [InlineData("hist", "--key", "LONG")]
    [InlineData("latency", "LONG")]
    [InlineData("query", "LONG")]
    [InlineData("who", "1", "--register", "LONG")]
    [InlineData("export", "--to", "csv", "-o", "LONG")]
    [InlineData("html", "-o", "LONG")]
    [InlineData("events", "--db", "LONG")]
    [InlineData("events", "--LONG")]
    public void A_long_argument_is_not_printed_whole(string verb, params string[] options)
    {
        string trace = _folder.Trace("p:f f\n1 f");

        (int exit, _, string error) = Tool.Run([verb, trace, .. options.Select(static o => o.Replace("LONG", new string('y', 20_000), StringComparison.Ordinal))]);

        Assert.NotEqual(0, exit);
        Assert.All(error.TrimEnd('\n').Split('\n'), static line => Assert.True(line.Length < 8300, $"{line.Length} characters"));
        Assert.Contains("y…y", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("events")]
    [InlineData("before", "--seq", "2")]
    [InlineData("stacks")]
    [InlineData("stacks", "--folded")]
    [InlineData()]
    public void What_a_trace_holds_is_cut_off(params string[] verb)
    {
        string trace = Trace();

        string output = Tool.Good([.. verb.Take(1), trace, .. verb.Skip(1)]);

        // A table is as wide as what it holds.
        Assert.All(output.Split('\n').Where(l => verb.Length > 0 || l.StartsWith("  command", StringComparison.Ordinal)), static line =>
            Assert.True(line.Length < 50_000, $"{line.Length} characters"));
        Assert.Contains("…", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_of_the_longest_that_a_kernel_gives_is_printed_whole()
    {
        string text = new('z', 4095);
        string trace = Trace(text, "fork");

        Assert.Contains($"name=\"{text}\" dfd", Tool.Good("events", trace), StringComparison.Ordinal);
    }

    private string Trace(string? text = null, string? name = null)
    {
        string path = _folder["long.mpk"];
        string symbol = name ?? new string('s', 100_000);
        byte[] bytes = Encoding.UTF8.GetBytes(text ?? new string('é', 200_000));
        TraceHeader header = new()
        {
            ImageName = "vmlinuz",
            ImageSha256 = new string('0', 64),
            Producer = "test",
            CommandLine = name ?? new string('c', 1_000_000),
        };
        using TraceWriter writer = TraceWriter.Create(path, header);
        writer.WriteSymbol(new TraceSymbol(Function, 0x100, symbol, "", 'T'));
        writer.WriteProbe(new TraceProbe
        {
            Id = 0,
            Type = 'p',
            Name = name ?? new string('p', 100_000),
            Symbol = symbol,
            Address = Function,
            Arguments = [new("name", "ustring"), new("dfd", "s32")],
        });
        for (ulong i = 1; i <= 2; i++)
        {
            TraceEvent e = new()
            {
                TimeNs = i,
                Instructions = i,
                Address = Function,
                Caller = Function + 8,
                Kind = TraceEventKind.Pre,
                ProbeId = 0,
            };
            writer.WriteEvent(in e, [0x92, 0xDB, 0, (byte)(bytes.Length >> 16), (byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes, 1], []);
        }

        writer.Complete(new TraceFooter { Ended = "poweroff", TimeNs = 9, Instructions = 9, Probes = [] });
        return path;
    }
}
