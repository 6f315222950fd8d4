using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Every view of docs/schema.md, in every format of <c>query</c>, against the history that was written.</summary>
public sealed class QueryModelTests
{
    private static readonly View[] _views =
    [
        new(
            "SELECT run, image, image_sha256, kernel, command_line, memory, instructions, time_ns, ended, complete, events, exit_code, cpus, producer, source FROM runs ORDER BY run",
            static runs => runs.Select(static r => (object?[])
            [
                r.Run, r.History.Header.ImageName, r.History.Header.ImageSha256, r.History.Header.Kernel, r.History.Header.CommandLine,
                (long)r.History.Header.MemoryBytes, (long)(r.History.Footer?.Instructions ?? Last(r)?.Instructions ?? 0),
                (long)(r.History.Footer?.TimeNs ?? Last(r)?.TimeNs ?? 0), r.History.Footer?.Ended ?? "cut-off", r.History.Footer is null ? 0L : 1L,
                (long)r.Rows.Count, (long)(r.History.Footer?.ExitCode ?? 0), (long)r.History.Header.Cpus, $"run {r.Run}", $"run-{r.Run}.mpk",
            ])),
        new(
            "SELECT run, probe, grp, name, type, symbol, offset, address, module, definition, filter, hits, nmissed, state FROM probes ORDER BY run, probe",
            static runs => runs.SelectMany(static r => r.History.Probes.Select(p => Probe(r, p)))),
        new(
            "SELECT run, seq, time_ns, insn, cpu, kind, probe, name, symbol, offset, address, pid, comm, args AS a, stack IS NULL AS s, caller, entry_seq, truncated FROM events ORDER BY run, seq",
            static runs => runs.SelectMany(static r => r.Rows).Select(static r => (object?[])
            [
                r.Run, r.Seq, r.TimeNs, r.Insn, r.Cpu, r.Kind, r.Probe, r.Name, r.Symbol, r.Offset, r.Address, r.Pid, r.Comm, r.Args,
                r.Event.Stack.Count == 0 ? 1L : 0L, r.Caller, r.EntrySeq, r.Event.IsTruncated ? 1L : 0L,
            ])),
        new(
            "SELECT run, seq, ax, bx, cx, dx, si, di, bp, sp, r8, r9, r10, r11, r12, r13, r14, r15, ip, flags, cr3 FROM regs ORDER BY run, seq",
            static runs => runs.SelectMany(static r => r.Rows).Where(static r => r.Event.Registers is not null)
                .Select(static r => (object?[])[r.Run, r.Seq, .. r.Event.Registers!.Select(static v => (object?)(long)v)])),
        new(
            "SELECT run, seq, vector, error_code, cr2, handled, name, pid, time_ns, entry_seq, kind FROM faults ORDER BY run, seq",
            static runs => runs.SelectMany(static r => r.Rows).Where(static r => r.Kind == "fault").Select(static r => (object?[])
                [r.Run, r.Seq, (long)r.Event.Vector, (long)r.Event.ErrorCode, (long)r.Event.Cr2, r.Event.IsHandled ? 1L : 0L, r.Name, r.Pid, r.TimeNs, r.EntrySeq, "fault"])),
        new(
            "SELECT run, address, size, name, module, kind FROM symbols ORDER BY run, address",
            static runs => runs.SelectMany(static r => r.History.Functions.OrderBy(static f => f.Address).Select(f => (object?[])
                [r.Run, (long)f.Address, (long)f.Size, f.Name, f.Module, f.Module.Length > 0 ? "t" : "T"]))),
        new(
            "SELECT run, time_ns, insn, line FROM console",
            static runs => runs.SelectMany(static r => r.History.Console.Select(c => (object?[])[r.Run, (long)c.TimeNs, (long)c.Instructions, Encoding.UTF8.GetString(c.Line)]))),
        new(
            "SELECT run, time_ns, insn, address, hex(old) AS old, hex(new) AS new, reason FROM text_pokes",
            static runs => runs.SelectMany(static r => r.History.Pokes.Select(p => (object?[])[r.Run, (long)p.TimeNs, (long)p.Instructions, (long)p.Address, "55", "CC", p.Reason]))),
        new(
            "SELECT run, time_ns, insn, kind, probe, count, text FROM notes",
            static runs => runs.SelectMany(static r => r.History.Notes.Select(n => (object?[])
            [
                r.Run, (long)n.TimeNs, (long)n.Instructions, n.Kind == TraceNoteKind.ProbeState ? "probe-state" : n.Kind.ToString().ToLowerInvariant(),
                n.ProbeId < 0 ? null : (long)n.ProbeId, (long)n.Count, n.Text,
            ]))),
        new(
            "SELECT e.run, e.seq, s.depth, s.address, s.symbol, s.offset, s.module FROM events e JOIN stacks s USING (run, stack) ORDER BY 1, 2, 3",
            static runs => runs.SelectMany(static r => r.Rows.SelectMany(row => row.Event.Stack.Select((a, depth) => Frame(r, row, a, depth))))),
        new(
            "SELECT run, count(DISTINCT stack) AS n FROM events GROUP BY run ORDER BY run",
            static runs => runs.Where(static r => r.Rows.Count > 0).Select(static r => (object?[])
                [r.Run, (long)r.Rows.Where(static e => e.Event.Stack.Count > 0).Select(static e => string.Join(' ', e.Event.Stack)).Distinct().Count()])),
        new(
            "SELECT run, probe, name, symbol, kind, comm, sum(events) AS n FROM counts GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 5, 6",
            static runs => runs.SelectMany(static r => r.Rows).GroupBy(static r => (r.Run, r.Probe, r.Name, r.Symbol, r.Kind, r.Comm))
                .OrderBy(static g => g.Key.Run).ThenBy(static g => g.Key.Probe).ThenBy(static g => g.Key.Kind, StringComparer.Ordinal)
                .ThenBy(static g => g.Key.Comm, Comparer<string?>.Create(HistoryExpressions.Compare))
                .Select(static g => (object?[])[g.Key.Run, g.Key.Probe, g.Key.Name, g.Key.Symbol, g.Key.Kind, g.Key.Comm, (long)g.Count()])),
        new(
            "SELECT run, seq, probe, kind, time_ns FROM hits ORDER BY run, seq",
            static runs => runs.SelectMany(static r => r.Rows).Select(static r => (object?[])[r.Run, r.Seq, r.Probe, r.Kind, r.TimeNs])),
        new(
            "SELECT run, probe, event, position, name, type FROM arguments ORDER BY run, probe, position",
            static runs => runs.SelectMany(static r => r.History.Probes.SelectMany(p => p.Definition.Arguments.Select((a, i) => (object?[])
                [r.Run, (long)p.Definition.Id, p.Definition.Name, (long)i, a.Name, a.Type])))),
        new(
            "SELECT run, length FROM damages ORDER BY run",
            static runs => runs.Where(static r => r.History.Footer is null).Select(static r => (object?[])[r.Run, 0L])),
        new(
            "SELECT seq, hex64(address) AS a, sym(address, run) AS b, bucket(time_ns) AS c, bucket(-seq) AS d, hex64(caller) AS e, sym(NULL) AS f FROM events ORDER BY run, seq",
            static runs => runs.SelectMany(static r => r.Rows.Select(e => (object?[])
                [e.Seq, $"0x{e.Address:x}", r.Name((ulong)e.Address), Power(e.TimeNs), -Power(e.Seq), null, null]))),
        new(
            "SELECT kind, median(time_ns) AS a, p50(time_ns) AS b, p90(time_ns) AS c, p95(time_ns) AS d, p99(time_ns) AS e, percentile(time_ns, 0) AS f, percentile(time_ns, 12.5) AS g, percentile(time_ns, 100) AS h, median(pid) AS i, median(comm) AS j FROM events GROUP BY kind ORDER BY kind",
            static runs => runs.SelectMany(static r => r.Rows).GroupBy(static r => r.Kind).OrderBy(static g => g.Key, StringComparer.Ordinal).Select(static g => (object?[])
            [
                g.Key, .. ((double[])[50, 50, 90, 95, 99, 0, 12.5, 100]).Select(p => (object?)Percentile(g.Select(static r => (long?)r.TimeNs), p)),
                Percentile(g.Select(static r => r.Pid), 50), null,
            ])),
    ];

    [Fact]
    public void Views_hold_what_the_trace_told() => HistoryCheck.Ask(
        100, HistoryGen.Plans, 8,
        static _ => Gen.Select(Gen.OneOf(_views), HistoryAnswer.Formats, Gen.Bool),
        static (database, question) =>
        {
            (View view, string format, bool isStandardInput) = question;
            (int exit, string output, string error) = Tool.RunWith(
                view.Sql, ["query", database.Source, isStandardInput ? "-" : view.Sql, "--format", format, "--memory", "64M"]);

            Assert.Equal((0, ""), (exit, error));
            object?[][] rows = [.. view.Rows(database.Runs)];
            Assert.All(rows, r => Assert.Equal(view.Columns.Length, r.Length));
            HistoryAnswer.Equal(format, view.Columns, rows, output);
        });

    [Fact]
    public void The_view_of_an_event_has_a_column_for_each_argument() => HistoryCheck.Ask(
        100, HistoryGen.Plans, 4,
        static runs => Gen.Select(Gen.OneOf(runs.SelectMany(static r => r.History.Probes).Select(static p => p.Definition.Name).ToArray()), HistoryAnswer.Formats),
        static (database, question) =>
        {
            (string name, string format) = question;
            HistoryProbe[] probes = [.. database.Runs.SelectMany(static r => r.History.Probes).Where(p => p.Definition.Name == name)];
            string[] arguments = [.. probes.SelectMany(static p => p.Definition.Arguments).Select(static a => a.Name).Distinct(StringComparer.OrdinalIgnoreCase)];
            string view = HistoryAnswer.Csv(Tool.Good(
                "query", database.Source, "--format", "csv", $"SELECT DISTINCT view FROM probes WHERE name = '{name.Replace("'", "''")}'"))[1][0];

            string output = Tool.Good(
                "query", database.Source, "--format", format,
                $"SELECT run, seq{string.Concat(arguments.Select(static (a, i) => $", {HistoryCondition.Column(a)} AS a{i}"))} FROM \"{view.Replace("\"", "\"\"")}\" ORDER BY run, seq");

            HistoryAnswer.Equal(
                format, ["run", "seq", .. arguments.Select(static (_, i) => $"a{i}")],
                database.Runs.SelectMany(static r => r.Rows).Where(r => r.Name == name).Select(r => (object?[])[r.Run, r.Seq, .. arguments.Select(r.Argument)]), output);
        });

    private static HistoryEvent? Last(HistoryRun run) => run.History.Events.Count == 0 ? null : run.History.Events[^1];

    private static object?[] Probe(HistoryRun run, HistoryProbe probe)
    {
        TraceProbe d = probe.Definition;
        TraceProbeCount? count = run.History.Footer?.Probes[d.Id];
        long hits = count is null ? run.Rows.Count(r => r.Event.Probe == probe && r.IsHit) : (long)count.Hits;
        return
        [
            run.Run, (long)d.Id, d.Group, d.Name, d.Type.ToString(), d.Symbol, (long)d.Offset, (long)d.Address, d.Module, d.Definition, d.Filter, hits,
            (long)(count?.Missed ?? 0), count?.State ?? d.State,
        ];
    }

    private static object?[] Frame(HistoryRun run, HistoryRow row, ulong address, int depth) => run.Find(address) is { } f
        ? [row.Run, row.Seq, (long)depth, (long)address, f.Name, (long)(address - f.Address), f.Module]
        : [row.Run, row.Seq, (long)depth, (long)address, $"0x{address:x}", 0L, ""];

    private static long Power(long number) => number == 0 ? 0 : 1L << (63 - System.Numerics.BitOperations.LeadingZeroCount((ulong)number));

    private static long? Percentile(IEnumerable<long?> values, double percent)
    {
        long[] sorted = [.. values.OfType<long>().Order()];
        return sorted.Length == 0 ? null : sorted.First(v => sorted.Count(o => o <= v) * 100 >= percent * sorted.Length);
    }

    private sealed record View(string Sql, Func<IReadOnlyList<HistoryRun>, IEnumerable<object?[]>> Rows)
    {
        /// <summary>The columns' names: what stands behind AS, or behind the last dot.</summary>
        internal string[] Columns =>
            [.. Regex.Split(Regex.Match(Sql, "^SELECT (.*?) FROM").Groups[1].Value, @", (?![^(]*\))").Select(static c => Regex.Match(c, @"\w+$").Value)];

        public override string ToString() => Sql;
    }
}
