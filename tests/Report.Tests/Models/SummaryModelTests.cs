using System.Globalization;
using System.Text.RegularExpressions;
using CsCheck;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>The summary against counting in lists.</summary>
public sealed class SummaryModelTests
{
    [Fact]
    public void The_summary_counts_what_lists_count() => HistoryCheck.Ask(
        100, HistoryGen.Plans, 1,
        static _ => Gen.OneOf<int?>(null, 1, 2, 3),
        static (database, top) =>
        {
            string output = Tool.Good([database.Source, .. top is { } n ? ["--top", n.ToString(CultureInfo.InvariantCulture)] : (string[])[]]);

            Assert.Equal(
                string.Join("\n\n", database.Runs.Select(r => string.Join("\n", Lines(r, top ?? 10)))),
                Regex.Replace(Regex.Replace(output, "[^\\S\n]+", " "), "(?m)^ | $", "").TrimEnd('\n'));
        });

    private static IEnumerable<string> Lines(HistoryRun run, int top)
    {
        IEnumerable<string> lines = [.. Head(run), .. Counts(run, top), .. Latencies(run, top), .. Rest(run, top)];
        return lines.Select(static l => Regex.Replace(l, "[^\\S\n]+", " ").Trim());
    }

    private static IEnumerable<string> Head(HistoryRun run)
    {
        History history = run.History;
        yield return $"Run {run.Run}: {history.Header.ImageName}";
        yield return $"kernel {history.Header.Kernel}";
        if (history.Header.CommandLine.Length > 0)
        {
            yield return $"command line {history.Header.CommandLine}";
        }

        HistoryEvent? last = history.Events.Count > 0 ? history.Events[^1] : null;
        yield return $"sha256 {history.Header.ImageSha256}";
        yield return "memory 64 MiB";
        yield return Text($"virtual time {(history.Footer?.TimeNs ?? last?.TimeNs ?? 0) / 1e9:0.000000000} s");
        yield return Text($"instructions {history.Footer?.Instructions ?? last?.Instructions ?? 0:N0}");
        yield return history.Footer is not { } footer ? "ended cut-off" : "ended " + footer.Ended + (footer.ExitCode == 0 ? "" : $", exit code {footer.ExitCode}");
        yield return history.Footer is null ? "trace incomplete" : "trace complete";
        if (history.Footer is null)
        {
            yield return $"the trace has no footer: it was cut off, or its recording was killed, after event {run.Rows.Count}";
        }
    }

    private static List<string> Counts(HistoryRun run, int top)
    {
        HistoryRow[] hits = [.. run.Hits];
        List<string> lines = ["", $"Events: {run.Rows.Count}", "kind events"];
        lines.AddRange(Ranked(run.Rows.Select(static r => r.Kind)));
        if (hits.Length == 0)
        {
            return lines;
        }

        var probes = hits.GroupBy(static r => r.Event.Probe).OrderByDescending(static g => g.Count())
            .ThenBy(static g => g.Key.Definition.Name, Comparer<string>.Create(HistoryExpressions.Compare)).ThenBy(static g => g.Key.Definition.Id)
            .Select(static g => Visible($"{g.Key.Definition.Name} {g.Key.Definition.Symbol} {g.Count()}")).ToList();
        var comms = Ranked(hits.Select(static r => r.Comm ?? "(no task)")).ToList();
        lines.AddRange(["", "Most frequent" + More(probes.Count - top), "event symbol hits", .. probes.Take(top)]);
        lines.AddRange(["", "Tasks" + More(comms.Count - top), "comm hits", .. comms.Take(top)]);
        return lines;
    }

    private static IEnumerable<string> Latencies(HistoryRun run, int top)
    {
        List<string> lines =
        [
            .. HistoryLatency.Of(run, static _ => true).Where(static l => l.Between == "entry-ret").Take(top).Select(static l => Visible(Text(
                $"{l.Name} {l.Symbol} {l.Sorted.Count} {l.Sorted[0]} {l.Mean:0.0} {l.Percentile(50)} {l.Percentile(95)} {l.Percentile(99)} {l.Sorted[^1]}"))),
        ];
        return lines.Count == 0 ? [] : ["", "Latency, ns of virtual time", "event symbol calls min mean p50 p95 p99 max", .. lines];
    }

    private static List<string> Rest(HistoryRun run, int top)
    {
        var faults = run.Rows.Where(static r => r.Kind == "fault").GroupBy(static r => r.Event.Vector).OrderBy(static g => g.Key)
            .Select(static g => $"{g.Key} {g.Key switch { 0 => "divide error", 13 => "general protection", _ => "page fault" }} {g.Count()} {g.Count(static r => r.Event.IsHandled)}").ToList();
        TraceFooter? footer = run.History.Footer;
        var silent = run.History.Probes.Where(p => run.Rows.All(r => r.Event.Probe != p) && footer?.Probes[p.Definition.Id].Hits is null or 0)
            .Select(p => Visible($"{p.Definition.Name} {p.Definition.Symbol} {footer?.Probes[p.Definition.Id].State ?? p.Definition.State}")).ToList();
        var notes = run.History.Notes.Select(static (n, i) => (Note: n, Order: i)).GroupBy(static n => (n.Note.Kind, n.Note.Text))
            .OrderBy(static g => g.Key.Kind switch { TraceNoteKind.Remark => 3, TraceNoteKind.ProbeState => 4, _ => (int)g.Key.Kind }).ThenBy(static g => g.First().Order)
            .Select(g => Note(run, g.Key.Kind, g.Key.Text, [.. g.Select(static n => n.Note.ProbeId).Where(static p => p >= 0).Distinct()])).ToList();
        List<string> lines = [];
        lines.AddRange(faults.Count == 0 ? [] : ["", "Faults of probed instructions", "vector name faults handled", .. faults]);
        lines.AddRange(silent.Count == 0 ? [] :
            ["", $"Never fired: {silent.Count} of {run.History.Probes.Count} probes", "event symbol state", .. silent.Take(top), .. silent.Count > top ? ["…"] : (string[])[]]);
        lines.AddRange(notes.Count == 0 ? [] : ["", "Notes", .. notes]);
        return lines;
    }

    private static string Note(HistoryRun run, TraceNoteKind kind, string text, int[] probes)
    {
        string what = kind == TraceNoteKind.ProbeState ? "probe-state" : kind.ToString().ToLowerInvariant();
        string name = probes.Select(p => run.History.Probes[p].Definition.Name).Min(Comparer<string>.Create(HistoryExpressions.Compare)) ?? "";
        string first = string.Concat(name.Select(static c => char.IsControl(c) ? '\uFFFD' : c));
        return probes.Length switch
        {
            0 => $"{what}: {text}",
            1 => $"{what}: {first}: {text}",
            _ => $"{what}: {first} and {probes.Length - 1} more: {text}",
        };
    }

    private static IEnumerable<string> Ranked(IEnumerable<string> names) => names.GroupBy(static n => n).OrderByDescending(static g => g.Count())
        .ThenBy(static g => g.Key, Comparer<string>.Create(HistoryExpressions.Compare)).Select(static g => Visible($"{g.Key} {g.Count()}"));

    private static string More(int others) => others > 0 ? $" ({others} more)" : "";

    private static string Visible(string text) => HistoryLine.Visible(text);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
