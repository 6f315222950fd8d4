using System.Text;
using KprobeTrace.Queries;
using KprobeTrace.Report.Verbs;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>The words of <c>check</c> for what a report can hold.</summary>
public sealed class CheckWordsTests
{
    private const string Second = TraceDamage.SecondTrace + "500";

    private static readonly TraceFooter _footer = new() { Ended = "poweroff" };

    /// <summary>Parts that are damaged, as offset and length, with S for a second trace; those not listed; events lost; whether there is a footer.</summary>
    [Theory]
    [InlineData("", 0, 0, true, "")]
    [InlineData("10+5", 0, 0, true, "1 damaged part; all the rest can be imported")]
    [InlineData("10+5 20+1", 0, 0, true, "2 damaged parts; all the rest can be imported")]
    [InlineData("10+5", 1234, 0, true, "1,235 damaged parts; all the rest can be imported")]
    [InlineData("", 1, 0, true, "1 damaged part; all the rest can be imported")]
    [InlineData("10+0", 0, 0, true, "frames missing in 1 place; all the rest can be imported")]
    [InlineData("10+0 999+0", 0, 0, true, "frames missing in 2 places; all the rest can be imported")]
    [InlineData("1000+0", 0, 0, true, "")]
    [InlineData("", 0, 1234, true, "1,234 events lost; all the rest can be imported")]
    [InlineData("", 0, 0, false, "no footer, the trace was cut off; all the rest can be imported")]
    [InlineData("10+5 20+0", 0, 3, false, "1 damaged part; frames missing in 1 place; 3 events lost; no footer, the trace was cut off; all the rest can be imported")]
    [InlineData("S", 0, 0, true, Second)]
    [InlineData("S 10+5", 0, 0, true, "1 damaged part; all the rest can be imported; " + Second)]
    public void What_is_lost_is_one_line(string damage, long more, ulong lost, bool hasFooter, string line) =>
        Assert.Equal(line, CheckVerb.Lost(Report(damage) with { DamageNotListed = more, EventsLost = lost, Footer = hasFooter ? _footer : null }));

    [Fact]
    public void Each_part_has_a_line_and_so_has_each_gap()
    {
        Assert.Equal("x.mpk: 1,000 bytes, 2,000 chunks, 3,000 events, whole; the guest ended by poweroff\n", Print(Report("")));
        Assert.Equal(
            $"""
            x.mpk: 1,000 bytes, 2,000 chunks, 3,000 events
              byte 10, 1,500 bytes: reason
              reason
              {Second}
              and 1,234 more
              events 5 to 1,006 are missing
              events 2,000 to 2,000 are missing

            """,
            Print(Report("10+1500 30+0 S") with { DamageNotListed = 1234, Gaps = [(5, 1006), (2000, 2000)] }));
        Assert.Equal("x.mpk: 1,000 bytes, 2,000 chunks, 3,000 events\n  and 1 more\n", Print(Report("") with { DamageNotListed = 1 }));
    }

    private static TraceCheckReport Report(string damage) => new()
    {
        Bytes = 1000,
        Chunks = 2000,
        Events = 3000,
        Footer = _footer,
        Damage = [.. damage.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static d =>
            d == "S" ? new TraceDamage(500, 500, Second) : new TraceDamage(long.Parse(d.Split('+')[0], null), long.Parse(d.Split('+')[1], null), "reason"))],
    };

    private static string Print(TraceCheckReport report)
    {
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            CheckVerb.Print(report, "/folder/x.mpk", output);
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
