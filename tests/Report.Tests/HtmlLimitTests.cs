using System.Text.Json;
using System.Text.RegularExpressions;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>How much of a large trace stands in its page.</summary>
public sealed class HtmlLimitTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Timeline_has_forty_rows_and_twenty_four_latencies_stand_beside_it()
    {
        // Fifty functions, each called once more than the one before.
        JsonElement page = Page(writer =>
        {
            for (int i = 0; i < 50; i++)
            {
                writer.WriteProbe(new TraceProbe { Id = i, Type = 'r', Name = $"f{i:00}_ret", Symbol = $"f{i:00}", Address = 0x1000 + ((ulong)i * 16) });
            }

            for (int i = 0; i < 50; i++)
            {
                for (int call = 0; call <= i; call++)
                {
                    TraceEvent e = new() { Kind = TraceEventKind.Return, ProbeId = i, Address = 0x1000 + ((ulong)i * 16), TimeNs = 1000 + (ulong)((i * 50) + call), EntryTimeNs = 500 };
                    _ = writer.WriteEvent(in e, [], []);
                }
            }
        });
        string[] most = [.. Enumerable.Range(0, 50).Reverse().Select(static i => $"f{i:00}_ret")];

        JsonElement timeline = page.GetProperty("timeline");
        Assert.Equal(50, timeline.GetProperty("rowsAll").GetInt32());
        Assert.Equal(most.Take(40), timeline.GetProperty("rows").EnumerateArray().Select(static r => r[0].GetString()));
        Assert.Equal(Enumerable.Range(0, 40).Select(static i => 50 - i), timeline.GetProperty("rows").EnumerateArray().Select(static r => r[2].EnumerateArray().Sum(static b => b.GetInt32())));
        Assert.Equal(most.Take(24), page.GetProperty("latencies").EnumerateArray().Select(static l => l.GetProperty("name").GetString()));
        Assert.Equal(25, page.GetProperty("symbols").GetArrayLength());
    }

    [Fact]
    public void Flame_graph_ends_sixty_functions_deep()
    {
        JsonElement page = Page(static writer =>
        {
            writer.WriteProbe(new TraceProbe { Id = 0, Type = 'p', Name = "hit", Symbol = "function", Address = 0x1000 });
            TraceEvent e = new() { Address = 0x1000, Pid = 1, Comm = new TraceComm("sh"u8), Parts = TraceEventParts.Task };
            _ = writer.WriteEvent(in e, [], [.. Enumerable.Range(0, 100).Select(static i => 0x2000 + (ulong)i)]);
        });

        List<string> names = [];
        for (JsonElement node = page.GetProperty("flame"); ; node = node[2][0])
        {
            names.Add(node[0].GetString()!);
            if (node[2].GetArrayLength() == 0)
            {
                break;
            }
        }

        Assert.Equal(["all", "sh", .. Enumerable.Range(0, 59).Select(static i => $"0x{0x2000 + 99 - i:x}")], names);
    }

    [Theory]
    [InlineData(3999, 1)] // of four thousand events a function is shown that has two
    [InlineData(3998, 2)]
    [InlineData(1997, 1)] // of fewer than four thousand one that has one
    public void Flame_graph_leaves_out_what_is_too_small_to_see(int many, int few)
    {
        JsonElement page = Page(writer =>
        {
            writer.WriteProbe(new TraceProbe { Id = 0, Type = 'p', Name = "hit", Symbol = "function", Address = 0x1000 });
            for (int i = 0; i < many + few; i++)
            {
                TraceEvent e = new() { Address = 0x1000, Caller = i < many ? 0x2000u : 0x3000u, Pid = 1, Comm = new TraceComm("sh"u8), Parts = TraceEventParts.Task };
                _ = writer.WriteEvent(in e, [], []);
            }
        });

        Assert.Equal(
            many + few < 4000 || few > 1 ? [$"0x2000 {many}", $"0x3000 {few}"] : [$"0x2000 {many}"],
            page.GetProperty("flame")[2][0][2].EnumerateArray().Select(static n => $"{n[0].GetString()} {n[1].GetInt32()}"));
    }

    [Theory]
    [InlineData(20_000)]
    [InlineData(20_001)]
    public void Console_has_twenty_thousand_lines(int lines)
    {
        JsonElement page = Page(writer =>
        {
            for (int i = 0; i < lines; i++)
            {
                writer.WriteConsoleLine((ulong)i, (ulong)i, "x"u8);
            }
        });

        Assert.Equal((lines, 20_000), (page.GetProperty("consoleAll").GetInt32(), page.GetProperty("console").GetArrayLength()));
    }

    [Theory]
    [InlineData(2, 50_000)]
    [InlineData(3, 33_333)]
    public void Runs_of_a_page_share_its_hundred_thousand_events(int runs, int events)
    {
        for (int run = 0; run < runs; run++)
        {
            using TraceWriter writer = TraceWriter.Create(_folder[$"{run}.mpk"], new TraceHeader { ImageName = $"vmlinuz-{run}", ImageSha256 = new string('0', 64) });
            writer.WriteProbe(new TraceProbe { Id = 0, Type = 'p', Name = "hit", Symbol = "function", Address = 0x1000 });
            for (int i = 0; i < events + 1; i++)
            {
                TraceEvent e = new() { Address = 0x1000, TimeNs = (ulong)i };
                _ = writer.WriteEvent(in e, [], []);
            }

            writer.Complete(new TraceFooter { Ended = "poweroff" });
        }

        _ = Tool.Good(["add", _folder["runs.db"], .. Enumerable.Range(0, runs).Select(run => _folder[$"{run}.mpk"])]);
        _ = Tool.Good("html", _folder["runs.db"], "-o", _folder["runs.html"]);

        JsonElement pages = Data("runs.html");
        Assert.Equal(runs, pages.GetArrayLength());
        Assert.All(pages.EnumerateArray(), page => Assert.Equal(events, page.GetProperty("events").GetArrayLength()));
    }

    private JsonElement Page(Action<TraceWriter> write)
    {
        using (TraceWriter writer = TraceWriter.Create(_folder["t.mpk"], new TraceHeader { ImageName = "vmlinuz", ImageSha256 = new string('0', 64) }))
        {
            write(writer);
            writer.Complete(new TraceFooter { Ended = "poweroff" });
        }

        _ = Tool.Good("html", _folder["t.mpk"], "-o", _folder["t.html"]);
        return Data("t.html")[0];
    }

    private JsonElement Data(string name)
    {
        Match data = Regex.Match(File.ReadAllText(_folder[name]), "<script[^>]*id=\"data\"[^>]*>(.*?)</script>", RegexOptions.Singleline);
        return JsonDocument.Parse(data.Groups[1].Value, new JsonDocumentOptions { MaxDepth = 200 }).RootElement;
    }
}
