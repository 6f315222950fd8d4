using System.Globalization;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary><c>--save-at</c> and <c>--from</c> on the demo kernel: what is gone on with, and what is refused in a line.</summary>
public sealed class SavedStateWordsTests : IDisposable
{
    private const long Point = 2_000_000;

    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Other_probes_see_the_rest_of_the_guest_and_its_console_and_end_are_those_of_the_first_run()
    {
        RecordRun first = Run("-p", "p:open do_sys_open", "--save-at", $"{Point}", _folder["s"]).Good();
        WholeTrace whole = WholeTrace.Read(_folder["t"]);
        RecordRun second = Run("-p", "r:back do_sys_open", "--from", _folder["s"]).Good();
        WholeTrace rest = WholeTrace.Read(_folder["t"]);

        Assert.EndsWith(second.Output, first.Output, StringComparison.Ordinal);
        Assert.InRange(second.Output.Length, 1, first.Output.Length - 1);
        Assert.Equal((whole.Footer!.Instructions, whole.Footer.TimeNs), (rest.Footer!.Instructions, rest.Footer.TimeNs));
        Assert.Equal($"{Point}", rest.Header.Options["from"]);
        Assert.All(rest.Events, static e => Assert.True(e is { Kind: TraceEventKind.Return, Instructions: >= (ulong)Point }));
        Assert.Equal(whole.Events.Count(static e => e is { Kind: TraceEventKind.Pre, Instructions: >= (ulong)Point }), rest.Events.Count);
    }

    [Theory]
    [InlineData("open", "p:open do_sys_open")]
    [InlineData("back", "r:back do_sys_open")]
    public void Event_is_where_the_guest_is_saved_behind_the_first_of_its_name(string name, string definition)
    {
        Run("-p", definition, "--save-at", name, _folder["s"]).Good();
        WholeTrace whole = WholeTrace.Read(_folder["t"]);
        Run("-p", definition, "--from", _folder["s"]).Good();
        WholeTrace rest = WholeTrace.Read(_folder["t"]);

        // The event that was waited for is not told of again; its own instruction is the last of the run that was saved.
        int before = whole.Events.Count - rest.Events.Count;
        Assert.Equal(name == "open" ? 2 : 1, before);
        Assert.Equal(whole.Events.Skip(before).Select(Place), rest.Events.Select(Place));
        Assert.Equal(1ul, rest.Events[0].Seq);
        Assert.InRange(long.Parse(rest.Header.Options["from"], CultureInfo.InvariantCulture), (long)whole.Events[0].Instructions, (long)whole.Events[0].Instructions + 1);
    }

    [Fact]
    public void Guest_that_was_gone_on_with_can_be_saved_again()
    {
        Run("--save-at", "1000000", _folder["a"]).Good();
        string whole = Digest();
        Run("--from", _folder["a"], "--save-at", $"{Point}", _folder["b"]).Good();
        Run("--save-at", $"{Point}", _folder["c"]).Good();

        Assert.Equal(File.ReadAllBytes(_folder["c"]), File.ReadAllBytes(_folder["b"]));
        Assert.Equal(whole, Digest());
    }

    [Fact]
    public void What_the_saved_guest_was_started_with_may_be_said_again()
    {
        Run("-m", "64M", "--append", "one two", "--save-at", "1000", _folder["s"]).Good();

        Run("-m", "64M", "--append", "one two", "--from", _folder["s"]).Good();

        WholeTrace trace = WholeTrace.Read(_folder["t"]);
        Assert.Equal(("one two", 64ul << 20), (trace.Header.CommandLine, trace.Header.MemoryBytes));
    }

    [Theory]
    [InlineData("--from nosuch", "nosuch: no such file; give the path of the saved state")]
    [InlineData("--from .", ".: is a directory; give the saved state itself")]
    [InlineData("--from s -m 64M", "--memory: the saved guest was started with 524288K, and goes on with it; leave the option out")]
    [InlineData("--from s --append x", "--append: the saved guest was started with 'console=ttyS0 panic=-1', and goes on with it; leave the option out")]
    [InlineData("--from s --max-instructions 10", "--max-instructions 10: the guest goes on from 1000 instructions; the limit counts from its first")]
    [InlineData("--from s --save-at 10 x", "--save-at 10: the guest goes on from 1000 instructions")]
    [InlineData("--save-at opened x", "--save-at 'opened': no probe is named so; did you mean open?; give an event's name or a number of instructions")]
    [InlineData("--save-at open nosuch/x", "nosuch/x: its folder does not exist; make it, or name another file with --save-at")]
    [InlineData("--save-at open x --count-only *", "--save-at: only a run that records saves its guest; leave it or the other option out")]
    [InlineData("--save-at open .", ".: is a directory; name a file with --save-at")]
    [InlineData("--save-at open -", "--save-at -: a saved state goes to a file (a file of that name is written ./-)")]
    [InlineData("--save-at open t", "t: is the trace; name another file with --save-at")]
    [InlineData("--save-at 5 x --save-at open x", "x: is the state of another --save-at; name another file with --save-at")]
    [InlineData("--from s --save-at open s", "s: is the saved state; name another file with --save-at")]
    [InlineData("--from s -o s", "s: is the saved state; name another file with -o")]
    [InlineData("--from text", "text: this is no saved state of a machine: it begins with other bytes")]
    [InlineData("--from cut", "cut: the saved state ends in the middle: it is cut off, or no saved state")]
    [InlineData("--from changed", "changed: the saved state is damaged: its checksum is another")]
    [InlineData("--from older", "older: the saved state has format version 1, and this version of KprobeTrace reads 4 only: save it anew")]
    public void What_cannot_be_gone_on_from_or_saved_is_said_in_a_line(string line, string message)
    {
        Assert.Equal(4, Run("-p", "p:open do_sys_open", "--save-at", "1000", _folder["s"], "--max-instructions", "1000").Exit);
        byte[] state = File.ReadAllBytes(_folder["s"]);
        File.WriteAllText(_folder["text"], "no state\n");
        File.WriteAllBytes(_folder["cut"], state[..^1]);
        File.WriteAllBytes(_folder["changed"], [.. state[..100], (byte)(state[100] ^ 1), .. state[101..]]);
        File.WriteAllBytes(_folder["older"], [.. state[..8], 1, .. state[9..]]);
        string[] files = ["s", "x", "t", "nosuch", "nosuch/x", "text", "cut", "changed", "older", "."];
        string[] words = line.Split(' ');
        RecordRun run = RecordRun.Of([.. words.Select((w, i) => i > 0 && words[i - 1] != "--append" && files.Contains(w) ? _folder[w] : w),
            "-p", "p:open do_sys_open", .. line.Contains("-o ", StringComparison.Ordinal) ? (string[])[] : ["-o", _folder["t"]]]);

        Assert.Equal(1, run.Exit);
        Assert.Equal($"kprobe-record: {message}", Assert.Single(run.ErrorLines).Replace(_folder.Name + "/", "", StringComparison.Ordinal));
        Assert.False(File.Exists(_folder["x"]));
    }

    [Fact]
    public void State_of_another_image_is_refused()
    {
        Assert.Equal(4, Run("--save-at", "1000", _folder["s"], "--max-instructions", "1000").Exit);
        File.WriteAllBytes(_folder["flat"], [0xF4]);

        RecordRun run = RecordRun.Of(_folder["flat"], "--load", "0x100000", "--from", _folder["s"], "-o", _folder["t"]);

        Assert.Equal((1, "kprobe-record: --load: the saved guest was started with none, and goes on with it; leave the option out"), (run.Exit, Assert.Single(run.ErrorLines)));
        RecordRun other = RecordRun.Of(Repository.PathOf("bench/loops/fib.elf"), "--from", _folder["s"], "-o", _folder["t"]);
        Assert.Equal(1, other.Exit);
        Assert.Contains("the saved state is that of another image than ", Assert.Single(other.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public void Point_that_does_not_come_is_warned_of_and_no_file_is_left()
    {
        RecordRun run = Run("-p", "p:open do_sys_open", "-p", "p:never panic", "--save-at", "never", _folder["x"], "--save-at", "90000000000", _folder["y"]).Good();

        Assert.Contains($"kprobe-record: warning: {_folder["x"]} was not written: the run ended before event never came", run.ErrorLines);
        Assert.Contains($"kprobe-record: warning: {_folder["y"]} was not written: the run ended before 90000000000 instructions had retired", run.ErrorLines);
        Assert.Equal(["t"], Directory.GetFiles(_folder.Name).Select(Path.GetFileName));
    }

    private static (ulong, ulong, TraceEventKind) Place(TraceEvent e) => (e.Instructions, e.Address, e.Kind);

    private string Digest()
    {
        WholeTrace trace = WholeTrace.Read(_folder["t"]);
        return $"{trace.Footer!.Instructions} {trace.Footer.TimeNs} {trace.Events.Count}";
    }

    private RecordRun Run(params string[] line) => RecordRun.Of([.. line, "-o", _folder["t"]]);
}
