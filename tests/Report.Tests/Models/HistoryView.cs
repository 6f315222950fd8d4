namespace KprobeTrace.Tests.Report.Models;

/// <summary>A view of docs/schema.md with all its columns, and the rows that runs make of it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Columns">Its columns in order.</param>
/// <param name="Rows">Its rows: null, text and <see cref="long"/>.</param>
internal sealed record HistoryView(string Name, string[] Columns, IReadOnlyList<object?[]> Rows)
{
    private const string Events = "run seq time_ns insn cpu kind probe name symbol offset address pid comm args stack caller entry_seq truncated";

    /// <summary>Every documented view of a database.</summary>
    internal static IReadOnlyList<HistoryView> All(HistoryDatabase database)
    {
        IReadOnlyList<HistoryRun> runs = database.Runs;
        Dictionary<string, string> views = ViewNames(runs);
        Dictionary<HistoryRow, long> stacks = [];
        List<object?[]> frames = [];
        foreach (HistoryRun run in runs)
        {
            Number(run, stacks, frames);
        }

        return
        [
            View("runs", "run image image_sha256 kernel command_line memory instructions time_ns ended complete events exit_code cpus producer source", runs.Select(Run)),
            View("probes", "run probe grp name type symbol offset address module definition hits nmissed state filter view", runs.SelectMany(r => r.History.Probes.Select(p => Probe(r, p, views)))),
            View("arguments", "run probe event position name type", runs.SelectMany(static r => r.History.Probes.SelectMany(p => p.Definition.Arguments.Select((a, i) => (object?[])
                [r.Run, (long)p.Definition.Id, p.Definition.Name, (long)i, a.Name, a.Type])))),
            View("events", Events, RowsOf(runs).Select(e => Event(e, stacks))),
            View("regs", "run seq ax bx cx dx si di bp sp r8 r9 r10 r11 r12 r13 r14 r15 ip flags cr3", RowsOf(runs).Where(static e => e.Event.Registers is not null)
                .Select(static e => (object?[])[e.Run, e.Seq, .. e.Event.Registers!.Select(static v => (object?)(long)v)])),
            View("faults", "run seq vector error_code cr2 handled time_ns insn cpu kind probe name symbol offset address pid comm args stack caller entry_seq truncated",
                RowsOf(runs).Where(static e => e.Kind == "fault").Select(e => (object?[])
                [
                    e.Run, e.Seq, (long)e.Event.Vector, (long)e.Event.ErrorCode, (long)e.Event.Cr2, e.Event.IsHandled ? 1L : 0L, .. Event(e, stacks)[2..],
                ])),
            View("calls", "run name symbol pid comm entry_seq return_seq time_ns duration_ns retval caller caller_address", runs.SelectMany(static r => r.Calls.Select(static c => (object?[])
            [
                c.Return.Run, c.Return.Name, c.Return.Symbol, c.Return.Pid, c.Return.Comm, c.EntrySeq, c.Return.Seq, c.TimeNs, c.DurationNs, c.RetVal, c.Return.Caller,
                c.Return.Event.Caller == 0 ? null : (long)c.Return.Event.Caller,
            ]))),
            View("symbols", "run address size name module kind", runs.SelectMany(static r => r.History.Functions.Select(f => (object?[])
                [r.Run, (long)f.Address, (long)f.Size, f.Name, f.Module, f.Symbol.Kind.ToString()]))),
            View("console", "run time_ns insn line", runs.SelectMany(static r => r.History.Console.Select(c => (object?[])
                [r.Run, (long)c.TimeNs, (long)c.Instructions, System.Text.Encoding.UTF8.GetString(c.Line)]))),
            View("text_pokes", "run time_ns insn address old new reason", runs.SelectMany(static r => r.History.Pokes.Select(p => (object?[])
                [r.Run, (long)p.TimeNs, (long)p.Instructions, (long)p.Address, Convert.ToHexStringLower(p.Old.Span), Convert.ToHexStringLower(p.New.Span), p.Reason]))),
            View("stacks", "run stack depth address symbol offset module", frames),
            View("notes", "run time_ns insn kind probe count text", runs.SelectMany(static r => r.History.Notes.Select(n => (object?[])
            [
                r.Run, (long)n.TimeNs, (long)n.Instructions, n.Kind == Tracing.TraceNoteKind.ProbeState ? "probe-state" : n.Kind.ToString().ToLowerInvariant(),
                n.ProbeId < 0 ? null : (long)n.ProbeId, (long)n.Count, n.Text,
            ]))),
            View("damages", "run offset length", runs.Where(static r => r.History.Footer is null).Select(r => (object?[])[r.Run, new FileInfo(database.Traces[(int)r.Run - 1]).Length, 0L])),
            View("counts", "run probe name symbol kind comm events", RowsOf(runs).GroupBy(static e => (e.Run, e.Probe, e.Name, e.Symbol, e.Kind, e.Comm))
                .Select(static g => (object?[])[g.Key.Run, g.Key.Probe, g.Key.Name, g.Key.Symbol, g.Key.Kind, g.Key.Comm, (long)g.Count()])),
            View("hits", "run seq probe kind time_ns", RowsOf(runs).Select(static e => (object?[])[e.Run, e.Seq, e.Probe, e.Kind, e.TimeNs])),
        ];
    }

    /// <summary>The view of each event name: the name itself unless that is taken or reserved.</summary>
    internal static Dictionary<string, string> ViewNames(IReadOnlyList<HistoryRun> runs)
    {
        Dictionary<string, string> views = [];
        List<string> taken =
            ["runs", "probes", "events", "regs", "faults", "calls", "symbols", "console", "text_pokes", "notes", "damages", "stacks", "counts", "arguments", "hits"];
        foreach (string name in runs.SelectMany(static r => r.History.Probes).Select(static p => p.Definition.Name).Distinct())
        {
            bool isReserved = name.StartsWith("kt_", StringComparison.Ordinal) || name.StartsWith("sqlite_", StringComparison.Ordinal);
            string view = isReserved || taken.Contains(name, StringComparer.OrdinalIgnoreCase) ? $"{(isReserved ? "x" : "")}{name}_event" : name;
            views.Add(name, view);
            taken.Add(view);
        }

        return views;
    }

    private static IEnumerable<HistoryRow> RowsOf(IReadOnlyList<HistoryRun> runs) => runs.SelectMany(static r => r.Rows);

    private static HistoryView View(string name, string columns, IEnumerable<object?[]> rows) => new(name, columns.Split(' '), [.. rows]);

    /// <summary>Numbers the stacks of a run in the order in which they come.</summary>
    private static void Number(HistoryRun run, Dictionary<HistoryRow, long> stacks, List<object?[]> frames)
    {
        List<string> seen = [];
        foreach (HistoryRow row in run.Rows.Where(static r => r.Event.Stack.Count > 0))
        {
            string stack = string.Join(' ', row.Event.Stack);
            if (!seen.Contains(stack))
            {
                seen.Add(stack);
                frames.AddRange(row.Event.Stack.Select((a, depth) => run.Find(a) is { } f
                    ? (object?[])[run.Run, (long)seen.Count, (long)depth, (long)a, f.Name, (long)(a - f.Address), f.Module]
                    : [run.Run, (long)seen.Count, (long)depth, (long)a, $"0x{a:x}", 0L, ""]));
            }

            stacks.Add(row, seen.IndexOf(stack) + 1);
        }
    }

    private static object?[] Run(HistoryRun r)
    {
        HistoryEvent? last = r.History.Events.Count == 0 ? null : r.History.Events[^1];
        return
        [
            r.Run, r.History.Header.ImageName, r.History.Header.ImageSha256, r.History.Header.Kernel, r.History.Header.CommandLine, (long)r.History.Header.MemoryBytes,
            (long)(r.History.Footer?.Instructions ?? last?.Instructions ?? 0), (long)(r.History.Footer?.TimeNs ?? last?.TimeNs ?? 0),
            r.History.Footer?.Ended ?? "cut-off", r.History.Footer is null ? 0L : 1L, (long)r.Rows.Count, (long)(r.History.Footer?.ExitCode ?? 0),
            (long)r.History.Header.Cpus, $"run {r.Run}", $"run-{r.Run}.mpk",
        ];
    }

    private static object?[] Probe(HistoryRun run, HistoryProbe probe, Dictionary<string, string> views)
    {
        Tracing.TraceProbe d = probe.Definition;
        Tracing.TraceProbeCount? count = run.History.Footer?.Probes[d.Id];
        return
        [
            run.Run, (long)d.Id, d.Group, d.Name, d.Type.ToString(), d.Symbol, (long)d.Offset, (long)d.Address, d.Module, d.Definition,
            count is null ? run.Rows.Count(r => r.Event.Probe == probe && r.IsHit) : (long)count.Hits, (long)(count?.Missed ?? 0), count?.State ?? d.State, d.Filter, views[d.Name],
        ];
    }

    private static object?[] Event(HistoryRow e, Dictionary<HistoryRow, long> stacks) =>
    [
        e.Run, e.Seq, e.TimeNs, e.Insn, e.Cpu, e.Kind, e.Probe, e.Name, e.Symbol, e.Offset, e.Address, e.Pid, e.Comm, e.Args,
        stacks.TryGetValue(e, out long stack) ? stack : null, e.Caller, e.EntrySeq, e.Event.IsTruncated ? 1L : 0L,
    ];
}
