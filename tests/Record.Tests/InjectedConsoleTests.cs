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
    [InlineData("--list-probes -p p~do_sys_open", 0, "do_sys_open", "")]
    [InlineData("--list-blacklist", 0, "", "kprobe blacklist")]
    [InlineData("--dry-run -p p~do_sys_open", 0, "image    demo.elf", "")]
    [InlineData("--dry-run --skip-refused -p p~do_sys_open -p p~nosuch", 0, "do_sys_open", "kprobe-record: warning: 1 of 2 probe definitions were refused and left out")]
    [InlineData("--dry-run -p p~nosuch", 1, "", "kprobe-record:")]
    [InlineData("--count-only do_sys_open", 0, "do_sys_open", "the guest exited with 0")]
    [InlineData("--nosuch", 2, "", "see 'kprobe-record --help'")]
    [InlineData("--help", 0, "Usage:", "")]
    [InlineData("-v -p p~do_sys_open -o TRACE", 0, "demo", "kprobe-record: hits:")]
    [InlineData("-p p~do_sys_open -o TRACE", 0, "demo", "bytes, ")]
    [InlineData("--json -p p~do_sys_open -o TRACE", 0, "\"p_do_sys_open_0\"", "")]
    [InlineData("-q -p p~do_sys_open -o TRACE", 0, "", "")]
    public void A_command_line_says_its_results_and_messages_where_it_was_told_to(string line, int status, string output, string error)
    {
        RecordRun run = RecordRun.Of(Words(line.Replace("TRACE", _folder["trace.mpk"], StringComparison.Ordinal)));

        Assert.Equal(status, run.Exit);
        Assert.Contains(output, run.Output, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(error, run.Error, StringComparison.Ordinal);
        Assert.Equal(output.Length == 0, run.Output.Length == 0);
        Assert.Equal(error.Length == 0, run.Error.Length == 0);
    }

    [Theory]
    [InlineData("-p p~do_sys_open", false)]
    [InlineData("-p p:a~do_sys_open -p -:a", true)]
    [InlineData("--skip-refused -p p~nosuch -p p~do_sys_open", false)]
    [InlineData("", false)]
    public void A_recording_that_has_no_probe_left_is_warned_of(string line, bool isWarned)
    {
        RecordRun run = RecordRun.Of([.. Words(line), "-o", _folder["t.mpk"], "--max-instructions", "1000"]);

        Assert.Equal(isWarned, run.Error.Contains("warning: the definitions leave no probe; only the guest's console is recorded", StringComparison.Ordinal));
    }

    /// <summary>The words of a line; a tilde is a blank within one.</summary>
    private static string[] Words(string line) => [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static word => word.Replace('~', ' '))];
}
