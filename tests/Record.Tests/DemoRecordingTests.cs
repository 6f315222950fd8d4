using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Recordings of the embedded demo kernel, one run shared by the tests that only look at it.</summary>
public sealed class DemoRecordingTests(DemoRecordingTests.Demo demo) : IClassFixture<DemoRecordingTests.Demo>
{
    /// <summary>The demo kernel with the default probes, once.</summary>
    public sealed class Demo : IDisposable
    {
        private readonly Folder _folder = new();
        private readonly ToolRun _run;

        public Demo()
        {
            _run = ToolRun.Record(_folder.Name);
            Exit = _run.Exit;
            Trace = WholeTrace.Read(TracePath);
        }

        internal string TracePath => _folder["trace.mpk"];

        internal int Exit { get; }

        internal ToolRun Run => _run;

        internal WholeTrace Trace { get; }

        public void Dispose()
        {
            _run.Dispose();
            _folder.Dispose();
        }
    }

    [Fact]
    public void Console_is_the_committed_one_on_stdout_and_in_the_trace()
    {
        string expected = File.ReadAllText(Repository.PathOf("guests/demo/demo.console")).Replace("\r", "", StringComparison.Ordinal);

        Assert.Equal(0, demo.Exit);
        Assert.Equal(expected, demo.Run.Console);
        Assert.Equal(expected.TrimEnd('\n'), demo.Trace.Console.TrimEnd('\n'));
    }

    [Fact]
    public void Trace_names_the_product_that_wrote_it_and_not_the_build() =>
        Assert.Matches(@"^kprobe-record \d+\.\d+\.\d+$", demo.Trace.Header.Producer);

    [Fact]
    public void Every_default_probe_is_in_the_trace_and_the_closing_line_counts_what_it_holds()
    {
        Assert.True(demo.Trace.Probes.Count > 100);
        Assert.Contains(demo.Trace.Probes, p => p.Name == "schedule");
        string closing = demo.Run.ErrorLines[^1];
        Assert.StartsWith("kprobe-record: trace.mpk: ", closing, StringComparison.Ordinal);
        int pre = demo.Trace.Events.Count(e => e.Kind == TraceEventKind.Pre);
        Assert.Contains(pre.ToString("N0", CultureInfo.InvariantCulture) + " pre", closing, StringComparison.Ordinal);
        Assert.Contains("never fired", closing, StringComparison.Ordinal);
        Assert.Contains(demo.Trace.Footer!.Instructions.ToString("N0", CultureInfo.InvariantCulture) + " instructions", closing, StringComparison.Ordinal);
    }

    [Fact]
    public void Probed_instruction_that_faults_gives_a_fault_event()
    {
        TraceEvent fault = Assert.Single(demo.Trace.Events, e => e.Kind == TraceEventKind.Fault);

        Assert.Equal(14, fault.Vector);
        Assert.NotEqual(0ul, fault.Cr2);
        Assert.True(fault.EntrySeq > 0 && fault.EntrySeq < fault.Seq);
    }

    [Fact]
    public void Same_command_in_another_folder_gives_the_same_bytes_and_replaces_the_file()
    {
        using Folder folder = new();
        File.WriteAllText(folder["trace.mpk"], "what was there");
        using ToolRun run = ToolRun.Record(folder.Name);

        run.Good();
        Assert.Equal(File.ReadAllBytes(demo.TracePath), File.ReadAllBytes(folder["trace.mpk"]));
        Assert.Equal("what was there", File.ReadAllText(folder["trace.mpk.old"]));
    }

    [Fact]
    public void Image_at_two_places_gives_the_same_bytes_and_no_path_in_the_trace()
    {
        using Folder folder = new();
        string first = RecordCopy(folder, "first-place");
        string second = RecordCopy(folder, "second-place");

        Assert.Equal(File.ReadAllBytes(first), File.ReadAllBytes(second));
        Assert.Equal("kernel", WholeTrace.Read(first).Header.ImageName);
    }

    [Fact]
    public void Other_probes_leave_console_and_instructions_as_they_were()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "-q", "--console", "-", "-p", "r:forked _do_fork $retval", "-p", "p:page do_page_fault %di stack");

        Assert.Equal(demo.Run.Output, run.Good().Output);
        WholeTrace trace = WholeTrace.Read(folder["trace.mpk"]);
        Assert.Equal(demo.Trace.Footer!.Instructions, trace.Footer!.Instructions);
        Assert.Equal(demo.Trace.Footer!.TimeNs, trace.Footer!.TimeNs);
        Assert.Equal(demo.Trace.Hits()["do_page_fault"], trace.Hits()["page"]);
        Assert.Contains(trace.Events, e => e.Kind == TraceEventKind.Return);
    }

    [Fact]
    public void Engine_counts_what_the_probes_count()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "--count-only", "*");
        Dictionary<string, ulong> counted = [];
        foreach (Match line in Regex.Matches(run.Good().Output, @"^ *(\d+)  ([0-9a-f]{16})  (\S+)$", RegexOptions.Multiline))
        {
            counted[line.Groups[2].Value] = ulong.Parse(line.Groups[1].Value, CultureInfo.InvariantCulture);
        }

        Dictionary<int, TraceProbe> probes = demo.Trace.Probes.ToDictionary(p => p.Id);
        Assert.All(demo.Trace.Footer!.Probes, p =>
        {
            string address = probes[p.ProbeId].Address.ToString("x16", CultureInfo.InvariantCulture);
            Assert.Equal(counted.GetValueOrDefault(address), p.Hits);
        });
        Assert.Empty(Directory.GetFileSystemEntries(folder.Name));
    }

    [Fact]
    public void Quiet_run_prints_nothing_and_its_trace_holds_the_console_all_the_same()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "-q");

        Assert.Equal(("", ""), (run.Good().Output, run.Error));
        Assert.Equal(demo.Trace.Console, WholeTrace.Read(folder["trace.mpk"]).Console);
    }

    [Fact]
    public void Kinds_limit_what_is_written_and_not_what_is_counted()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "-q", "--kinds", "pre,ret");

        run.Good();
        WholeTrace trace = WholeTrace.Read(folder["trace.mpk"]);
        Assert.All(trace.Events, e => Assert.Equal(TraceEventKind.Pre, e.Kind));
        Assert.Equal(demo.Trace.Events.Count(e => e.Kind == TraceEventKind.Pre), trace.Events.Count);
        Assert.Equal(demo.Trace.Hits(), trace.Hits());
    }

    [Fact]
    public void Filter_keeps_the_hits_for_which_it_holds_and_counts_all()
    {
        using Folder folder = new();
        File.WriteAllText(folder["probes"], "# what is written\np:w vfs_write count=%dx:u64  # bytes\n\n");
        using ToolRun all = ToolRun.Record(folder.Name, "-q", "--probe-file", "probes", "-o", "all.mpk");
        using ToolRun some = ToolRun.Record(folder.Name, "-q", "--probe-file", "probes", "--filter", "w: count > 20", "-o", "some.mpk");
        all.Good();
        some.Good();

        ulong[] expected = [.. WholeTrace.Read(folder["all.mpk"]).Events.Where(e => e.Kind == TraceEventKind.Pre && e.Registers.Dx > 20).Select(e => e.TimeNs)];
        WholeTrace filtered = WholeTrace.Read(folder["some.mpk"]);
        Assert.NotEmpty(expected);
        Assert.Equal(expected, filtered.Events.Where(e => e.Kind == TraceEventKind.Pre).Select(e => e.TimeNs));
        Assert.True(filtered.Hits()["w"] > (ulong)expected.Length);
        Assert.Equal("count > 20", filtered.Probes[0].Filter);
    }

    [Fact]
    public void Limits_cut_the_run_and_leave_a_prefix_of_it()
    {
        using Folder folder = new();
        using ToolRun events = ToolRun.Record(folder.Name, "-q", "--max-events", "1001", "-o", "events.mpk");
        using ToolRun instructions = ToolRun.Record(folder.Name, "-q", "--max-instructions", "4000001", "-o", "instructions.mpk");
        Assert.Equal((4, 4), (events.Exit, instructions.Exit));

        WholeTrace byEvents = WholeTrace.Read(folder["events.mpk"]);
        Assert.Equal(("max-events", 1001), (byEvents.Footer!.Ended, byEvents.Events.Count));
        Assert.Equal(demo.Trace.Events.Take(1001).Select(e => (e.Seq, e.TimeNs, e.Registers.Sp)), byEvents.Events.Select(e => (e.Seq, e.TimeNs, e.Registers.Sp)));

        WholeTrace byInstructions = WholeTrace.Read(folder["instructions.mpk"]);
        Assert.Equal(("max-instructions", 4000001ul), (byInstructions.Footer!.Ended, byInstructions.Footer.Instructions));
        Assert.Equal(demo.Trace.Events.Count(e => e.Instructions < 4000001), byInstructions.Events.Count(e => e.Instructions < 4000001));
        Assert.StartsWith(byInstructions.Console.TrimEnd('\n'), demo.Trace.Console, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_is_one_object_on_stdout_that_agrees_with_the_trace()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "--json", "--console", "console", "-p", "p:s schedule", "-p", "p:never bad_area");
        using JsonDocument json = JsonDocument.Parse(run.Good().Output);
        JsonElement root = json.RootElement;
        WholeTrace trace = WholeTrace.Read(folder["trace.mpk"]);

        Assert.Equal(new FileInfo(folder["trace.mpk"]).Length, root.GetProperty("bytes").GetInt64());
        Assert.Equal(trace.Events.Count(e => e.Kind == TraceEventKind.Post), root.GetProperty("events").GetProperty("post").GetInt32());
        Assert.Equal(trace.Footer!.Instructions, root.GetProperty("instructions").GetUInt64());
        Assert.Equal(trace.Footer.Ended, root.GetProperty("ended").GetString());
        Assert.True(root.GetProperty("host_peak_bytes").GetInt64() > 0);
        Assert.Equal(demo.Run.Output, File.ReadAllText(folder["console"]));
    }

    [Fact]
    public void List_shows_address_symbol_size_module_and_what_is_refused()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "--list", "sched*");

        string[] lines = run.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Matches("^address           symbol +size  module$", lines[0]);
        Assert.All(lines[1..], line => Assert.Matches(@"^[0-9a-f]{16}  sched\S* +\d+  -", line));
        Assert.All(lines[1..], line => Assert.Matches(@"^sched\S* +\d+$", line[lines[0].IndexOf("symbol", StringComparison.Ordinal)..(lines[0].IndexOf("size", StringComparison.Ordinal) + 4)]));
        Assert.Contains(lines, line => line.Contains("  schedule  ", StringComparison.Ordinal));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Name));
    }

    [Fact]
    public void Dry_run_shows_where_each_probe_lands_and_makes_no_file()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "--dry-run", "-p", "p:s schedule", "-p", "r:f _do_fork");
        TraceProbe schedule = demo.Trace.Probes.Single(p => p.Name == "schedule");

        string[] lines = run.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains(lines, line => Regex.IsMatch(line, $@"^p  {schedule.Address:x16}  schedule\S*  \w+"));
        Assert.Contains(lines, line => Regex.IsMatch(line, @"^r  [0-9a-f]{16}  _do_fork\S*  \w+"));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Name));
    }

    private static string RecordCopy(Folder folder, string place)
    {
        Directory.CreateDirectory(folder[place]);
        string image = Path.Combine(folder[place], "kernel");
        File.Copy(Repository.PathOf("guests/demo/demo.elf"), image);
        using ToolRun run = ToolRun.Record(folder[place], image, "-p", "p:s schedule", "-q", "-o", "trace");
        run.Good();
        return Path.Combine(folder[place], "trace");
    }
}
