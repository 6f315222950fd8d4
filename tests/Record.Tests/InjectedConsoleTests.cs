using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>All that kprobe-record says, it says to the console that it was given.</summary>
public sealed class InjectedConsoleTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--list do_sys_o*", 0, "do_sys_open", "")]
    [InlineData("--list nosuch*", 1, "", "kprobe-record: no function of demo.elf matches 'nosuch*'")]
    [InlineData("--list-probes -p do_sys_open", 0, "do_sys_open", "")]
    [InlineData("--list-blacklist", 0, "", "kprobe blacklist")]
    [InlineData("--dry-run -p do_sys_open", 0, "image    demo.elf", "")]
    [InlineData("--dry-run --skip-refused -p do_sys_open -p nosuch", 0, "do_sys_open", "kprobe-record: warning: 1 of 2 probe definitions were refused and left out")]
    [InlineData("--dry-run -p nosuch", 1, "", "kprobe-record:")]
    [InlineData("--count-only do_sys_open", 0, "do_sys_open", "powered off")]
    [InlineData("--nosuch", 2, "", "see 'kprobe-record --help'")]
    [InlineData("--help", 0, "Usage:", "")]
    [InlineData("-v -p do_sys_open -o TRACE", 0, "demo", "kprobe-record: hits:")]
    [InlineData("-p do_sys_open -o TRACE", 0, "demo", "bytes, ")]
    [InlineData("--json -p do_sys_open -o TRACE", 0, "\"do_sys_open\"", "")]
    [InlineData("-q -p do_sys_open -o TRACE", 0, "", "")]
    public void A_command_line_says_its_results_and_messages_where_it_was_told_to(string line, int status, string output, string error)
    {
        RecordRun run = RecordRun.Of([.. line.Replace("TRACE", _folder["trace.mpk"], StringComparison.Ordinal).Split(' ')]);

        Assert.Equal(status, run.Status);
        Assert.Contains(output, run.Output, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(error, run.Error, StringComparison.Ordinal);
        Assert.Equal(output.Length == 0, run.Output.Length == 0);
        Assert.Equal(error.Length == 0, run.Error.Length == 0);
    }

    [Fact]
    public void The_definitions_that_stand_in_for_the_users_are_shown_first_of_all_of_them_only_twelve()
    {
        string[] few = Lines(RecordRun.Of("-o", _folder["t.mpk"], "--max-instructions", "1000"));
        string[] all = Lines(RecordRun.Of("-v", "-o", _folder["t.mpk"], "--max-instructions", "1000"));

        Assert.Equal("kprobe-record: no probes given; using these:", few[0]);
        string[] definitions = [.. few.Skip(1).TakeWhile(static l => l.StartsWith("  ", StringComparison.Ordinal) && !l.StartsWith("  …", StringComparison.Ordinal))];
        string[] whole = [.. all.SkipWhile(static l => l != "kprobe-record: no probes given; using these:").Skip(1).TakeWhile(static l => l.StartsWith("  ", StringComparison.Ordinal))];
        Assert.Equal(whole.Take(12), definitions);
        Assert.Equal(whole.Length > 12 ? $"  … and {whole.Length - 12} more (-v lists all)" : "", few.FirstOrDefault(static l => l.StartsWith("  …", StringComparison.Ordinal), ""));

        static string[] Lines(RecordRun run) => run.Error.Split('\n');
    }

    [Theory]
    [InlineData("-p do_sys_open", false)]
    [InlineData("--skip-refused -p nosuch", true)]
    [InlineData("--skip-refused -p nosuch -p do_sys_open", false)]
    [InlineData("", false)]
    public void A_recording_that_has_no_probe_left_is_warned_of(string line, bool isWarned)
    {
        RecordRun run = RecordRun.Of([.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries), "-o", _folder["t.mpk"], "--max-instructions", "1000"]);

        Assert.Equal(isWarned, run.Error.Contains("warning: the definitions leave no probe; only the guest's console is recorded", StringComparison.Ordinal));
    }

    [Fact]
    public void The_closing_line_tells_the_guests_time_in_seconds()
    {
        RecordRun run = RecordRun.Of("-p", "do_sys_open", "-o", _folder["t.mpk"], "--max-instructions", "1500000");

        Assert.Contains("after 1,500,000 instructions, 0.0", run.Error, StringComparison.Ordinal);
        Assert.Matches("instructions, 0\\.00[0-9] s of its time", run.Error);
    }
}
