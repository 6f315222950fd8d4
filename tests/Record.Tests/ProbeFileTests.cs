using System.Text.Json;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Files of probe definitions: in which order they are carried out, what is said of bad ones, and leaving those out.</summary>
public sealed class ProbeFileTests : IDisposable
{
    private const string Mixed = """
        # written for another kernel
        p:w vfs_write count=%dx:u64

        p:gone nosuch_function   # of a later version
        r:inside vfs_write+1
        p:half vfs_write+2
        p:other also_nosuch_function
        r:ret vfs_read $retval
        """;

    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("p:w vfs_write\n\n# p:x nosuch\np:x vfs_raed $arg*\np:y vfs_write+2", "4", "p:x vfs_raed $arg*", "    ^", "Invalid probed address or symbol (no symbol vfs_raed; did you mean vfs_read?)")]
    [InlineData("p:w vfs_write %nosuch # why", "1", "p:w vfs_write %nosuch", "              ^", "Invalid register name")]
    [InlineData("p:y vfs_write+2\np:x nosuch", "1", "p:y vfs_write+2", "    ^", "Probe point is not an instruction boundary (vfs_write+0x2 is not the start of an instruction)")]
    [InlineData("p:w vfs_write\r\np:w vfs_write\r\n", "2", "p:w vfs_write", "^", "There is already the exact same probe event")]
    [InlineData("p:open do_sys_open\n-:oepn", "2", "-:oepn", "^", "Invalid argument (no such event; did you mean open?)")]
    [InlineData("\u001b[2Jp x", "1", "?[2Jp x", "^", "Invalid argument (a definition begins with p or r)")]
    public void First_bad_line_is_named_with_file_and_line(string text, string line, params string[] message)
    {
        File.WriteAllText(_folder["probes.txt"], text);
        RecordRun run = RecordRun.In(_folder.Name, null, "--probe-file", "probes.txt");

        Assert.Equal(1, run.Exit);
        Assert.Equal([$"probes.txt:{line}: bad probe definition", .. message], run.ErrorLines.Select(l => l["kprobe-record: ".Length..]));
        Assert.Equal(["probes.txt"], Directory.GetFiles(_folder.Name).Select(Path.GetFileName));
    }

    [Fact]
    public void A_folder_that_is_not_there_is_named_in_one_line()
    {
        using ToolRun run = ToolRun.Record(_folder.Name, "--console", "no/such");

        Assert.Equal(1, run.Exit);
        Assert.StartsWith("kprobe-record: --console no/such: its folder does not exist; name another file", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Name));
    }

    [Fact]
    public void Definitions_are_carried_out_one_by_one()
    {
        File.WriteAllText(_folder["probes"], "p:a vfs_write\np:b schedule\n-:a\np:a vfs_read\np:b vfs_read\n-:b schedule\n");
        RecordRun run = RecordRun.In(_folder.Name, null, "--probe-file", "probes", "-p", "p:first schedule", "-p", "-:first", "--list-probes");

        string[] lines = run.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.All(lines, l => Assert.Contains("vfs_read+0x0", l, StringComparison.Ordinal));
    }

    [Fact]
    public void Probes_that_were_taken_back_leave_no_number_free()
    {
        RecordRun run = RecordRun.In(_folder.Name, null, "-q", "--console", "none", "-p", "p:a vfs_write", "-p", "p:b schedule", "-p", "-:a", "-p", "r:c vfs_read $retval");
        run.Good();

        WholeTrace trace = WholeTrace.Read(_folder["trace.mpk"]);
        Assert.Equal([(0, "b"), (1, "c")], trace.Probes.Select(p => (p.Id, p.Name)));
        Assert.All(trace.Events, e => Assert.InRange(e.ProbeId, 0, 1));
        Assert.True(trace.Hits()["b"] > 0);
    }

    [Fact]
    public void Refused_definitions_are_left_out_and_counted_with_their_reasons()
    {
        File.WriteAllText(_folder["probes"], Mixed);
        using ToolRun run = ToolRun.Record(_folder.Name, "--probe-file", "probes", "--skip-refused", "--console", "none", "--filter", "gone: x == 1");

        run.Good();
        Assert.Equal(
            [
                "kprobe-record: warning: 4 of 6 probe definitions were refused and left out",
                "kprobe-record:   2 times, first probes:4: p:gone nosuch_function: Invalid probed address or symbol (no symbol nosuch_function)",
                "kprobe-record:   probes:5: r:inside vfs_write+1: Retprobe address must be an function entry",
                "kprobe-record:   probes:6: p:half vfs_write+2: Probe point is not an instruction boundary (vfs_write+0x2 is not the start of an instruction)",
            ],
            run.ErrorLines.Take(4));
        WholeTrace trace = WholeTrace.Read(_folder["trace.mpk"]);
        Assert.Equal(["w", "ret"], trace.Probes.Select(p => p.Name));
        Assert.Equal(
            ["probes:4: p:gone nosuch_function: ", "probes:5: r:inside", "probes:6: p:half", "probes:7: p:other"],
            trace.Notes.Zip([34, 18, 16, 17], (n, length) => n.Text[..length]));
    }

    [Theory]
    [InlineData("p:a vfs_write", "-:a")]
    [InlineData("", " ")]
    public void Definitions_that_leave_no_probe_are_warned_of(string first, string second)
    {
        RecordRun run = RecordRun.In(_folder.Name, null, "-p", first, "-p", second, "--console", "none");

        Assert.Equal("kprobe-record: warning: the definitions leave no probe; only the guest's console is recorded", run.Good().ErrorLines[0]);
    }

    [Fact]
    public void Nothing_more_is_promised_where_each_refusal_was_told()
    {
        RecordRun run = RecordRun.In(_folder.Name, null, "-p", "p:w vfs_write", "-p", "p:gone nosuch_function", "-p", "r:inside vfs_write+1", "--skip-refused", "--console", "none");

        Assert.Contains("r:inside vfs_write+1: Retprobe address", run.Good().ErrorLines[2], StringComparison.Ordinal);
        Assert.DoesNotContain("-v lists all", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Verbose_lists_each_and_json_has_them()
    {
        File.WriteAllText(_folder["probes"], Mixed);
        RecordRun verbose = RecordRun.In(_folder.Name, null, "--probe-file", "probes", "--skip-refused", "-v", "--console", "none");
        RecordRun json = RecordRun.In(_folder.Name, null, "--probe-file", "probes", "--skip-refused", "-q", "--json", "-o", "json.mpk");

        Assert.Contains("probes:7: p:other also_nosuch_function", verbose.Good().Error, StringComparison.Ordinal);
        Assert.Empty(json.Good().Error);
        using JsonDocument summary = JsonDocument.Parse(json.Output);
        JsonElement[] skipped = [.. summary.RootElement.GetProperty("skipped").EnumerateArray()];
        Assert.Equal(["probes:4", "probes:5", "probes:6", "probes:7"], skipped.Select(s => s.GetProperty("source").GetString()));
        Assert.Equal("p:half vfs_write+2", skipped[2].GetProperty("definition").GetString());
        Assert.StartsWith("Probe point is not", skipped[2].GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("p:x nosuch\np:y nosuch", "nothing to record: all 2 probe definitions were refused, the first one: probes:1: p:x nosuch: Invalid probed address or symbol (no symbol nosuch)")]
    [InlineData("# nothing\n\n", "probes: it holds no probe definition")]
    public void A_file_of_which_nothing_is_left_does_not_bring_the_default_probes(string text, string message)
    {
        File.WriteAllText(_folder["probes"], text);
        RecordRun run = RecordRun.In(_folder.Name, null, "--probe-file", "probes", "--skip-refused");

        Assert.Equal(1, run.Exit);
        Assert.Equal(["kprobe-record: " + message], run.ErrorLines);
    }

    [Theory]
    [InlineData("/dev/zero", "/dev/zero: is a device; give the file of probe definitions as a file")]
    [InlineData("nosuch", "nosuch: no such file; give the path of the file of probe definitions")]
    public void What_is_no_list_of_definitions_is_refused_in_one_line(string file, string message)
    {
        RecordRun run = RecordRun.In(_folder.Name, null, "--probe-file", file);

        Assert.Equal(1, run.Exit);
        Assert.Equal(["kprobe-record: " + message], run.ErrorLines);
    }

    [Fact]
    public void Filter_of_a_misspelt_probe_asks_for_the_right_one()
    {
        RecordRun run = RecordRun.In(_folder.Name, null, "-p", "p:opened vfs_read", "--filter", "openned: common_pid == 1");

        Assert.Equal(1, run.Exit);
        Assert.Contains("no probe is named 'openned'; did you mean opened?", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Report_asks_for_the_probe_that_was_meant()
    {
        RecordRun run = RecordRun.In(_folder.Name, null, "-q", "--console", "none", "-p", "p:opened vfs_read");
        run.Good();
        using ToolRun report = ToolRun.Report(_folder.Name, "events", "trace.mpk", "--probe", "opend");

        Assert.Equal(1, report.Exit);
        Assert.EndsWith("no probe matches opend; did you mean opened?\n", report.Error, StringComparison.Ordinal);
    }
}
