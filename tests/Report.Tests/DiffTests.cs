using System.Text.Json;
using System.Text.RegularExpressions;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class DiffTests : IDisposable
{
    private const string Header = """
        p:fork kernel_clone
        r:fork_ret kernel_clone
        p:open do_sys_openat2 name=+0(%si):ustring
        r:open_ret do_sys_openat2 ret=$retval:s64
        p:extra never_called

        """;

    private const string Five = Header + """
        10 fork init-1 %di=17
        20 open sh-2 name=a
        30 open sh-2 name=b
        40 open_ret sh-2 ret=3 %ax=3
        50 fork sh-2
        """;

    private static readonly string[] _long = LongRows();

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Equal_traces_do_not_differ()
    {
        string output = Tool.Good("diff", _folder.Trace(Five, "a.mpk"), _folder.Trace(Five, "b.mpk"));

        Assert.Contains("no difference", output, StringComparison.Ordinal);
        Assert.Contains("100.00", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_planted_event_is_found_where_it_is()
    {
        JsonElement diff = Json(
            Long("a.mpk", static _ => { }),
            Long("b.mpk", static e => e.Insert(1500, "15001 fork sh-77")));

        Assert.True(diff.GetProperty("differs").GetBoolean());
        JsonElement first = diff.GetProperty("firstDivergence");
        Assert.Equal(1501, first.GetProperty("seqB").GetInt64());
        Assert.Equal(1, first.GetProperty("onlyB").GetInt32());
        Assert.Equal(0, first.GetProperty("onlyA").GetInt32());
        Assert.Equal(1, diff.GetProperty("divergences").GetInt32());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1L << 32)]
    public void An_event_number_that_no_recording_has_is_refused(long seq)
    {
        string trace = _folder.Trace("p:f f\n1 f\n2 f");
        _ = Tool.Good(trace, "--db", _folder["odd.db"]);
        using (SqliteDatabase database = SqliteDatabase.Open(_folder["odd.db"], write: true))
        {
            database.Execute($"UPDATE kt_event SET seq = {seq} WHERE seq = 2");
        }

        Assert.Contains($"odd.db: run 1 has an event numbered {seq};", Tool.Bad(1, "diff", trace, _folder["odd.db"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1 << 15, 1 << 16)]
    [InlineData((1 << 16) - 3, 1L << 31)]
    [InlineData(1L << 24, (1L << 32) - 100)]
    public void Events_are_told_by_their_numbers_however_large(long moreInA, long moreInB)
    {
        string a = Renumbered(_folder.Trace(Five, "a.mpk"), moreInA);
        string b = Renumbered(_folder.Trace(Five + " %ax=77", "b.mpk"), moreInB);
        string c = Renumbered(_folder.Trace(Five.Replace("name=b", "name=x %ax=77", StringComparison.Ordinal), "c.mpk"), moreInB);

        JsonElement first = Json(a, b).GetProperty("firstRegisterDifference");
        Assert.Equal((5 + moreInA, 5 + moreInB), (first.GetProperty("seqA").GetInt64(), first.GetProperty("seqB").GetInt64()));
        JsonElement diff = Json(a, c);
        Assert.Equal(5, diff.GetProperty("aligned").GetInt32());
        JsonElement listed = Assert.Single(diff.GetProperty("listed").EnumerateArray());
        Assert.Equal((3 + moreInA, 3 + moreInB), (listed.GetProperty("seqA").GetInt64(), listed.GetProperty("seqB").GetInt64()));
        Assert.Equal("ax", Assert.Single(listed.GetProperty("registers").EnumerateArray()).GetProperty("name").GetString());
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(1UL << 16)]
    [InlineData(1UL << 32)]
    [InlineData(1UL << 48)]
    public void Time_differs_whichever_of_its_bits_does(ulong later)
    {
        JsonElement diff = Json(Hits("a.mpk", 0), Hits("b.mpk", later));

        JsonElement first = diff.GetProperty("firstTimeDifference");
        Assert.Equal(
            (3, 3, 600, 600 + (long)later),
            (first.GetProperty("seqA").GetInt32(), first.GetProperty("seqB").GetInt32(), first.GetProperty("timeA").GetInt64(), first.GetProperty("timeB").GetInt64()));
        Assert.Equal(0, diff.GetProperty("divergences").GetInt32());

        string Hits(string name, ulong more) => _folder.Trace($"p:f f\n100 f\n300 f\n{600 + more} f\n{650 + more} f", name);
    }

    [Fact]
    public void A_missing_event_is_found_where_it_was()
    {
        JsonElement diff = Json(Long("a.mpk", static _ => { }), Long("b.mpk", static e => e.RemoveAt(2000)));

        Assert.Equal(2001, diff.GetProperty("firstDivergence").GetProperty("seqA").GetInt64());
        Assert.Equal(1, diff.GetProperty("firstDivergence").GetProperty("onlyA").GetInt32());
    }

    [Fact]
    public void Another_argument_is_a_divergence_and_its_registers_are_named()
    {
        int at = Array.FindIndex(_long, 900, static row => row.Contains(" ret=", StringComparison.Ordinal));
        JsonElement diff = Json(Long("a.mpk", static _ => { }), Long("b.mpk", e => e[at] = Returning99(e[at])));

        JsonElement first = diff.GetProperty("firstDivergence");
        Assert.Equal("arguments", first.GetProperty("what").GetString());
        Assert.Equal(at + 1, first.GetProperty("seqA").GetInt64());
        Assert.Equal("ax", first.GetProperty("registers")[0].GetProperty("name").GetString());
        Assert.Equal("0x63", first.GetProperty("registers")[0].GetProperty("b").GetString());
    }

    [Fact]
    public void Another_register_alone_is_a_difference_of_runs_of_one_image()
    {
        JsonElement diff = Json(
            Long("a.mpk", static _ => { }),
            Long("b.mpk", static e => e[1200] += " %di=0xdead"));

        Assert.True(diff.GetProperty("differs").GetBoolean());
        Assert.Equal(0, diff.GetProperty("divergences").GetInt32());
        JsonElement first = diff.GetProperty("firstRegisterDifference");
        Assert.Equal((1201, 1201), (first.GetProperty("seqA").GetInt32(), first.GetProperty("seqB").GetInt32()));
        Assert.Equal("di", Assert.Single(first.GetProperty("registers").EnumerateArray()).GetProperty("name").GetString());
    }

    [Fact]
    public void Two_kernels_align_by_symbol_although_their_timing_differs()
    {
        JsonElement diff = Json(
            Long("a.mpk", static _ => { }, "vmlinuz-a"),
            Long("b.mpk", static e =>
            {
                for (int i = 0; i < e.Count; i++)
                {
                    e[i] = Regex.Replace(e[i], @"^\d+|(?<=entered=)\d+", static m => $"{3 * int.Parse(m.Value, null)}");
                }

                e.RemoveRange(100, 40);
            }, "vmlinuz-b"));

        Assert.False(diff.GetProperty("sameImage").GetBoolean());
        Assert.True(diff.GetProperty("alignedShare").GetDouble() > 0.98);
        // Where the first event left out equals the first one kept, the gap may as well begin behind it.
        Assert.InRange(diff.GetProperty("firstDivergence").GetProperty("seqA").GetInt64(), 101, 104);
        Assert.NotEmpty(diff.GetProperty("latencies").EnumerateArray());
    }

    [Fact]
    public void Text_shows_context_of_both_sides_and_exit_status_says_they_differ()
    {
        (int exit, string output, _) = Tool.Run("diff", _folder.Trace(Five, "a.mpk"), _folder.Trace(Five.Replace("50 fork sh-2", "", StringComparison.Ordinal), "b.mpk"));

        Assert.Equal(1, exit);
        Assert.Contains("First divergence", output, StringComparison.Ordinal);
        Assert.Contains("-         5", output, StringComparison.Ordinal);
        Assert.Contains("(end of trace)", output, StringComparison.Ordinal);
        Assert.Contains("changed  p kernel_clone", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Both_files_are_named_and_so_is_what_they_were_started_with()
    {
        string a = Opens("a.mpk", "a b c");
        string b = Opens("b.mpk", "a b c", "console=ttyS0 nokaslr");

        (int exit, string output, _) = Tool.Run("diff", a, b);

        Assert.Equal(0, exit);
        Assert.Contains($"- A: {a}: vmlinuz-opens, Linux version 6.1.0-test, run 1, 3 events\n", output, StringComparison.Ordinal);
        Assert.Contains($"+ B: {b}: vmlinuz-opens, ", output, StringComparison.Ordinal);
        Assert.Contains("  command line differs\n  - console=ttyS0 panic=-1\n  + console=ttyS0 nokaslr\n", output, StringComparison.Ordinal);
        JsonElement json = Json(a, b);
        Assert.Equal((a, b), (json.GetProperty("a").GetProperty("source").GetString(), json.GetProperty("b").GetProperty("source").GetString()));
        Assert.Equal("command line", Assert.Single(json.GetProperty("inputs").EnumerateArray()).GetProperty("name").GetString());
    }

    [Fact]
    public void Memory_that_differs_is_one_line_with_both_sizes_and_what_is_missing_is_called_so()
    {
        string a = _folder.Trace($"memory {256 << 20}\ninitrd {new string('1', 64)}", "a.mpk");
        string b = _folder.Trace($"memory {(512 << 20) + 4096}", "b.mpk");

        string[] lines = Tool.Good("diff", a, b).Split('\n');

        Assert.Contains("  memory differs: 256 MiB in A, 536,875,008 bytes in B", lines);
        Assert.Equal(["  initramfs differs", $"  - {new string('1', 64)}", "  + not there"], lines.SkipWhile(static l => !l.StartsWith("  init", StringComparison.Ordinal)).Take(3));
    }

    [Fact]
    public void The_argument_that_differs_is_named_with_both_values()
    {
        string a = Opens("a.mpk", "a b c");
        string b = Opens("b.mpk", "a x c");

        Assert.Contains(
            "First divergence of 1: the same event with other arguments: name is \"b\" in A, \"x\" in B\n", Tool.Run("diff", a, b).Output, StringComparison.Ordinal);
        JsonElement argument = Assert.Single(Json(a, b).GetProperty("firstDivergence").GetProperty("arguments").EnumerateArray());
        Assert.Equal(("name", "\"b\""), (argument.GetProperty("name").GetString(), argument.GetProperty("a").GetString()));
    }

    [Theory]
    [InlineData("a b c d", "a x b c d", 1, "x")]
    [InlineData("a b c d", "x a b c d", 1, "x")]
    [InlineData("x a b c d", "a b c d y", 2, "x y")]
    [InlineData("a b c d e f", "a c d e f", 1, "b")]
    [InlineData("a b a b a b c", "a b a b c", 1, "a b")]
    [InlineData("a b c d", "a y c x d", 2, "b x y")]
    [InlineData("a b c", "d e f", 3, "a b c d e f")]
    public void Events_of_one_image_are_paired_by_their_arguments(string a, string b, int divergences, string different)
    {
        string first = Opens("a.mpk", a);
        string second = Opens("b.mpk", b);
        JsonElement diff = Json(first, second);

        Assert.Equal(divergences, diff.GetProperty("divergences").GetInt32());
        string[] names =
        [
            .. diff.GetProperty("listed").EnumerateArray().SelectMany(d => Names(first, d, "A").Concat(Names(second, d, "B"))).Order(StringComparer.Ordinal),
        ];
        Assert.Equal(different, string.Join(' ', names));
    }

    [Fact]
    public void Arguments_and_registers_that_are_ignored_may_differ()
    {
        string a = Long("a.mpk", static _ => { });
        string b = Long("b.mpk", static e =>
        {
            for (int i = 901; i < 920; i += 2)
            {
                e[i] = Returning99(e[i]);
            }
        });

        Assert.Equal(1, Tool.Run("diff", a, b).Exit);
        Assert.Equal(1, Tool.Run("diff", a, b, "--ignore", "ret").Exit);
        Assert.Equal(1, Tool.Run("diff", a, b, "--ignore", "ax").Exit);
        Assert.Contains("no difference", Tool.Good("diff", a, b, "--ignore", "open_ret.ret", "--ignore", "ax"), StringComparison.Ordinal);
        Assert.Contains("no argument of either run and no register is called so", Tool.Bad(1, "diff", a, b, "--ignore", "rett"), StringComparison.Ordinal);
    }

    [Fact]
    public void Counts_alone_do_not_see_order_or_arguments()
    {
        string a = Opens("a.mpk", "a b c");

        Assert.Equal(0, Tool.Run("diff", a, Opens("b.mpk", "c x b"), "--counts").Exit);
        (int exit, string output, _) = Tool.Run("diff", a, Opens("c.mpk", "a b"), "--counts");
        Assert.Equal(1, exit);
        Assert.Matches("changed  p do_sys_openat2 +3  2\n", output);
        Assert.DoesNotContain("aligned", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(64, 64)]
    [InlineData(100, 900)]
    public void Windows_give_what_the_whole_gives(int window, int largest)
    {
        Random random = new(window);
        string a = Long("a.mpk", static _ => { });
        for (int round = 0; round < 12; round++)
        {
            List<int> at = [.. Enumerable.Range(0, 6).Select(_ => random.Next(3000))];
            string b = Long($"b{round}.mpk", e =>
            {
                foreach (int i in at.OrderDescending())
                {
                    if (i % 2 == 0)
                    {
                        e.RemoveAt(i);
                    }
                    else
                    {
                        e.Insert(i, $"{TimeOf(e[i])} fork sh-77 %di=99");
                    }
                }
            });
            using TraceHistory first = TraceHistory.Open(a);
            using TraceHistory second = TraceHistory.Open(b);

            TraceDiff whole = TraceDiff.Compare(first, 0, second, 0, new DiffOptions { Limit = 100 });
            TraceDiff parts = TraceDiff.Compare(first, 0, second, 0, new DiffOptions { Limit = 100, Window = window, LargestWindow = largest });

            Assert.Equal(whole.CommonEvents, parts.CommonEvents);
            Assert.Equal(whole.Aligned, parts.Aligned);
            Assert.InRange(parts.DivergenceCount, 1, at.Count);
        }
    }

    [Theory]
    [InlineData(500)]
    [InlineData(2500)]
    public void Runs_that_part_for_longer_than_a_window_are_read_to_their_ends(int more)
    {
        string a = Long("a.mpk", static _ => { });
        string b = Long("b.mpk", e => e.InsertRange(1000, Enumerable.Range(0, more).Select(i => $"{TimeOf(e[1000])} extra sh-9 %di={i}")));
        using TraceHistory first = TraceHistory.Open(a);
        using TraceHistory second = TraceHistory.Open(b);

        TraceDiff whole = TraceDiff.Compare(first, 0, second, 0);
        TraceDiff diff = TraceDiff.Compare(first, 0, second, 0, new DiffOptions { Window = 128, LargestWindow = 1024 });

        Assert.Equal((diff.Events.A, diff.Events.A + more), diff.CommonEvents);
        Assert.Equal(1001, diff.Divergences[0].SeqB);
        if (more < 1024)
        {
            // Where a window ends on one side only, a few events near the stretch may find no partner.
            Assert.InRange(diff.Aligned, whole.Aligned * 99 / 100, whole.Aligned);
        }
    }

    [Fact]
    public void Alignments_are_longest_common_subsequences()
    {
        Random random = new(5);
        for (int round = 0; round < 400; round++)
        {
            int[] a = Sequence(random.Next(0, 40), random.Next(1, 6));
            int[] b = Sequence(random.Next(0, 40), random.Next(1, 6));

            int[] match = SequenceAlignment.Align(a, b);

            int last = -1;
            int pairs = 0;
            for (int i = 0; i < a.Length; i++)
            {
                if (match[i] >= 0)
                {
                    Assert.Equal(a[i], b[match[i]]);
                    Assert.True(match[i] > last);
                    last = match[i];
                    pairs++;
                }
            }

            Assert.Equal(LongestCommon(a, b), pairs);
        }

        int[] Sequence(int length, int symbols) => [.. Enumerable.Range(0, length).Select(_ => random.Next(symbols))];
    }

    [Fact]
    public void Long_sequences_with_large_gaps_still_align()
    {
        Random random = new(9);
        int[] a = [.. Enumerable.Range(0, 60_000).Select(_ => random.Next(20))];
        List<int> b = [.. a];
        b.InsertRange(20_000, Enumerable.Range(0, 9_000).Select(_ => random.Next(20)));
        b.RemoveRange(45_000, 5_000);
        for (int i = 0; i < 300; i++)
        {
            b[random.Next(b.Count)] = 99;
        }

        int[] match = SequenceAlignment.Align(a, [.. b]);

        Assert.True(match.Count(static m => m >= 0) > 54_000);
    }

    private static int LongestCommon(int[] a, int[] b)
    {
        int[,] best = new int[a.Length + 1, b.Length + 1];
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                best[i, j] = a[i - 1] == b[j - 1] ? best[i - 1, j - 1] + 1 : Math.Max(best[i - 1, j], best[i, j - 1]);
            }
        }

        return best[a.Length, b.Length];
    }

    /// <summary>A trace's database in which all events have larger numbers.</summary>
    private static string Renumbered(string trace, long more)
    {
        string database = trace + ".renumbered.db";
        _ = Tool.Good(trace, "--db", database);
        using SqliteDatabase writer = SqliteDatabase.Open(database, write: true);
        foreach (string column in (string[])["kt_event.seq", "kt_reg.seq", "kt_fault.seq", "kt_call.return_seq"])
        {
            string[] parts = column.Split('.');
            writer.Execute($"UPDATE {parts[0]} SET {parts[1]} = -{parts[1]}; UPDATE {parts[0]} SET {parts[1]} = {more} - {parts[1]}");
        }

        return database;
    }

    /// <summary>A trace of one task that opens files of these names.</summary>
    private string Opens(string name, string files, string commandLine = "console=ttyS0 panic=-1") => _folder.Trace(
        $"""
        image vmlinuz-opens
        kernel "Linux version 6.1.0-test"
        cmdline "{commandLine}"
        p:open do_sys_openat2 name=+0(%si):ustring
        {string.Join('\n', files.Split(' ').Select(static f => $"100 open sh-1 name={f}"))}
        """,
        name);

    /// <summary>The names of a divergence's files on one side.</summary>
    private static string[] Names(string trace, JsonElement divergence, string side)
    {
        int only = divergence.GetProperty("only" + side).GetInt32();
        return only == 0
            ? []
            : Tool.Rows(trace, $"SELECT arg_name FROM open WHERE seq >= {divergence.GetProperty("seq" + side).GetInt64()} ORDER BY seq LIMIT {only}");
    }

    [Fact]
    public void The_first_pair_whose_registers_differ_is_told()
    {
        JsonElement first = Json(
            _folder.Trace(Five, "a.mpk"),
            _folder.Trace(Five.Replace("name=b", "name=b %di=5", StringComparison.Ordinal) + " %di=6", "b.mpk")).GetProperty("firstRegisterDifference");

        Assert.Equal((3, 3), (first.GetProperty("seqA").GetInt64(), first.GetProperty("seqB").GetInt64()));
        Assert.Equal("0x5", Assert.Single(first.GetProperty("registers").EnumerateArray()).GetProperty("b").GetString());
    }

    [Fact]
    public void A_call_from_elsewhere_names_both_callers_though_their_events_have_other_numbers()
    {
        JsonElement diff = Json(Calls("a.mpk", (0, 0x1000), (0, 0x2000), (0, 0x3000)), Calls("b.mpk", (1, 0x1000), (0, 0x1000), (0, 0x2000), (0, 0x4000)));

        JsonElement listed = Assert.Single(diff.GetProperty("listed").EnumerateArray(), static d => d.GetProperty("what").GetString() == "caller");
        Assert.Equal((3, 4), (listed.GetProperty("seqA").GetInt64(), listed.GetProperty("seqB").GetInt64()));
        Assert.Equal("""{"a":"0x3000","b":"0x4000"}""", JsonSerializer.Serialize(listed.GetProperty("callers")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_probe_that_one_run_alone_had_is_told_also_where_it_was_never_hit(bool inA)
    {
        string with = Calls("with.mpk", 3, (0, 0x1000));
        string without = Calls("without.mpk", 2, (0, 0x1000));

        JsonElement probe = Assert.Single(Json(inA ? with : without, inA ? without : with).GetProperty("probes").EnumerateArray());
        Assert.Equal("p f2", probe.GetProperty("probe").GetString());
        Assert.Equal((inA ? "0" : "", inA ? "" : "0"), (probe.GetProperty("a").ToString(), probe.GetProperty("b").ToString()));
    }

    private string Calls(string name, params (int Probe, ulong Caller)[] calls) => Calls(name, 2, calls);

    private string Calls(string name, int probes, params (int Probe, ulong Caller)[] calls)
    {
        using TraceWriter writer = TraceWriter.Create(_folder[name], new TraceHeader { ImageName = "vmlinuz", ImageSha256 = new string('0', 64) });
        for (int i = 0; i < probes; i++)
        {
            writer.WriteProbe(new TraceProbe { Id = i, Type = 'p', Name = $"f{i}", Symbol = $"f{i}", Address = 0x5000 + ((ulong)i * 16) });
        }

        foreach ((int probe, ulong caller) in calls)
        {
            TraceEvent e = new() { ProbeId = probe, Address = 0x5000 + ((ulong)probe * 16), Caller = caller };
            _ = writer.WriteEvent(in e, [], []);
        }

        writer.Complete(new TraceFooter { Ended = "poweroff" });
        return _folder[name];
    }

    private static JsonElement Json(string a, string b) =>
        JsonDocument.Parse(Tool.Run("diff", a, b, "--format", "json").Output).RootElement;

    /// <summary>The trace of the long rows, of which some are changed.</summary>
    private string Long(string name, Action<List<string>> change, string image = "vmlinuz-test")
    {
        List<string> rows = [.. _long];
        change(rows);
        return _folder.Trace($"image {image}\n{Header}{string.Join('\n', rows)}", name);
    }

    /// <summary>1500 calls by turns of three sorts of tasks, entry and return, ten nanoseconds each.</summary>
    private static string[] LongRows()
    {
        List<string> rows = [];
        Random random = new(3);
        for (int i = 0; i < 1500; i++)
        {
            string task = random.Next(4) switch { 0 => "sh-40", 1 => $"kworker/{i % 7}-40", _ => "busybox-40" };
            int time = rows.Count * 10;
            bool isFork = random.Next(3) == 0;
            rows.Add($"{time} {(isFork ? "fork" : "open")} {task}");
            rows.Add($"{time + 7} {(isFork ? "fork_ret" : "open_ret")} {task} of=- entered={time} %ax={i % 9}{(isFork ? "" : $" ret={i % 9}")}");
        }

        return [.. rows];
    }

    /// <summary>A return with another value.</summary>
    private static string Returning99(string row) => Regex.Replace(row, @"(ret|%ax)=\d+", "$1=99");

    private static string TimeOf(string row) => row[..row.IndexOf(' ', StringComparison.Ordinal)];
}
