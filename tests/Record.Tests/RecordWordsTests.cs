using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>What kprobe-record prints of a guest of nine instructions, word by word.</summary>
public sealed class RecordWordsTests : IDisposable
{
    private const int F = 0x20;

    private readonly Folder _folder = new();

    /// <summary>Calls f twice and exits with 0; behind f stand functions of a byte that are never called.</summary>
    public RecordWordsTests()
    {
        byte[] code = new byte[0x40];
        Array.Fill(code, (byte)0x90);
        code[1] = code[6] = 0xE8;
        BitConverter.GetBytes(F - 6).CopyTo(code, 2);
        BitConverter.GetBytes(F - 11).CopyTo(code, 7);
        new byte[] { 0xB0, 0, 0xE6, 0xF4 }.CopyTo(code, 11);
        code[F + 1] = 0xC3;
        File.WriteAllBytes(_folder["flat"], code);
        Map(1);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Default_probes_are_listed_and_the_closing_line_tells_how_it_went()
    {
        RecordRun run = Record();
        run.Good();

        long bytes = new FileInfo(_folder["trace.mpk"]).Length;
        Assert.Equal(
            ["kprobe-record: no probes given; using these:", "  p:start start", "  p:f f", "  p:silent0 silent0"],
            run.ErrorLines[..^1]);
        Assert.Matches(
            $@"^kprobe-record: trace\.mpk: {Regex.Escape(bytes.ToString("N0", null))} bytes, 3 pre, 3 post; never fired: silent0; "
            + @"the guest exited with 0 after 9 instructions, 0\.000 s of its time, \d\.\d s of ours$",
            run.ErrorLines[^1]);
    }

    [Theory]
    [InlineData(10, 12, false)]
    [InlineData(11, 12, false, "  … and 1 more (-v lists all)")]
    [InlineData(11, 13, true)]
    public void Twelve_default_probes_are_listed_and_all_where_more_is_wanted(int silent, int listed, bool verbose, params string[] behind)
    {
        Map(silent);
        RecordRun run = Record(verbose ? ["-v"] : []);

        string[] lines = run.Good().ErrorLines;
        Assert.Equal("kprobe-record: no probes given; using these:", lines[0]);
        Assert.Equal("  p:start start", lines[1]);
        Assert.Equal(listed, lines.Count(l => l.StartsWith("  p:", StringComparison.Ordinal)));
        Assert.Equal(behind, lines.Where(l => l.Contains(" more (-v", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(5, "; never fired: silent0, silent1, silent2, silent3, silent4; the guest")]
    [InlineData(6, "; 6 probes never fired; the guest")]
    [InlineData(0, "3 post; the guest")]
    public void Five_probes_that_never_fired_are_named_and_more_are_counted(int silent, string said)
    {
        Map(silent);
        RecordRun run = Record();

        Assert.Contains(said, run.Good().ErrorLines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Verbose_names_the_users_probes_and_what_became_of_them()
    {
        RecordRun run = Record("-v", "-p", "p:one f", "-p", "r:other f");

        Assert.Equal(
            [
                "kprobe-record: probes:",
                "  p:one f",
                "  r:other f",
                "kprobe-record: probes at the end:",
                "0000000000100020  r  f+0x0",
                "0000000000100020  k  f+0x0",
                "kprobe-record: hits:",
                "  one    2 hits, 0 filtered out",
                "  other  2 hits, 0 filtered out",
            ],
            run.Good().ErrorLines[..^1].Select(static l => l.Replace("[OPTIMIZED]", "", StringComparison.Ordinal).TrimEnd()));
        Assert.Contains(" bytes, 2 pre, 2 post, 2 ret; the guest exited", run.ErrorLines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Users_probes_are_not_named_unless_more_is_wanted_and_quiet_says_nothing()
    {
        File.WriteAllText(_folder["probes"], "p:two f\n");
        RecordRun plain = Record("-p", "p:one f", "--probe-file", "probes");
        RecordRun file = Record("--probe-file", "probes", "-o", "file.mpk");
        RecordRun quiet = Record("-q", "-o", "quiet.mpk");

        Assert.Contains("trace.mpk: ", Assert.Single(plain.Good().ErrorLines), StringComparison.Ordinal);
        Assert.Contains("file.mpk: ", Assert.Single(file.Good().ErrorLines), StringComparison.Ordinal);
        Assert.Equal(("", ""), (quiet.Good().Error, quiet.Output));
    }

    [Fact]
    public void Verbose_tells_that_there_is_no_probe_and_no_hit()
    {
        RecordRun run = Record("-v", "-p", "p:one f", "-p", "-:one");

        Assert.Equal(
            [
                "kprobe-record: warning: the definitions leave no probe; only the guest's console is recorded",
                "kprobe-record: probes:",
                "  p:one f",
                "  -:one",
                "kprobe-record: probes at the end:",
                "kprobe-record: hits:",
            ],
            run.Good().ErrorLines[..^1]);
        Assert.Contains(" bytes, no events; the guest exited", run.ErrorLines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Time_of_the_guest_is_told_in_seconds_and_no_progress_where_nobody_watches()
    {
        // nop; jmp to itself; nop, which is never reached.
        File.WriteAllBytes(_folder["flat"], [0x90, 0xEB, 0xFE, 0x90]);
        RecordRun run = Record("-p", "p:never 0x100003", "--max-instructions", "400000000");

        Assert.Equal(4, run.Exit);
        Assert.Contains(
            "no events; never fired: never; stopped by --max-instructions after 400,000,000 instructions, 0.400 s of its time, ",
            Assert.Single(run.ErrorLines),
            StringComparison.Ordinal);
        Assert.DoesNotContain("MIPS", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Undefined_instruction_is_shown_where_more_is_wanted()
    {
        File.WriteAllBytes(_folder["flat"], [0x90, 0x0F, 0x0B]);
        RecordRun verbose = Record("-v", "-p", "p:one start");
        RecordRun plain = Record("-p", "p:one start", "-o", "plain.mpk");

        Assert.Equal(3, verbose.Exit);
        Assert.Contains(verbose.ErrorLines, static l => l.StartsWith("kprobe-record: undefined instruction at 0x100001: 0F0B", StringComparison.Ordinal));
        Assert.EndsWith(" of ours", Assert.Single(plain.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public void Json_has_every_number()
    {
        File.WriteAllText(_folder["probes"], "p:bad strat\n");
        RecordRun run = Record(
            "--json", "-q", "-p", "p:one f n=%ax:u8", "-p", "r:two f", "-p", "p:never silent0", "--probe-file", "probes", "--skip-refused", "--filter", "one: n == 77");

        using JsonDocument json = JsonDocument.Parse(run.Good().Output);
        JsonElement root = json.RootElement;
        Assert.Empty(run.Error);
        Assert.Equal(
            ["trace", "bytes", "events", "probes", "never_fired", "refused", "skipped", "ended", "crashed", "exit_value", "instructions", "time_ns", "host_seconds", "host_cpu_seconds", "host_peak_bytes"],
            root.EnumerateObject().Select(static p => p.Name));
        Assert.Equal("trace.mpk", root.GetProperty("trace").GetString());
        Assert.Equal(new FileInfo(_folder["trace.mpk"]).Length, root.GetProperty("bytes").GetInt64());
        Assert.Equal("""{"pre":0,"post":0,"fault":0,"ret":2}""", root.GetProperty("events").GetRawText());
        Assert.Equal(
            """{"one":{"hits":2,"filtered":2},"two":{"hits":2,"filtered":0},"never":{"hits":0,"filtered":0}}""", root.GetProperty("probes").GetRawText());
        Assert.Equal("""["never"]""", root.GetProperty("never_fired").GetRawText());
        Assert.Equal("{}", root.GetProperty("refused").GetRawText());
        Assert.Equal(
            """[{"definition":"p:bad strat","source":"probes:1","reason":"Invalid probed address or symbol (no symbol strat)"}]""",
            root.GetProperty("skipped").GetRawText());
        Assert.Equal(("exit", false, 0, 9, 9), (
            root.GetProperty("ended").GetString(), root.GetProperty("crashed").GetBoolean(), root.GetProperty("exit_value").GetInt32(),
            root.GetProperty("instructions").GetInt32(), root.GetProperty("time_ns").GetInt32()));
        Assert.InRange(root.GetProperty("host_seconds").GetDouble(), 0.001, 600);
        Assert.InRange(root.GetProperty("host_cpu_seconds").GetDouble(), 0, 600);
        Assert.True(root.GetProperty("host_peak_bytes").GetInt64() > 1 << 20);
    }

    [Fact]
    public void Json_tells_a_crash_and_where_a_guest_is_stuck()
    {
        File.WriteAllBytes(_folder["flat"], [0x90, 0x0F, 0x0B]);
        RecordRun crash = Record("--json", "-q", "-p", "p:one start");
        Assert.Equal(3, crash.Exit);
        File.WriteAllBytes(_folder["flat"], StuckGuest.Code);
        RecordRun stuck = Record("--json", "-q", "-p", "p:one start", "-m", "512M", "-o", "stuck.mpk");

        Assert.Equal(3, stuck.Exit);
        Assert.Contains("\"ended\":\"triple-fault\",\"crashed\":true,\"exit_value\":0", crash.Output, StringComparison.Ordinal);
        Assert.Matches($"\"ended\":\"stuck\",\"crashed\":false,\"stuck_at\":\"0x{StuckGuest.At:x}", stuck.Output);
    }

    [Fact]
    public void Counts_are_those_of_functions_that_began()
    {
        RecordRun all = Record("--count-only", "*");
        RecordRun one = Record("--count-only", "f", "--console", "console");

        Assert.Equal(
            "           1  0000000000100000  start\n           2  0000000000100020  f\n",
            all.Good().Output);
        Assert.Equal(["kprobe-record: the guest exited with 0 after 9 instructions"], all.ErrorLines);
        Assert.Equal("           2  0000000000100020  f\n", one.Good().Output);
        Assert.Equal(0, new FileInfo(_folder["console"]).Length);
        Assert.False(File.Exists(_folder["trace.mpk"]));
    }

    [Theory]
    [InlineData("1", "stopped by --max-instructions after 1 instructions", 4)]
    [InlineData("3", "stopped by --max-instructions after 3 instructions", 4)]
    [InlineData("8", "stopped by --max-instructions after 8 instructions", 4)]
    [InlineData("9", "the guest exited with 0 after 9 instructions", 0)]
    public void Counting_ends_at_the_limit(string limit, string said, int status)
    {
        RecordRun run = Record("--count-only", "*", "--max-instructions", limit);

        Assert.Equal(status, run.Exit);
        Assert.Equal(["kprobe-record: " + said], run.ErrorLines);
    }

    [Fact]
    public void Counting_goes_on_for_as_long_as_the_guest_does()
    {
        // mov ecx, 35,000,000; dec ecx; jnz back to that; mov al, 5; out 0xF4, al
        File.WriteAllBytes(_folder["flat"], [0xB9, 0xC0, 0x0E, 0x16, 0x02, 0xFF, 0xC9, 0x75, 0xFC, 0xB0, 5, 0xE6, 0xF4]);
        File.AppendAllLines(_folder["map"], [$"{0x100005:x16} t loop"]);
        RecordRun whole = Record("--count-only", "loop");
        RecordRun part = Record("--count-only", "loop", "--max-instructions", "70000000");

        Assert.Equal((3, "    35000000  0000000000100005  loop\n"), (whole.Exit, whole.Output));
        Assert.Equal(["kprobe-record: the guest exited with 5 after 70000003 instructions"], whole.ErrorLines);
        Assert.Equal((4, "    35000000  0000000000100005  loop\n"), (part.Exit, part.Output));
        Assert.Equal(["kprobe-record: stopped by --max-instructions after 70000000 instructions"], part.ErrorLines);
    }

    [Fact]
    public void Functions_are_counted_and_no_data_and_capitals_are_others()
    {
        File.AppendAllLines(_folder["map"], [$"{0x100001:x16} D begin", $"{0x100021:x16} t F"]);
        RecordRun capital = Record("--count-only", "F");
        RecordRun small = Record("--count-only", "f");
        RecordRun data = Record("--count-only", "begin");

        Assert.Equal("           2  0000000000100021  F\n", capital.Good().Output);
        Assert.Equal("           2  0000000000100020  f\n", small.Good().Output);
        Assert.Equal((1, "", "kprobe-record: no function of flat matches 'begin'"), (data.Exit, data.Output, Assert.Single(data.ErrorLines)));
    }

    [Theory]
    [InlineData("x", "")]
    [InlineData("", "", "-q")]
    [InlineData("", "x", "--console", "file")]
    [InlineData("{", "", "--json")]
    [InlineData("           1  0000000000100000  start\n", "", "--count-only", "start")]
    [InlineData("           1  0000000000100000  start\n", "x", "--count-only", "start", "--console", "file")]
    public void Console_of_the_guest_goes_where_it_was_sent_and_to_stdout_where_that_is_free(string output, string file, params string[] arguments)
    {
        // mov edx, 0x3F8; mov al, 'x'; out dx, al; mov al, 0; out 0xF4, al
        File.WriteAllBytes(_folder["flat"], [0xBA, 0xF8, 0x03, 0, 0, 0xB0, 0x78, 0xEE, 0xB0, 0, 0xE6, 0xF4]);
        RecordRun run = Record(arguments);

        Assert.Equal(output, arguments.Contains("--json") ? run.Good().Output.Split("\"trace\"")[0] : run.Good().Output);
        Assert.Equal(file, File.Exists(_folder["file"]) ? File.ReadAllText(_folder["file"]) : "");
    }

    [Fact]
    public void Image_may_have_any_name_that_a_file_can_have()
    {
        File.Move(_folder["flat"], _folder["none"]);
        using ToolRun none = ToolRun.Record(_folder.Name, "none", "--load", "0x100000", "-m", "16M", "--console", "none", "-q");
        using ToolRun at = ToolRun.Record(_folder.Name, "@nosuch");

        Assert.Equal("", none.Good().Error);
        Assert.Equal((1, "kprobe-record: @nosuch: no such file"), (at.Exit, Assert.Single(at.ErrorLines).Split(';')[0]));
    }

    [Fact]
    public void List_has_columns_as_wide_as_what_they_hold()
    {
        File.AppendAllLines(_folder["map"], [$"{0x100030:x16} t {new string('n', 70)}", $"{0x100031:x16} D data", $"{0x100032:x16} T Start"]);
        RecordRun all = Record("--list");
        RecordRun some = Record("--list", "s*");

        string[] lines = all.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal($"address           {"symbol",-64}  size  module", lines[0]);
        Assert.Equal($"0000000000100000  {"start",-64}    32  -", lines[1]);
        Assert.Contains(lines, l => l.StartsWith($"0000000000100030  {new string('n', 70)}     ", StringComparison.Ordinal));
        Assert.DoesNotContain("data", all.Output, StringComparison.Ordinal);
        Assert.Equal(
            ["address           symbol   size  module", "0000000000100000  start      32  -", "0000000000100022  silent0    14  -"],
            some.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Empty(all.Error);
    }

    [Fact]
    public void List_has_sizes_to_the_right_of_their_column()
    {
        File.AppendAllLines(_folder["map"], [$"{0x0420_0023:x16} T far"]);
        RecordRun run = Record("--list");

        Assert.Equal(
            [
                "address           symbol       size  module",
                "0000000000100000  start          32  -",
                "0000000000100020  f               2  -",
                "0000000000100022  silent0  68157441  -",
                "0000000004200023  far             1  -       refused: far+0x0 is not kernel text",
                "",
            ],
            run.Good().Output.Split('\n'));
    }

    [Fact]
    public void Dry_run_tells_image_symbols_and_where_each_probe_lands()
    {
        File.AppendAllLines(_folder["map"], [$"{0x100031:x16} D data"]);
        RecordRun run = Record("--dry-run", "-p", "p:one f", "-p", "r:two f", "-p", "p:three start+1");

        string[] lines = run.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Matches("^image    flat \\(Flat\\), sha256 [0-9a-f]{64}$", lines[0]);
        Assert.Equal(["entry    0x100000", "symbols  4, 3 of them functions", "types    none"], lines[1..4]);
        Assert.Equal(
            ["p  0000000000100001  start+0x1/0x20  call", "p  0000000000100020  f+0x0/0x2  nop", "r  0000000000100020  f+0x0/0x2  nop"],
            lines[4..].Select(static l => l.Split(' ') is [var kind, "", var address, "", var place, "", var name, ..] ? $"{kind}  {address}  {place}  {name}" : l).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Probes_are_listed_as_debugfs_has_them()
    {
        RecordRun run = Record("--list-probes", "-p", "p:one f", "-p", "r:two start");

        Assert.Equal(
            ["0000000000100000  r  start+0x0", "0000000000100020  k  f+0x0"],
            run.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => l.Replace("[OPTIMIZED]", "", StringComparison.Ordinal).TrimEnd()).Order(StringComparer.Ordinal));
        Assert.Empty(run.Error);
    }

    [Fact]
    public void Refused_definitions_come_by_reason_the_most_frequent_first()
    {
        RecordRun run = Record(
            "--skip-refused", "-p", "p:one f", "-p", "r:a f+1", "-p", "p:b strat", "-p", "p:c nosuch", "-p", "p:d neither");

        Assert.Equal(
            [
                "kprobe-record: warning: 4 of 5 probe definitions were refused and left out",
                "kprobe-record:   3 times, first p:b strat: Invalid probed address or symbol (no symbol strat; did you mean start?)",
                "kprobe-record:   r:a f+1: Retprobe address must be an function entry",
                "kprobe-record:   (-v lists all)",
            ],
            run.Good().ErrorLines[..^1]);
    }

    [Fact]
    public void List_of_probes_tells_which_were_left_out()
    {
        RecordRun run = Record("--list-probes", "--skip-refused", "-p", "p:one f", "-p", "p:b strat", "-p", "p:c nosuch");

        Assert.Equal(
            [
                "kprobe-record: warning: 2 of 3 probe definitions were refused and left out",
                "kprobe-record:   2 times, first p:b strat: Invalid probed address or symbol (no symbol strat; did you mean start?)",
                "kprobe-record:   (-v lists all)",
            ],
            run.Good().ErrorLines);
        Assert.StartsWith("0000000000100020  k  f+0x0", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--dry-run")]
    [InlineData("-v")]
    public void All_refused_definitions_are_named_where_more_is_wanted(string option)
    {
        File.WriteAllText(_folder["probes"], "p:b strat\np:one f\np:c nosuch\n");
        RecordRun run = Record("--skip-refused", "--probe-file", "probes", "-p", "r:a f+1", option);

        Assert.Equal(
            [
                "kprobe-record: warning: 3 of 4 probe definitions were refused and left out",
                "kprobe-record:   r:a f+1: Retprobe address must be an function entry",
                "kprobe-record:   probes:1: p:b strat: Invalid probed address or symbol (no symbol strat)",
                "kprobe-record:   probes:3: p:c nosuch: Invalid probed address or symbol (no symbol nosuch)",
            ],
            run.Good().ErrorLines[..4]);
    }

    [Fact]
    public void Counting_tells_where_a_guest_is_stuck_and_that_it_crashed()
    {
        File.WriteAllBytes(_folder["flat"], StuckGuest.Code);
        RecordRun stuck = Record("--count-only", "start", "-m", "512M");
        Assert.Equal(3, stuck.Exit);
        Assert.StartsWith($"kprobe-record: the guest is stuck at 0x{StuckGuest.At:x}", Assert.Single(stuck.ErrorLines), StringComparison.Ordinal);
        File.WriteAllBytes(_folder["flat"], [0x90, 0x0F, 0x0B]);
        RecordRun crash = Record("--count-only", "start");

        Assert.Equal(3, crash.Exit);
        Assert.Equal(["kprobe-record: the guest crashed with a triple fault after 1 instructions"], crash.ErrorLines);
    }

    [Fact]
    public void Definition_of_bad_syntax_ends_with_status_1_and_a_command_line_of_none_with_2()
    {
        RecordRun syntax = Record("-p", "p:one f %nosuch");
        RecordRun usage = Record("--nosuch");

        Assert.Equal((1, 2), (syntax.Exit, usage.Exit));
        Assert.Equal("kprobe-record: bad probe definition", syntax.ErrorLines[0]);
        Assert.Equal("kprobe-record: see 'kprobe-record --help'", usage.ErrorLines[^1]);
        Assert.Equal(("", ""), (syntax.Output, usage.Output));
    }

    private void Map(int silent) => File.WriteAllLines(
        _folder["map"],
        ["0000000000100000 T start", "0000000000100020 T f", .. Enumerable.Range(0, silent).Select(static i => $"{0x100022 + i:x16} T silent{i}")]);

    private RecordRun Record(params string[] arguments) =>
        RecordRun.In(_folder.Name, "flat", ["--load", "0x100000", "--symbols", "map", .. arguments.Contains("-m") ? (string[])[] : ["-m", "16M"], .. arguments]);
}
