using System.Text;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Standard output and error that are closed, full, or no longer read.</summary>
public sealed class StandardStreamTests(StandardStreamTests.Demo demo) : IClassFixture<StandardStreamTests.Demo>
{
    // mov edx, 0x3F8; mov al, 'x'; out dx, al; mov al, '\n'; out dx, al; jmp back to the second instruction: prints for ever.
    private static readonly byte[] _talker = [0xBA, 0xF8, 0x03, 0x00, 0x00, 0xB0, 0x78, 0xEE, 0xB0, 0x0A, 0xEE, 0xEB, 0xF8];

    private static readonly string[][] _record =
    [
        ["--help"],
        ["--version"],
        ["--list", "do_*"],
        ["--list-probes", "-p", "p:s schedule"],
        ["--dry-run", "-p", "p:s schedule"],
        ["--count-only", "do_*"],
        ["--json", "-q", "-p", "p:s schedule", "-o", "json.mpk"],
        ["--console", "-", "-q", "-p", "p:s schedule", "-o", "console.mpk"],
    ];

    private static readonly string[][] _report =
    [
        ["--help"],
        ["--version"],
        ["trace.mpk"],
        ["query", "trace.mpk", "select * from events"],
        ["events", "trace.mpk"],
        ["hist", "trace.mpk", "--key", "name"],
        ["latency", "trace.mpk"],
        ["stacks", "trace.mpk"],
        ["before", "trace.mpk", "--seq", "9"],
        ["who", "trace.mpk", "0"],
        ["check", "trace.mpk"],
        ["diff", "trace.mpk", "trace.mpk"],
        ["add", "several.db", "trace.mpk"],
        ["completion", "bash"],
    ];

    /// <summary>The demo kernel under a few probes, recorded and imported once.</summary>
    public sealed class Demo : IDisposable
    {
        public Demo()
        {
            using ToolRun record = ToolRun.Record(Folder.Name, "-q", "-p", "p:s schedule stack", "-p", "r:f _do_fork $retval");
            record.Good();
            using ToolRun report = ToolRun.Report(Folder.Name, "trace.mpk");
            report.Good();
        }

        internal Folder Folder { get; } = new();

        public void Dispose() => Folder.Dispose();
    }

    public static TheoryData<string, string, string[]> Commands()
    {
        TheoryData<string, string, string[]> data = [];
        foreach (string how in (string[])[">&-", "> /dev/full"])
        {
            foreach (string[] command in _record)
            {
                data.Add("kprobe-record", how, command);
            }

            foreach (string[] command in _report)
            {
                data.Add("kprobe-report", how, command);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Output_that_is_closed_or_full_is_status_1_and_one_plain_line(string tool, string how, string[] command)
    {
        string[] written = [demo.Folder["json.mpk"], demo.Folder["console.mpk"]];
        Array.ForEach(written, File.Delete);
        using ToolRun run = ToolRun.Shell(demo.Folder.Name, $"\"$@\" {how}", tool, command);

        Assert.Equal(1, run.Exit);
        Assert.DoesNotContain(written, file => how == ">&-" && File.Exists(file));
        string line = Assert.Single(run.ErrorLines);
        Assert.StartsWith(tool + ": ", line, StringComparison.Ordinal);
        Assert.Contains(how == ">&-" ? "standard output is closed" : "the disk is full", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(">&- <&-")]
    [InlineData(">&- 2>&-")]
    [InlineData(">&- <&- 2>&-")]
    public void Output_that_is_closed_with_others_is_told_from_what_the_runtime_opened_in_its_place(string how)
    {
        using ToolRun list = ToolRun.Shell(demo.Folder.Name, $"\"$@\" {how}", "kprobe-record", "--list", "do_*");
        using ToolRun check = ToolRun.Shell(demo.Folder.Name, $"\"$@\" {how}", "kprobe-report", "check", "trace.mpk");

        Assert.Equal((1, 1), (list.Exit, check.Exit));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("--list", "do_*")]
    [InlineData("--json", "-q", "-p", "p:s schedule", "-o", "unread.mpk")]
    public void Results_that_nobody_reads_any_more_are_no_error(params string[] command)
    {
        // A pipe that was opened at both ends, of which the reading one is closed.
        using ToolRun run = ToolRun.Shell(demo.Folder.Name, "mkfifo unread$$; exec 3<>unread$$ 4>unread$$ 3<&-; \"$@\" >&4 4>&-", "kprobe-record", command);

        Assert.Equal(("", 0), (run.Error, run.Exit));
    }

    [Theory]
    [InlineData("2>&-")]
    [InlineData("2> /dev/full")]
    [InlineData("2>&- <&-")]
    public void Messages_that_cannot_be_written_are_dropped_and_the_status_still_tells(string how)
    {
        using Folder folder = new();
        using ToolRun good = ToolRun.Shell(folder.Name, $"\"$@\" {how}", "kprobe-record", "--console", "none");
        using ToolRun bad = ToolRun.Shell(folder.Name, $"\"$@\" {how}", "kprobe-record", "nosuch.elf");
        using ToolRun report = ToolRun.Shell(folder.Name, $"\"$@\" {how}", "kprobe-report", "nosuch.mpk");

        Assert.Equal((0, 1, 1), (good.Exit, bad.Exit, report.Exit));
        Assert.True(TraceReader.Check(folder["trace.mpk"]).Whole);
    }

    [Fact]
    public void Messages_are_UTF_8_without_a_mark()
    {
        using ToolRun run = ToolRun.Shell(demo.Folder.Name, "\"$@\" 2> messages", "kprobe-record", "nösuch");

        Assert.Equal(1, run.Exit);
        Assert.StartsWith("kprobe-record: nösuch: no such file", Encoding.UTF8.GetString(File.ReadAllBytes(demo.Folder["messages"])), StringComparison.Ordinal);
    }

    [Fact]
    public void Recording_ends_in_good_order_when_nobody_reads_its_console_any_more()
    {
        using Folder folder = new();
        File.WriteAllBytes(folder["code"], _talker);
        using ToolRun run = ToolRun.Shell(
            folder.Name, "{ \"$@\"; echo $? > status; } | head -n 1", "kprobe-record", "code", "--load", "0x100000", "-p", "p:entry 0x100000");

        Assert.Equal(("x\n", ""), (run.Good().Output, run.Error));
        Assert.Equal("0\n", File.ReadAllText(folder["status"]));
        TraceCheckReport report = TraceReader.Check(folder["trace.mpk"]);
        Assert.True(report.Whole);
        Assert.Equal("interrupted", report.Footer!.Ended);
    }

    [Theory]
    [InlineData("query", "trace.mpk", "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n", "--format", "csv")]
    [InlineData("events", "trace.mpk", "--where", "(with recursive n(i) as (select seq union all select i + 1 from n) select i from n limit 1) = seq")]
    [InlineData("hist", "trace.mpk", "--key", "seq", "--limit", "0")]
    [InlineData("stacks", "trace.mpk", "--folded")]
    public void Verb_ends_at_once_without_a_word_when_nobody_reads_its_results_any_more(params string[] command)
    {
        using ToolRun run = ToolRun.Shell(demo.Folder.Name, "{ \"$@\"; echo $? > status; } | head -n 1", "kprobe-report", command);

        Assert.Equal("", run.Error);
        Assert.Single(run.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal("0\n", File.ReadAllText(demo.Folder["status"]));
    }
}
