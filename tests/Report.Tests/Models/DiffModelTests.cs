using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using CsCheck;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary><c>diff</c> with all its options against counting in lists and plain longest common subsequences.</summary>
public sealed class DiffModelTests
{
    /// <summary>Two or three runs of one world, which differ in what happens.</summary>
    private static readonly Gen<HistoryPlan[]> _related =
        from first in HistoryGen.Plan
        from others in HistoryGen.PlanIn(first.World).Array[1, 2]
        from kernels in Gen.Bool.Array[others.Length]
        select (HistoryPlan[])[first, .. others.Zip(kernels, static (p, other) => other ? Other(p) : p)];

    /// <summary>A run and the same with few events changed, of the same image or of another.</summary>
    private static readonly Gen<HistoryPlan[]> _edited =
        from plan in HistoryGen.Plan
        from edits in Gen.Select(Gen.Enum<HistoryEditKind>(), Gen.Int[0, 100], Gen.Frequency((1, Gen.OneOf(0, 4, 8)), (1, Gen.Int[0, 18])), static (k, e, f) => new HistoryEdit(k, e, f)).Array[0, 3]
        from other in Gen.Bool
        select (HistoryPlan[])[plan, (other ? Other(plan) : plan) with { Edits = edits }];

    [Fact]
    public void Counts_pairs_and_inputs_are_those_of_lists() => HistoryCheck.Ask(
        80, Gen.Frequency((1, HistoryGen.Plans), (3, _related)), 4, Question.Of,
        static (database, question) =>
        {
            (int exit, string output, string error) = Tool.Run(question.Arguments(database.Source, "json"));
            if (question.IsWrong(database.Runs))
            {
                Assert.Equal((1, ""), (exit, output));
                Assert.NotEqual("", error);
                return;
            }

            HistoryRun a = Question.RunOf(database.Runs, question.RunA);
            HistoryRun b = Question.RunOf(database.Runs, question.RunB);
            JsonElement diff = JsonDocument.Parse(output).RootElement;
            Assert.Equal((diff.GetProperty("differs").GetBoolean() ? 1 : 0, ""), (exit, error));
            Assert.Equal(HasDifference(diff), diff.GetProperty("differs").GetBoolean());
            CheckRuns(a, b, diff);
            CheckCounts(a, b, question, diff);
            if (!question.CountsOnly)
            {
                CheckPairs(a, b, question, diff);
                CheckLatencies(a, b, question, diff);
            }

            CheckText(diff, Tool.Run(question.Arguments(database.Source, "text")));
        });

    [Fact]
    public void What_was_changed_is_what_differs() => HistoryCheck.Ask(
        120, _edited, 2, Question.Of,
        static (database, question) =>
        {
            if (question.IsWrong(database.Runs) || question.CountsOnly || database.Runs.Count < 2)
            {
                return;
            }

            question = question with { RunA = 1, RunB = 2, Limit = 1000 };
            (int exit, string output, _) = Tool.Run(question.Arguments(database.Source, "json"));

            JsonElement diff = JsonDocument.Parse(output).RootElement;
            HistoryRun a = database.Runs[0];
            HistoryRun b = database.Runs[1];
            bool sameImage = a.History.Header.ImageSha256 == b.History.Header.ImageSha256;
            int removed = a.Rows.Count - b.Rows.Count;
            long aligned = diff.GetProperty("aligned").GetInt64();
            Assert.Equal(b.Rows.Count, aligned);
            if (removed == 0)
            {
                CheckChanges(a, b, question, sameImage, diff);
            }
            else if (sameImage)
            {
                // Every event that is left finds its own: no pair differs but in what was changed.
                Assert.Equal((removed, 0L), OnlyIn(diff));
            }

            Assert.Equal(diff.GetProperty("differs").GetBoolean() ? 1 : 0, exit);
        });

    /// <summary>The same under another kernel, whose workers have other numbers.</summary>
    private static HistoryPlan Other(HistoryPlan plan) => plan with
    {
        World = plan.World with { Image = plan.World.Image + "-other", Tasks = [.. plan.World.Tasks.Select(Renumbered)] },
    };

    private static HistoryTask? Renumbered(HistoryTask? task) =>
        task is null ? null : task with { Name = [.. task.Name.Select(static b => b is >= (byte)'0' and < (byte)'9' ? (byte)(b + 1) : b)] };

    private static void CheckRuns(HistoryRun a, HistoryRun b, JsonElement diff)
    {
        HashSet<string> common = [.. a.History.Probes.Select(HistoryAlignment.Key).Intersect(b.History.Probes.Select(HistoryAlignment.Key))];
        bool sameImage = a.History.Header.ImageSha256 == b.History.Header.ImageSha256;
        Assert.Equal(sameImage, diff.GetProperty("sameImage").GetBoolean());
        foreach ((string name, HistoryRun run) in ((string, HistoryRun)[])[("a", a), ("b", b)])
        {
            JsonElement side = diff.GetProperty(name);
            Assert.Equal(run.Run, side.GetProperty("run").GetInt64());
            Assert.Equal($"{run.History.Header.ImageName}, {run.History.Header.Kernel}", side.GetProperty("image").GetString());
            Assert.Equal(run.Rows.Count, side.GetProperty("events").GetInt64());
            Assert.Equal(
                diff.GetProperty("countsOnly").GetBoolean() ? 0 : run.Rows.Count(r => common.Contains(HistoryAlignment.Key(r.Event.Probe))),
                side.GetProperty("common").GetInt64());
        }

        (string, string, string)[] inputs =
        [
            ("command line", a.History.Header.CommandLine, b.History.Header.CommandLine),
            ("cpus", Text($"{a.History.Header.Cpus}"), Text($"{b.History.Header.Cpus}")),
        ];
        Assert.Equal(
            inputs.Where(static i => i.Item2 != i.Item3),
            diff.GetProperty("inputs").EnumerateArray().Select(static i => (i.GetProperty("name").GetString()!, i.GetProperty("a").GetString()!, i.GetProperty("b").GetString()!)));
    }

    private static void CheckCounts(HistoryRun a, HistoryRun b, Question question, JsonElement diff)
    {
        HashSet<string> keysA = [.. a.History.Probes.Select(HistoryAlignment.Key)];
        HashSet<string> keysB = [.. b.History.Probes.Select(HistoryAlignment.Key)];
        ILookup<string, HistoryRow> countsA = a.Rows.ToLookup(KeyOfKind);
        ILookup<string, HistoryRow> countsB = b.Rows.ToLookup(KeyOfKind);
        string[] probes = Changes(
            keysA.Union(keysB).Union(countsA.Select(static g => g.Key)).Union(countsB.Select(static g => g.Key)),
            k => Known(k, keysA, countsA), k => Known(k, keysB, countsB), static k => k);
        CheckList(diff, "probes", probes, question.Shown, static p => $"{p.GetProperty("change")} {p.GetProperty("probe")} {p.GetProperty("a")} {p.GetProperty("b")}");

        bool sameImage = a.History.Header.ImageSha256 == b.History.Header.ImageSha256;
        ILookup<string, HistoryRow> callersA = a.Rows.Where(IsFromCaller).ToLookup(r => KeyOfCaller(a, r, sameImage));
        ILookup<string, HistoryRow> callersB = b.Rows.Where(IsFromCaller).ToLookup(r => KeyOfCaller(b, r, sameImage));
        string[] callers = Changes(
            callersA.Select(static g => g.Key).Union(callersB.Select(static g => g.Key)).Where(k => keysA.Contains(k.Split('\0')[0]) && keysB.Contains(k.Split('\0')[0])),
            k => callersA.Contains(k) ? callersA[k].Count() : null, k => callersB.Contains(k) ? callersB[k].Count() : null, static k => k.Replace('\0', ' '));
        CheckList(diff, "callers", callers, question.Shown,
            static c => $"{c.GetProperty("change")} {c.GetProperty("probe")} {c.GetProperty("caller")} {c.GetProperty("a")} {c.GetProperty("b")}");

        static bool IsFromCaller(HistoryRow row) => row.IsHit && row.Caller is not null;
    }

    private static void CheckList(JsonElement diff, string name, string[] expected, int shown, Func<JsonElement, string> text)
    {
        Assert.Equal(expected.Take(shown), diff.GetProperty(name).EnumerateArray().Select(text));
        Assert.Equal(expected.Length, diff.GetProperty(name + "Changed").GetInt32());
    }

    private static string KeyOfKind(HistoryRow row) => HistoryAlignment.Key(row.Event.Probe) + (row.IsHit ? "" : " " + row.Kind);

    /// <summary>Of one image the exact place; of two the function, without what a compiler put behind its name.</summary>
    private static string KeyOfCaller(HistoryRun run, HistoryRow row, bool sameImage)
    {
        string caller = sameImage ? row.Caller! : run.Find(row.Event.Caller)?.Name ?? row.Caller!;
        int dot = caller.IndexOf('.', Math.Min(1, caller.Length));
        return HistoryAlignment.Key(row.Event.Probe) + '\0' + (sameImage || dot < 0 ? caller : caller[..dot]);
    }

    private static int? Known(string key, HashSet<string> keys, ILookup<string, HistoryRow> counts) =>
        counts.Contains(key) ? counts[key].Count() : keys.Contains(Regex.Replace(key, " (post|fault)$", "")) ? 0 : null;

    /// <summary>The largest changes first, of equal ones in the order of their names.</summary>
    private static string[] Changes(IEnumerable<string> keys, Func<string, int?> inA, Func<string, int?> inB, Func<string, string> name) =>
    [
        .. keys.Select(k => (Key: k, A: inA(k), B: inB(k))).Where(static c => c.A != c.B)
            .OrderByDescending(static c => Math.Abs((c.B ?? 0) - (c.A ?? 0))).ThenBy(static c => c.Key, StringComparer.Ordinal)
            .Select(c => Text($"{(c.A is null ? "gained" : c.B is null ? "lost" : "changed")} {name(c.Key)} {c.A} {c.B}")),
    ];

    private static void CheckPairs(HistoryRun a, HistoryRun b, Question question, JsonElement diff)
    {
        HashSet<string> common = [.. a.History.Probes.Select(HistoryAlignment.Key).Intersect(b.History.Probes.Select(HistoryAlignment.Key))];
        HistoryRow[] inA = [.. a.Rows.Where(r => common.Contains(HistoryAlignment.Key(r.Event.Probe)))];
        HistoryRow[] inB = [.. b.Rows.Where(r => common.Contains(HistoryAlignment.Key(r.Event.Probe)))];
        bool sameImage = a.History.Header.ImageSha256 == b.History.Header.ImageSha256;
        long aligned = diff.GetProperty("aligned").GetInt64();
        int most = HistoryAlignment.Pairs(inA, inB, static r => HistoryAlignment.Key(r.Event.Probe) + r.Kind);
        int calls = HistoryAlignment.Pairs(inA, inB, r => KeyOfCall(r.Run == a.Run ? a : b, r, sameImage));
        if (!sameImage)
        {
            // Those of one caller find each other first, then whoever is left.
            Assert.InRange(aligned, calls, most);
        }

        Assert.InRange(aligned, 0, most);
        Assert.Equal(
            inA.Length + inB.Length == 0 ? 1 : 2.0 * aligned / (inA.Length + inB.Length), diff.GetProperty("alignedShare").GetDouble(), 12);
        JsonElement first = diff.GetProperty("firstDivergence");
        if (first.ValueKind != JsonValueKind.Null)
        {
            Assert.Equal(Context(a, inA, first.GetProperty("seqA"), question.Around), first.GetProperty("contextA").EnumerateArray().Select(static l => l.GetString()!));
            Assert.Equal(Context(b, inB, first.GetProperty("seqB"), question.Around), first.GetProperty("contextB").EnumerateArray().Select(static l => l.GetString()!));
        }

        if (diff.GetProperty("divergences").GetInt64() == diff.GetProperty("listed").GetArrayLength())
        {
            Assert.Equal((inA.Length - aligned, inB.Length - aligned), OnlyIn(diff));
        }
    }

    private static string KeyOfCall(HistoryRun run, HistoryRow row, bool sameImage) =>
        row.Caller is null ? HistoryAlignment.Key(row.Event.Probe) + row.Kind : KeyOfCaller(run, row, sameImage) + row.Kind;

    private static string[] Context(HistoryRun run, HistoryRow[] rows, JsonElement seq, int around)
    {
        long at = seq.ValueKind == JsonValueKind.Null ? long.MaxValue : seq.GetInt64();
        HistoryRow[] before = [.. rows.Where(r => r.Seq < at).TakeLast(around)];
        IEnumerable<HistoryRow> behind = at == long.MaxValue ? [] : rows.Where(r => r.Seq >= at).Take(around + 1);
        return [.. before.Concat(behind).Select(r => HistoryLine.Of(run, r, nanoseconds: true))];
    }

    /// <summary>How many events of either side the divergences say to be without a partner.</summary>
    private static (long A, long B) OnlyIn(JsonElement diff)
    {
        JsonElement[] alone = [.. diff.GetProperty("listed").EnumerateArray().Where(static d => d.GetProperty("what").GetString() == "events")];
        return (alone.Sum(static d => d.GetProperty("onlyA").GetInt64()), alone.Sum(static d => d.GetProperty("onlyB").GetInt64()));
    }

    /// <summary>A mean that moved by 5 % and more of the smaller one, at least of a nanosecond.</summary>
    private static void CheckLatencies(HistoryRun a, HistoryRun b, Question question, JsonElement diff)
    {
        Dictionary<string, HistoryLatency> inA = Rows(a);
        Dictionary<string, HistoryLatency> inB = Rows(b);
        string[] expected =
        [
            .. inA.OrderBy(static r => r.Key, StringComparer.Ordinal).Where(r => inB.TryGetValue(r.Key, out HistoryLatency? o)
                    && Math.Abs(Mean(o) - Mean(r.Value)) >= 0.05m * Math.Max(1, Math.Min(Mean(r.Value), Mean(o))))
                .Select(r => Text($"{r.Value.Symbol} {r.Value.Between} {r.Value.Sorted.Count} {inB[r.Key].Sorted.Count} {r.Value.Percentile(95)} {inB[r.Key].Percentile(95)}")),
        ];
        CheckList(diff, "latencies", expected, question.Shown, static l =>
            $"{l.GetProperty("symbol")} {l.GetProperty("between")} {l.GetProperty("countA")} {l.GetProperty("countB")} {l.GetProperty("p95A")} {l.GetProperty("p95B")}");

        static Dictionary<string, HistoryLatency> Rows(HistoryRun run) => HistoryLatency.Of(run, static _ => true)
            .GroupBy(static l => l.Between + " " + (l.Symbol.Length > 0 ? l.Symbol : l.Name)).ToDictionary(static g => g.Key, static g => g.First());

        static decimal Mean(HistoryLatency latency) => (decimal)latency.Sorted.Sum() / latency.Sorted.Count;
    }

    private static void CheckChanges(HistoryRun a, HistoryRun b, Question question, bool sameImage, JsonElement diff)
    {
        (HistoryRow A, HistoryRow B)[] pairs = [.. a.Rows.Zip(b.Rows)];
        string[] changed =
        [
            .. pairs.Select(p => (p.A, Names: p.A.Event.Arguments is null ? [] : p.A.Event.Probe.Definition.Arguments.Where((g, i) =>
                    !question.Ignores(p.A.Name + "." + g.Name) && !question.Ignores(g.Name) && IsChange(p.A.Event.Arguments![i], p.B.Event.Arguments![i], sameImage)).ToArray()))
                .Where(static p => p.Names.Length > 0).Select(static p => Text($"{p.A.Seq} {p.A.Seq} {string.Join(',', p.Names.Select(static n => n.Name))}")),
        ];
        Assert.Equal(
            changed,
            diff.GetProperty("listed").EnumerateArray().Select(static d => $"{d.GetProperty("seqA")} {d.GetProperty("seqB")} {string.Join(',', d.GetProperty("arguments").EnumerateArray().Select(static g => g.GetProperty("name")))}"));
        (HistoryRow A, HistoryRow B) late = pairs.FirstOrDefault(p => sameImage && p.A.TimeNs != p.B.TimeNs);
        Assert.Equal(
            late.A is null ? "" : Text($"{late.A.Seq} {late.B.Seq} {late.A.TimeNs} {late.B.TimeNs}"),
            diff.GetProperty("firstTimeDifference") is { ValueKind: JsonValueKind.Object } t ? $"{t.GetProperty("seqA")} {t.GetProperty("seqB")} {t.GetProperty("timeA")} {t.GetProperty("timeB")}" : "");
        (HistoryRow A, HistoryRow B, string[] Names) state = pairs.Select(p => (p.A, p.B, Names: Registers(p.A, p.B, question))).FirstOrDefault(p => sameImage && p.Names.Length > 0);
        Assert.Equal(
            state.A is null ? "" : Text($"{state.A.Seq} {state.B.Seq} {string.Join(',', state.Names)}"),
            diff.GetProperty("firstRegisterDifference") is { ValueKind: JsonValueKind.Object } r ? $"{r.GetProperty("seqA")} {r.GetProperty("seqB")} {string.Join(',', r.GetProperty("registers").EnumerateArray().Select(static g => $"{g.GetProperty("name")}:{g.GetProperty("a")}:{g.GetProperty("b")}"))}" : "");
    }

    private static string[] Registers(HistoryRow a, HistoryRow b, Question question) =>
    [
        .. (a.Event.Registers ?? []).Select((r, i) => (Name: TraceRegisters.Names[i], A: r, B: b.Event.Registers?[i] ?? r))
            .Where(r => r.A != r.B && !question.Ignores(r.Name)).Select(static r => $"{r.Name}:0x{r.A:x}:0x{r.B:x}"),
    ];

    /// <summary>Of two images only texts and numbers of up to six digits count.</summary>
    private static bool IsChange(object? a, object? b, bool sameImage)
    {
        string x = HistoryJson.Of(a);
        string y = HistoryJson.Of(b);
        return sameImage ? x != y : Counted(a) != Counted(b);
    }

    private static string Counted(object? value) => value switch
    {
        object?[] list => string.Join(',', list.Select(Counted)),
        long or ulong when HistoryJson.Of(value).TrimStart('-').Length > 6 => "some address",
        _ => HistoryJson.Of(value),
    };

    private static bool HasDifference(JsonElement diff) =>
        diff.GetProperty("divergences").GetInt64() + diff.GetProperty("probesChanged").GetInt64() + diff.GetProperty("callersChanged").GetInt64()
            + diff.GetProperty("latenciesChanged").GetInt64() > 0
        || diff.GetProperty("firstTimeDifference").ValueKind != JsonValueKind.Null || diff.GetProperty("firstRegisterDifference").ValueKind != JsonValueKind.Null;

    /// <summary>The text says the same as the JSON.</summary>
    private static void CheckText(JsonElement diff, (int Exit, string Output, string Error) text)
    {
        Assert.Equal((diff.GetProperty("differs").GetBoolean() ? 1 : 0, ""), (text.Exit, text.Error));
        Assert.Equal(!diff.GetProperty("differs").GetBoolean(), text.Output.EndsWith("\nno difference\n", StringComparison.Ordinal));
        Assert.Equal(diff.GetProperty("countsOnly").GetBoolean() ? 0 : 1, Regex.Count(text.Output, Text($"(?m)^{diff.GetProperty("aligned").GetInt64():N0} pairs aligned, ")));
        long divergences = diff.GetProperty("divergences").GetInt64();
        Assert.Equal(divergences > 0 ? 1 : 0, Regex.Count(text.Output, Text($"(?m)^First divergence of {divergences:N0}: ")));
        Assert.Equal(Math.Max(0, diff.GetProperty("listed").GetArrayLength() - 1), Regex.Count(text.Output, "(?m)^  then at A "));
        foreach ((string title, string name) in ((string, string)[])[("Probes", "probes"), ("Callers", "callers"), ("Latency, ns of virtual time", "latencies")])
        {
            int all = diff.GetProperty(name + "Changed").GetInt32();
            int shown = diff.GetProperty(name).GetArrayLength();
            string head = all == 0 ? "(?!)" : all > shown ? Text($@"(?m)^{title} \({shown} of {all:N0}\)$") : $"(?m)^{title}$";
            Assert.Equal(all == 0 ? 0 : 1, Regex.Count(text.Output, head));
        }

        Assert.Equal(diff.GetProperty("firstTimeDifference").ValueKind == JsonValueKind.Object ? 1 : 0, Regex.Count(text.Output, "(?m)^Virtual time differs from A "));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record Question(int RunA, int RunB, int? Limit, int? ContextLines, string[] Ignore, bool CountsOnly)
    {
        internal int Shown => Math.Max(1, Limit ?? 10);

        internal int Around => ContextLines ?? 5;

        internal static Gen<Question> Of(IReadOnlyList<HistoryRun> runs)
        {
            string[] names = [.. runs.SelectMany(static r => r.History.Probes).SelectMany(static p => p.Definition.Arguments.SelectMany(a => (string[])[a.Name, $"{p.Definition.Name}.{a.Name}"]))];
            return
                from a in Gen.Int[0, runs.Count]
                from b in Gen.Int[0, runs.Count]
                from limit in Gen.Int[-3, 3]
                from context in Gen.Int[-2, 2]
                from ignore in Gen.Frequency((1, Gen.Const(0)), (1, Gen.Int[1, 2])).SelectMany(n => Gen.Frequency((2, HistoryPattern.Of(names)), (1, Gen.OneOf("ax", "r*", "?i"))).Array[n])
                from counts in Gen.Int[0, 3]
                select new Question(a, b, limit < 1 ? null : limit, context < 0 ? null : context, ignore, counts == 0);
        }

        internal string[] Arguments(string source, string format) =>
        [
            "diff", source, source, .. RunA == 0 ? [] : (string[])["--run-a", $"{RunA}"], .. RunB == 0 ? [] : (string[])["--run-b", $"{RunB}"],
            .. Limit is { } n ? ["--limit", $"{n}"] : (string[])[], .. ContextLines is { } c ? ["--context", $"{c}"] : (string[])[],
            .. Ignore.SelectMany(static i => (string[])["--ignore", i]), .. CountsOnly ? ["--counts"] : (string[])[], "--format", format,
        ];

        internal static HistoryRun RunOf(IReadOnlyList<HistoryRun> runs, int run) => run == 0 ? runs[0] : runs.Single(r => r.Run == run);

        /// <summary>Whether there is no such run, or nothing that is called as what is to be ignored.</summary>
        internal bool IsWrong(IReadOnlyList<HistoryRun> runs)
        {
            if (new[] { RunA, RunB }.Any(n => n != 0 && runs.All(r => r.Run != n)))
            {
                return true;
            }

            IEnumerable<string> names = new[] { RunOf(runs, RunA), RunOf(runs, RunB) }.SelectMany(static r => r.History.Probes)
                .SelectMany(static p => p.Definition.Arguments.SelectMany(a => (string[])[a.Name, $"{p.Definition.Name}.{a.Name}"]));
            return Ignore.Any(i => !names.Concat(TraceRegisters.Names.ToArray()).Any(n => HistoryPattern.Matches(i, n)));
        }

        internal bool Ignores(string name) => Ignore.Any(i => HistoryPattern.Matches(i, name));

        public override string ToString() => string.Join(' ', Arguments("SRC", "json").Select(static w => w.StartsWith("--", StringComparison.Ordinal) ? w : HistoryText.Quote(w)));
    }
}
