using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Tools;

namespace KprobeTrace.Report.Verbs;

/// <summary><c>diff</c>: what two traces differ in.</summary>
internal static class DiffVerb
{
    private static readonly JsonSerializerOptions _json = new() { WriteIndented = true };

    internal static Command Create(ReportConsole console)
    {
        Argument<string> first = SharedOptions.Source("A");
        Argument<string> second = SharedOptions.Source("B");
        Option<long> runA = new Option<long>("--run-a") { Description = "The run of A where it holds several (the first).", HelpName = "N" }.Whole(1);
        Option<long> runB = new Option<long>("--run-b") { Description = "The run of B where it holds several (the first).", HelpName = "N" }.Whole(1);
        Option<int> limit = new Option<int>("--limit", "-n")
        {
            Description = "How many divergences, counts and latencies to list (10).",
            HelpName = "N",
            DefaultValueFactory = static _ => 10,
        }.Whole(1);
        Option<int> context = new Option<int>("--context", "-C")
        {
            Description = "Events to show before and behind the first divergence (5).",
            HelpName = "N",
            DefaultValueFactory = static _ => 5,
        }.Whole(0);
        Option<string[]> ignore = SharedOptions.Many(
            "--ignore", "ARG", "An argument, EVENT.ARG or register that may differ; * and ? match (repeatable).");
        Option<bool> counts = new("--counts") { Description = "Compare only how often probes were hit and from where." };
        Option<string> format = SharedOptions.Format("text", "json");
        Command command = new("diff", SharedOptions.Describe(
            "What two traces differ in, aligned by symbol and order: first divergence, probes and callers gained, lost or " +
            "changed, latency shifts. Exit status 1 when they differ.",
            "diff before.mpk after.mpk",
            "diff before.mpk after.mpk --ignore 'open.name' --ignore sp",
            "diff before.mpk after.mpk --counts",
            "diff cloud.mpk amd64.mpk --format json"))
        {
            first, second, runA, runB, ignore, counts, limit, context, format,
        };
        command.SetAction((result, cancellation) =>
        {
            using TraceHistory a = SharedOptions.Open(console, result.GetRequiredValue(first), null, cancellation);
            using TraceHistory b = SharedOptions.Open(console, result.GetRequiredValue(second), null, cancellation);
            int most = result.GetValue(limit);
            TraceDiff diff = TraceDiff.Compare(
                a,
                result.GetValue(runA),
                b,
                result.GetValue(runB),
                new DiffOptions
                {
                    Limit = most,
                    Ignore = result.GetRequiredValue(ignore),
                    CountsOnly = result.GetValue(counts),
                },
                cancellation);
            (string A, string B) sources = (result.GetRequiredValue(first), result.GetRequiredValue(second));
            using Utf8Output output = console.Results();
            if (result.GetValue(format) == "json")
            {
                output.Write(Json(diff, sources, a, b, most, result.GetValue(context)) + "\n");
            }
            else
            {
                Print(diff, sources, a, b, most, result.GetValue(context), output, console);
            }

            return Task.FromResult(diff.Differs ? (int)ExitCode.Failure : (int)ExitCode.Success);
        });
        return command;
    }

    private static void Print(
        TraceDiff diff, (string A, string B) sources, TraceHistory a, TraceHistory b, int limit, int context, Utf8Output output,
        ReportConsole console)
    {
        Line(console.Red("- ") + "A: " + Visible($"{sources.A}: {diff.Images.A}") + Number($", run {diff.Runs.A}, {diff.Events.A:N0} events"));
        Line(console.Green("+ ") + "B: " + Visible($"{sources.B}: {diff.Images.B}") + Number($", run {diff.Runs.B}, {diff.Events.B:N0} events"));
        foreach (DiffInput input in diff.Inputs)
        {
            Differs(input);
        }

        if (!diff.CountsOnly)
        {
            Line(Number(
                $"{diff.Aligned:N0} pairs aligned, {diff.AlignedShare:P2} of the {diff.CommonEvents.A + diff.CommonEvents.B:N0} events of common probes"));
        }

        if (!diff.Differs)
        {
            Line("no difference");
            return;
        }

        if (diff.Divergences.Count > 0)
        {
            DiffDivergence divergence = diff.Divergences[0];
            Line("");
            Line(console.Bold(Number($"First divergence of {diff.DivergenceCount:N0}: {What(divergence)}")));
            Side(a, diff.Runs.A, diff.Context(true, divergence.SeqA, context), divergence.SeqA, divergence.OnlyA, "-", console.Red);
            Side(b, diff.Runs.B, diff.Context(false, divergence.SeqB, context), divergence.SeqB, divergence.OnlyB, "+", console.Green);
            Registers(divergence.SeqA, divergence.SeqB, divergence.Registers);

            foreach (DiffDivergence further in diff.Divergences.Skip(1))
            {
                Line(Number($"  then at A {further.SeqA}, B {further.SeqB}: {What(further)}"));
            }
        }

        if (diff.FirstTimeDifference is { } time)
        {
            Line("");
            Line(Number(
                $"Virtual time differs from A {time.SeqA}, B {time.SeqB} on: {time.TimeA} ns, {time.TimeB} ns"));
        }

        if (diff.FirstRegisterDifference is { } state
            && (diff.Divergences.Count == 0 || diff.Divergences[0].SeqA != state.SeqA || diff.Divergences[0].SeqB != state.SeqB))
        {
            Line("");
            Line("First difference in registers of events that correspond");
            Registers(state.SeqA, state.SeqB, state.Registers);
        }

        Counts("Probes", diff.Probes, false);
        Counts("Callers", diff.Callers, true);
        if (diff.Latencies.Count > 0)
        {
            Line("");
            Line(console.Bold("Latency, ns of virtual time" + More(diff.Latencies.Count)));
            ValueRows table = new("table", output, console);
            table.Begin(["symbol", "between", "calls A", "calls B", "mean A", "mean B", "p95 A", "p95 B", "shift"]);
            foreach (DiffLatency l in diff.Latencies.Take(limit))
            {
                double shift = (l.B.MeanNs / Math.Max(1e-9, l.A.MeanNs)) - 1;
                table.Add(
                    l.A.Symbol, l.A.Between, l.A.Count, l.B.Count, Number($"{l.A.MeanNs:0.0}"), Number($"{l.B.MeanNs:0.0}"),
                    l.A.P95Ns, l.B.P95Ns, Number($"{shift:+0.0%;-0.0%}"));
            }

            table.AlignLeft(0, 1);
            table.Finish();
        }

        // A number fits the line; what is longer stands below it.
        void Differs(DiffInput input)
        {
            switch (input.Name)
            {
                case "memory":
                    Line($"  memory differs: {Visible(ByteCount.Of(input.A))} in A, {Visible(ByteCount.Of(input.B))} in B");
                    break;
                case "cpus":
                    Line($"  CPUs differ: {Visible(input.A)} in A, {Visible(input.B)} in B");
                    break;
                default:
                    Line($"  {input.Name} {(input.Name == "options" ? "differ" : "differs")}");
                    Line(console.Red("  - ") + Shown(input.A));
                    Line(console.Green("  + ") + Shown(input.B));
                    break;
            }
        }

        void Registers(long? seqA, long? seqB, IReadOnlyList<DiffRegister> registers)
        {
            if (registers.Count > 0)
            {
                Line(Number($"  {"",-5} {"A " + seqA,-18}  B {seqB}"));
            }

            foreach (DiffRegister register in registers)
            {
                Line(Number($"  {register.Name,-5} 0x{register.A:x16}  0x{register.B:x16}"));
            }
        }

        void Line(string text) => output.Write(text + "\n");

        string More(int all) => all > limit ? Number($" ({limit} of {all:N0})") : "";

        void Side(
            TraceHistory history, long run, IReadOnlyList<long> seqs, long? at, long only, string sign, Func<string, string> colour)
        {
            EventLines lines = new(history) { Nanoseconds = true };
            long left = 0;
            foreach (long seq in seqs)
            {
                left = seq == at ? only : left;
                bool marked = left-- > 0;
                output.Write(marked ? colour(sign) : " ");
                output.Write(Number($"{seq,10} "));
                lines.WriteOne(run, seq, output);
            }

            if (at is null)
            {
                Line(sign + "  (end of trace)");
            }
        }

        void Counts(string title, IReadOnlyList<DiffCount> counts, bool callers)
        {
            if (counts.Count == 0)
            {
                return;
            }

            Line("");
            Line(console.Bold(title + More(counts.Count)));
            ValueRows table = new("table", output, console);
            table.Begin(callers ? ["change", "probe", "caller", "A", "B"] : ["change", "probe", "A", "B"]);
            foreach (DiffCount count in counts.Take(limit))
            {
                object inA = count.A is { } n ? n : "-";
                object inB = count.B is { } m ? m : "-";
                table.Add(callers
                    ? [count.Change, count.Probe, count.Caller, inA, inB]
                    : [count.Change, count.Probe, inA, inB]);
            }

            table.AlignLeft(callers ? [0, 1, 2] : [0, 1]);
            table.Finish();
        }
    }

    private static string What(DiffDivergence divergence) => divergence.What switch
    {
        "arguments" => "the same event with other arguments: "
            + string.Join("; ", divergence.Arguments.Select(static a => $"{Visible(a.Name)} is {Shown(a.A)} in A, {Shown(a.B)} in B")),
        "caller" => "the same event from another caller"
            + (divergence.Callers is { } c ? $": {Shown(c.A)} in A, {Shown(c.B)} in B" : ""),
        _ => Number($"{divergence.OnlyA:N0} {(divergence.OnlyA == 1 ? "event" : "events")} only in A, {divergence.OnlyB:N0} only in B"),
    };

    private static string Shown(string value) => value.Length > 0 ? Visible(value) : "not there";

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Visible(string text) =>
        Excerpt.WithoutControls(Excerpt.Of(text, Excerpt.MaxLine), '\uFFFD');

    private static string Json(
        TraceDiff diff, (string A, string B) sources, TraceHistory a, TraceHistory b, int limit, int context)
    {
        return JsonSerializer.Serialize(
            new
            {
                differs = diff.Differs,
                sameImage = diff.SameImage,
                a = new { source = sources.A, image = diff.Images.A, run = diff.Runs.A, events = diff.Events.A, common = diff.CommonEvents.A },
                b = new { source = sources.B, image = diff.Images.B, run = diff.Runs.B, events = diff.Events.B, common = diff.CommonEvents.B },
                inputs = diff.Inputs.Select(static i => new { name = i.Name, a = i.A, b = i.B }),
                countsOnly = diff.CountsOnly,
                aligned = diff.Aligned,
                alignedShare = diff.AlignedShare,
                divergences = diff.DivergenceCount,
                firstDivergence = diff.Divergences.Count > 0 ? Divergence(diff.Divergences[0], true) : null,
                listed = diff.Divergences.Select(d => Divergence(d, false)),
                firstTimeDifference = diff.FirstTimeDifference is { } t
                    ? new { seqA = t.SeqA, seqB = t.SeqB, timeA = t.TimeA, timeB = t.TimeB }
                    : null,
                firstRegisterDifference = diff.FirstRegisterDifference is { } r
                    ? new { seqA = r.SeqA, seqB = r.SeqB, registers = Registers(r.Registers) }
                    : null,
                probes = diff.Probes.Take(limit).Select(static c => new { change = c.Change, probe = c.Probe, a = c.A, b = c.B }),
                probesChanged = diff.Probes.Count,
                callers = diff.Callers.Take(limit).Select(static c => new { change = c.Change, probe = c.Probe, caller = c.Caller, a = c.A, b = c.B }),
                callersChanged = diff.Callers.Count,
                latencies = diff.Latencies.Take(limit).Select(static l => new
                {
                    symbol = l.A.Symbol,
                    between = l.A.Between,
                    countA = l.A.Count,
                    countB = l.B.Count,
                    meanA = l.A.MeanNs,
                    meanB = l.B.MeanNs,
                    p95A = l.A.P95Ns,
                    p95B = l.B.P95Ns,
                }),
                latenciesChanged = diff.Latencies.Count,
            },
            _json);

        object Divergence(DiffDivergence d, bool lines) => new
        {
            what = d.What,
            seqA = d.SeqA,
            seqB = d.SeqB,
            onlyA = d.OnlyA,
            onlyB = d.OnlyB,
            arguments = d.Arguments.Select(static a => new { name = a.Name, a = a.A, b = a.B }),
            callers = d.Callers is { } c ? new { a = c.A, b = c.B } : null,
            registers = Registers(d.Registers),
            contextA = lines ? Lines(a, diff.Runs.A, diff.Context(true, d.SeqA, context)) : null,
            contextB = lines ? Lines(b, diff.Runs.B, diff.Context(false, d.SeqB, context)) : null,
        };

        static IEnumerable<object> Registers(IReadOnlyList<DiffRegister> registers) =>
            registers.Select(static r => new { name = r.Name, a = $"0x{r.A:x}", b = $"0x{r.B:x}" });

        static List<string> Lines(TraceHistory history, long run, IReadOnlyList<long> seqs)
        {
            EventLines lines = new(history) { Nanoseconds = true };
            List<string> list = [];
            foreach (long seq in seqs)
            {
                using MemoryStream text = new();
                using (Utf8Output output = new(text, leaveOpen: true))
                {
                    lines.WriteOne(run, seq, output);
                }

                list.Add(Encoding.UTF8.GetString(text.ToArray()).TrimEnd('\n'));
            }

            return list;
        }
    }
}
