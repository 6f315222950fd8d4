using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using CsCheck;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>The data that <c>html</c> puts into its page against lists.</summary>
public sealed class HtmlModelTests
{
    private const int Bins = 480;

    [Fact]
    public void The_page_holds_what_lists_hold() => HistoryCheck.Ask(
        80, HistoryGen.Plans, 2,
        static runs => Gen.Int[0, runs.Count],
        static (database, run) =>
        {
            string page = database[$"page-{run}-{Guid.NewGuid():N}.html"];
            Assert.Equal("", Tool.Good(["html", database.Source, "-o", page, .. run == 0 ? [] : (string[])["--run", $"{run}"]]));

            Match data = Regex.Match(File.ReadAllText(page), "<script[^>]*id=\"data\"[^>]*>(.*?)</script>", RegexOptions.Singleline);
            JsonElement[] pages = [.. JsonDocument.Parse(data.Groups[1].Value).RootElement.EnumerateArray()];
            HistoryRun[] runs = [.. database.Runs.Where(r => run == 0 || r.Run == run)];
            Assert.Equal(runs.Select(static r => $"{r.Run}"), pages.Select(static p => p.GetProperty("run").GetProperty("run").GetString()!));
            foreach ((HistoryRun expected, JsonElement shown) in runs.Zip(pages))
            {
                Check(expected, shown);
            }
        });

    private static void Check(HistoryRun run, JsonElement page)
    {
        HistoryRow[] hits = [.. run.Hits];
        Assert.Equal(run.History.Header.ImageName, page.GetProperty("run").GetProperty("image").GetString());
        Assert.Equal(Ranked(run.Rows.Select(static r => r.Kind)), Cells(page.GetProperty("kinds")));
        Assert.Equal(Ranked(hits.Select(static r => r.Comm ?? "(no task)")), Cells(page.GetProperty("comms")));
        Assert.Equal(
            hits.GroupBy(static r => r.Event.Probe).Select(static g => $"{g.Key.Definition.Name} ¦ {g.Key.Definition.Symbol} ¦ {g.Count()}").Order(StringComparer.Ordinal),
            Cells(page.GetProperty("symbols")).Order(StringComparer.Ordinal));
        Assert.Equal(
            run.Rows.Where(static r => r.Kind == "fault").GroupBy(static r => r.Event.Vector).OrderBy(static g => g.Key)
                .Select(static g => $"{g.Key} ¦ {g.Count()} ¦ {g.Count(static r => r.Event.IsHandled)}"),
            Cells(page.GetProperty("faults")));
        Assert.Equal((run.Rows.Count, run.History.Probes.Count), (page.GetProperty("counts").GetProperty("events").GetInt32(), page.GetProperty("counts").GetProperty("probes").GetInt32()));
        Assert.Equal(
            run.History.Console.Select(static c => string.Create(CultureInfo.InvariantCulture, $"{c.TimeNs} ¦ {Encoding.UTF8.GetString(c.Line)}")), Cells(page.GetProperty("console")));
        CheckEvents(run, page);
        CheckTimeline(hits, page.GetProperty("timeline"));
        CheckLatencies(run, page.GetProperty("latencies"));
        CheckFlame(run, hits, page.GetProperty("flame"));
    }

    private static void CheckEvents(HistoryRun run, JsonElement page)
    {
        string[] names = [.. page.GetProperty("commNames").EnumerateArray().Select(static n => n.GetString()!)];
        JsonElement probes = page.GetProperty("probes");
        Assert.Equal(
            run.Rows.Select(r => string.Create(
                CultureInfo.InvariantCulture, $"{r.Seq} {r.TimeNs} {r.Cpu} {(int)r.Event.Kind} {r.Name} {r.Pid} {r.Comm} {HistoryLine.Body(run, r)}")),
            page.GetProperty("events").EnumerateArray().Select(e =>
                $"{e[0]} {e[1]} {e[2]} {e[3]} {probes.GetProperty(e[4].GetRawText()).GetString()} {e[5]} {names[e[6].GetInt32()]} {e[7].GetString()}"));
    }

    private static void CheckTimeline(HistoryRow[] hits, JsonElement timeline)
    {
        long from = timeline.GetProperty("from").GetInt64();
        long width = timeline.GetProperty("to").GetInt64() - from + 1;
        Assert.Equal(Bins, timeline.GetProperty("bins").GetInt32());
        Assert.Equal(hits.Select(static r => r.Event.Probe).Distinct().Count(), timeline.GetProperty("rowsAll").GetInt32());
        Assert.Equal(
            hits.GroupBy(static r => r.Event.Probe).OrderByDescending(static g => g.Count()).ThenBy(static g => g.Key.Definition.Id).Select(g =>
                $"{g.Key.Definition.Name} {g.Count()} {string.Join(' ', g.GroupBy(r => (long)((Int128)(r.TimeNs - from) * Bins / width)).OrderBy(static b => b.Key).Select(static b => $"{b.Key}:{b.Count()}"))}"),
            timeline.GetProperty("rows").EnumerateArray().Select(static r =>
                $"{r[0]} {r[1]} {string.Join(' ', r[2].EnumerateArray().Select(static (n, i) => (Count: n.GetInt32(), At: i)).Where(static b => b.Count > 0).Select(static b => $"{b.At}:{b.Count}"))}"));
    }

    private static void CheckLatencies(HistoryRun run, JsonElement latencies) => Assert.Equal(
        HistoryLatency.Of(run, static _ => true).Where(static l => l.Between == "entry-ret").Select(static l => string.Create(
            CultureInfo.InvariantCulture,
            $"{l.Name} {l.Symbol} {l.Sorted.Count} {l.Mean:0.0} {l.Percentile(50)} {l.Percentile(95)} {l.Percentile(99)} {l.Sorted[^1]} {string.Join(' ', l.Sorted.GroupBy(static d => (long)Math.Log2(Math.Max(1, d))).Select(static b => $"{b.Key}:{b.Count()}"))}")),
        latencies.EnumerateArray().Select(static l => string.Create(
            CultureInfo.InvariantCulture,
            $"{l.GetProperty("name")} {l.GetProperty("symbol")} {l.GetProperty("count")} {l.GetProperty("mean").GetDouble():0.0} {l.GetProperty("p50")} {l.GetProperty("p95")} {l.GetProperty("p99")} {l.GetProperty("max")} {string.Join(' ', l.GetProperty("buckets").EnumerateArray().Select(static b => $"{b[0]}:{b[1]}"))}")));

    private static void CheckFlame(HistoryRun run, HistoryRow[] hits, JsonElement flame)
    {
        string[][] paths = [.. hits.Select(h => StacksModelTests.PathOf(run, h)).OfType<string[]>()];
        Assert.Equal(paths.Length == 0, flame.ValueKind == JsonValueKind.Null);
        if (paths.Length > 0)
        {
            List<string> shown = [];
            Walk(flame, "", shown);
            Assert.Equal(
                paths.SelectMany(static p => Enumerable.Range(1, p.Length).Select(n => string.Concat(p.Take(n).Select(static f => "\0" + f)))).GroupBy(static p => p)
                    .Select(static g => $"{g.Key} {g.Count()}").Append($" {paths.Length}").Order(StringComparer.Ordinal),
                shown.Order(StringComparer.Ordinal));
        }
    }

    private static void Walk(JsonElement node, string path, List<string> shown)
    {
        shown.Add($"{path} {node[1]}");
        foreach (JsonElement child in node[2].EnumerateArray())
        {
            Walk(child, path + "\0" + child[0].GetString(), shown);
        }
    }

    private static IEnumerable<string> Ranked(IEnumerable<string> names) => names.GroupBy(static n => n).OrderByDescending(static g => g.Count())
        .ThenBy(static g => g.Key, Comparer<string>.Create(HistoryExpressions.Compare)).Select(static g => $"{g.Key} ¦ {g.Count()}");

    private static IEnumerable<string> Cells(JsonElement rows) =>
        rows.EnumerateArray().Select(static r => string.Join(" ¦ ", r.EnumerateArray().Select(static c => c.ToString())));
}
