using System.Globalization;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class RegisterTests : IDisposable
{
    private const int Events = 300;

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_register_of_every_event_comes_back_in_every_run()
    {
        string database = _folder["all.db"];
        Tool.Good("add", database, Write("a.mpk", 1), Write("b.mpk", 2));

        string[] rows = Tool.Rows(database, "SELECT * FROM regs ORDER BY run, seq");

        string[] expected =
        [
            .. from run in (ulong[])[1, 2]
               from seq in Enumerable.Range(1, Events)
               select string.Create(
                   CultureInfo.InvariantCulture, $"{run},{seq},{string.Join(',', Registers(run, (ulong)seq).Select(static v => (long)v))}"),
        ];
        Assert.Equal(expected, rows);
    }

    [Fact]
    public void Registers_that_calls_preserve_are_stored_once_for_the_events_that_share_them()
    {
        string trace = Write("a.mpk", 1);

        Assert.Equal(["3"], Tool.Rows(trace, "SELECT count(*) FROM kt_kept"));
    }

    [Fact]
    public void Registers_on_the_right_of_an_outer_join_are_looked_up_and_not_copied_first()
    {
        string trace = Write("a.mpk", 1);
        const string Join = "SELECT e.seq, r.di, r.r14 FROM events e LEFT JOIN regs r USING (run, seq) WHERE e.seq < 4";

        string plan = string.Join('\n', Tool.Rows(trace, "EXPLAIN QUERY PLAN " + Join));

        Assert.DoesNotContain("MATERIALIZE", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("AUTOMATIC", plan, StringComparison.Ordinal);
        Assert.Equal(Tool.Rows(trace, "SELECT seq, di, r14 FROM regs WHERE seq < 4"), Tool.Rows(trace, Join));
    }

    [Theory]
    [InlineData("r14")] // stored apart
    [InlineData("r11")] // stored with the event
    public void A_value_is_found_in_either_kind_of_register(string register)
    {
        string trace = Write("a.mpk", 1);
        int index = TraceRegisters.Names.IndexOf(register);
        ulong value = Registers(1, 150)[index];

        string all = Tool.Good("who", trace, $"0x{value:x}");
        string one = Tool.Good("who", trace, $"0x{value:x}", "--register", register);

        long[] holders = [.. from seq in Enumerable.Range(1, Events) where Registers(1, (ulong)seq)[index] == value select (long)seq];
        Assert.Equal(all, one);
        Assert.Equal(holders.Length, all.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    /// <summary>Large and negative values, for each register others; the preserved ones change every hundred events.</summary>
    private static ulong[] Registers(ulong run, ulong seq) =>
        [.. TraceRegisters.Names.ToArray().Select((name, i) =>
            ((ulong)(i + 1) * 0x0D00_0000_0000_0000) + (run << 48)
                + (name is "bx" or "bp" or "r12" or "r13" or "r14" or "r15" or "cr3" ? (seq - 1) / 100 : seq * 0x1234567))];

    private string Write(string name, ulong run)
    {
        using TraceWriter writer = TraceWriter.Create(_folder[name], new TraceHeader { ImageName = name, ImageSha256 = new string('0', 64) });
        writer.WriteProbe(new TraceProbe { Id = 0, Type = 'p', Name = "probe", Symbol = "function", Address = 1 });
        for (ulong seq = 1; seq <= Events; seq++)
        {
            TraceEvent e = new() { Kind = TraceEventKind.Pre, Address = 1, TimeNs = seq, Instructions = seq, Parts = TraceEventParts.Registers };
            Registers(run, seq).CopyTo(e.Registers.AsSpan());
            writer.WriteEvent(in e, [], []);
        }

        writer.Complete(new TraceFooter { Ended = "poweroff" });
        return _folder[name];
    }
}
