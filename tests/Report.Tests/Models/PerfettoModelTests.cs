using System.Globalization;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Perfetto traces, read as a reader does, against lists of calls, events, turns and lines.</summary>
[Collection(HistoryBatchSet.Name)]
public sealed class PerfettoModelTests(HistoryBatch batch)
{
    [ProgramFact("protoc")]
    public void Slices_and_instants_are_the_calls_events_turns_and_lines_of_the_traces()
    {
        TextProto[] packets = [.. Decode(batch.Export("perfetto", "all.pftrace")).All("packet")];
        ILookup<long, TextProto> byRun = packets.ToLookup(static p => long.Parse(p.Value("trusted_packet_sequence_id")!, null));

        Assert.Equal(batch.Database.Runs.Select(static r => r.Run), byRun.Select(static g => g.Key).Order());
        Assert.InRange(batch.Database.Runs.Count(IsNested), 90, 100);
        foreach (HistoryRun run in batch.Database.Runs.Where(IsNested))
        {
            Dictionary<string, string> tracks = Tracks(run, [.. byRun[run.Run]]);
            HistoryBatch.AssertLines(
                $"run {run.Run}", Expected(run).Order(StringComparer.Ordinal),
                Shown(byRun[run.Run].Where(static p => p.One("track_event") is not null), tracks).Order(StringComparer.Ordinal));
        }
    }

    [ProgramFact("protoc")]
    public void Exported_alone_a_run_is_what_it_is_among_others()
    {
        foreach (HistoryRun run in batch.Database.Runs.Where(IsNested).Where(static (_, i) => i % 30 == 0))
        {
            TextProto[] packets = [.. Decode(batch.Export("perfetto", $"{run.Run}.pftrace", "--run", $"{run.Run}")).All("packet")];

            HistoryBatch.AssertLines(
                $"run {run.Run}", Expected(run).Order(StringComparer.Ordinal),
                Shown(packets.Where(static p => p.One("track_event") is not null), Tracks(run, packets)).Order(StringComparer.Ordinal));
        }
    }

    /// <summary>The tracks of a run by their number, each with what it is called; all are described before they are used.</summary>
    private static Dictionary<string, string> Tracks(HistoryRun run, TextProto[] packets)
    {
        Dictionary<string, string> tracks = [];
        string? process = null;
        foreach (TextProto packet in packets)
        {
            if (packet.One("track_descriptor") is not { } track)
            {
                Assert.Contains(packet.One("track_event")!.Value("track_uuid")!, tracks.Keys);
                continue;
            }

            string number = track.Value("uuid")!;
            if (track.One("process") is { } described)
            {
                Assert.Equal(($"{run.Run}", $"run {run.Run}: {run.History.Header.ImageName}"), (described.Value("pid"), described.Value("process_name")));
                process = number;
                tracks.Add(number, "process");
            }
            else if (track.One("thread") is { } thread)
            {
                Assert.Equal($"{run.Run}", thread.Value("pid"));
                tracks.Add(number, $"thread {thread.Value("tid")} {thread.Value("thread_name")}");
            }
            else
            {
                Assert.Equal(process, track.Value("parent_uuid"));
                tracks.Add(number, $"track {track.Value("name")}");
            }
        }

        Assert.Equal(tracks.Count, tracks.Values.Distinct().Count());
        return tracks;
    }

    /// <summary>What a reader makes of packets: it sorts by time, and an end closes what was opened last on its track.</summary>
    private static List<string> Shown(IEnumerable<TextProto> packets, Dictionary<string, string> tracks)
    {
        List<string> shown = [];
        Dictionary<string, Stack<(ulong Time, TextProto Event)>> open = [];
        foreach (TextProto packet in packets.OrderBy(static p => ulong.Parse(p.Value("timestamp")!, null)))
        {
            ulong time = ulong.Parse(packet.Value("timestamp")!, null);
            TextProto e = packet.One("track_event")!;
            string track = tracks[e.Value("track_uuid")!];
            if (!open.TryGetValue(track, out Stack<(ulong Time, TextProto Event)>? stack))
            {
                open.Add(track, stack = []);
            }

            switch (e.Value("type"))
            {
                case "TYPE_SLICE_BEGIN":
                    stack.Push((time, e));
                    break;
                case "TYPE_SLICE_END":
                    (ulong begin, TextProto begun) = stack.Pop();
                    shown.Add(Line(track, begin, time, begun));
                    break;
                default:
                    shown.Add(Line(track, time, null, e));
                    break;
            }
        }

        Assert.All(open.Values, Assert.Empty);
        return shown;
    }

    private static string Line(string track, ulong begin, ulong? end, TextProto e) => Line(
        track, begin, end, e.Value("name")!, e.Value("categories")!,
        e.All("debug_annotations").Select(static a =>
            $"{a.Value("name")}={a.Value("int_value") ?? Pointer(a.Value("pointer_value")) ?? "text " + a.Value("string_value")}"));

    /// <summary>
    /// Whether no two calls of a task begin at one time and end at different ones, or end in the order in which they began: a slice ends
    /// the innermost that is open, so no reader could tell such calls apart. Only a trace that names the entries of some returns and leaves
    /// others to be guessed has them.
    /// </summary>
    private static bool IsNested(HistoryRun run) =>
        run.Calls.GroupBy(static c => (c.Return.Pid, c.TimeNs)).All(static g => g.Select(static c => c.Return.TimeNs).Distinct().Count() == 1)
        && run.Calls.GroupBy(static c => c.Return.Pid).All(static g => g.All(a => g.All(b => !(a.TimeNs < b.TimeNs && b.TimeNs < a.Return.TimeNs && a.Return.TimeNs < b.Return.TimeNs))));

    private static string? Pointer(string? value) => value is null ? null : "pointer " + value;

    private static string Line(string track, ulong begin, ulong? end, string name, string category, IEnumerable<string> annotations) =>
        string.Create(CultureInfo.InvariantCulture, $"{track}: {begin} to {end}: {name} / {category} {string.Join(", ", annotations)}");

    private static IEnumerable<string> Expected(HistoryRun run)
    {
        Dictionary<HistoryRow, HistoryCall> calls = run.Calls.ToDictionary(static c => c.Return);
        foreach (HistoryRow e in run.Rows)
        {
            yield return calls.TryGetValue(e, out HistoryCall? call)
                ? Line(
                    Track(run, e), (ulong)call.TimeNs, (ulong)e.TimeNs, e.Symbol.Length > 0 ? e.Symbol : e.Name, e.Name,
                    [$"seq={e.Seq}", .. call.RetVal is { } value ? [$"retval={value}"] : (string[])[], .. Arguments(e)])
                : Line(
                    Track(run, e), (ulong)e.TimeNs, null, e.Name + (e.Kind == "pre" ? "" : " " + e.Kind), e.Symbol, [$"seq={e.Seq}", .. Arguments(e)]);
        }

        foreach (IGrouping<long, HistoryRow> cpu in run.Rows.GroupBy(static e => e.Cpu))
        {
            HistoryRow[] turns = [.. cpu.Where((e, i) => i == 0 || TaskOf(e) != TaskOf(cpu.ElementAt(i - 1)))];
            for (int i = 0; i < turns.Length; i++)
            {
                long end = i + 1 < turns.Length ? turns[i + 1].TimeNs : run.Rows[^1].TimeNs;
                yield return Line($"track CPU {cpu.Key}", (ulong)turns[i].TimeNs, (ulong)end, TaskOf(turns[i]), "task", []);
            }
        }

        foreach ((ulong timeNs, _, byte[] line) in run.History.Console)
        {
            yield return Line("track console", timeNs, null, System.Text.Encoding.UTF8.GetString(line), "console", []);
        }
    }

    private static IEnumerable<string> Arguments(HistoryRow e) => e.Event.Arguments is null ? [] : e.Event.Probe.Definition.Arguments
        .Select(a => (a.Name, a.Type, Value: e.Argument(a.Name))).Where(static a => a.Value is not null)
        .Select(static a => $"{a.Name}={a.Value switch
        {
            string text => "text " + text,
            long number when a.Type is "" or "x8" or "x16" or "x32" or "x64" or "symbol" => $"pointer {(ulong)number}",
            _ => $"{a.Value}",
        }}");

    private static string TaskOf(HistoryRow e) => e.Pid is null ? "(no task)" : $"{e.Comm} {e.Pid}";

    /// <summary>A thread by the last name of its task; task 0 and none are tracks.</summary>
    private static string Track(HistoryRun run, HistoryRow e) => e.Pid switch
    {
        null => "track (no task)",
        > 0 => $"thread {e.Pid} {run.Rows.Last(r => r.Pid == e.Pid).Comm}",
        _ => $"track {run.Rows.Last(r => r.Pid == e.Pid).Comm} {e.Pid}",
    };

    private TextProto Decode(string path)
    {
        File.WriteAllText(batch.Database["subset.proto"], PerfettoTests.Schema);
        string text = ProgramFactAttribute.Run(
            "sh", "-c", "exec protoc --proto_path=\"$1\" --decode=Trace \"$1/subset.proto\" < \"$2\"", "sh", Path.GetDirectoryName(path)!, path);
        TextProto trace = TextProto.Parse(text);
        Assert.DoesNotContain(trace.Names.Distinct(), static n => char.IsAsciiDigit(n[0]));
        return trace;
    }
}
