using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Wrong command lines and wrong input: status, message, and that nothing is left behind.</summary>
public sealed class CommandLineTests
{
    [Theory]
    [InlineData("--nosuch")]
    [InlineData("one.elf", "two.elf")]
    [InlineData("--mode", "48")]
    [InlineData("--engine", "steam")]
    [InlineData("--kinds", "pre,before")]
    [InlineData("--memory", "much")]
    [InlineData("--load", "here")]
    [InlineData("--max-events", "0")]
    [InlineData("--max-instructions", "-1")]
    [InlineData("--timeout", "soon")]
    [InlineData("--timeout", "0")]
    [InlineData("-p")]
    public void Misuse_ends_with_status_2_and_says_why_on_stderr(params string[] arguments)
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, arguments);

        Assert.Equal(2, run.Exit);
        Assert.Empty(run.Output);
        Assert.All(run.ErrorLines, line => Assert.StartsWith("kprobe-record: ", line, StringComparison.Ordinal));
        Assert.True(run.ErrorLines.Length >= 2);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Name));
    }

    [Theory]
    [InlineData("nosuch.elf", "nosuch.elf")]
    [InlineData("text", "text")]
    [InlineData("empty", "empty")]
    [InlineData("cut.elf", "cut.elf")]
    [InlineData(".", ".")]
    [InlineData("an x86-64 ELF file; --probe-file takes text", "--probe-file", "cut.elf")]
    [InlineData("/dev/zero: is a device", "/dev/zero")]
    [InlineData("/dev/zero: is a device", "--symbols", "/dev/zero")]
    [InlineData("pipe: is a named pipe (FIFO)", "pipe")]
    [InlineData("pipe: is a named pipe (FIFO)", "--initrd", "pipe")]
    [InlineData("pipe: is a named pipe (FIFO)", "--probe-file", "pipe")]
    [InlineData("link: is a symbolic link to a file that is not there", "link")]
    [InlineData("memory", "-m", "1M")]
    [InlineData("memory", "-m", "64G")]
    [InlineData("memory", "-m", "1T")]
    [InlineData("nosuch", "--initrd", "nosuch")]
    [InlineData("nosuch", "--symbols", "nosuch")]
    [InlineData("nosuch", "--probe-file", "nosuch")]
    [InlineData("nosuch", "--console", "nosuch/file")]
    [InlineData("nosuch", "-o", "nosuch/trace.mpk")]
    [InlineData("who", "-q", "--filter", "who: 1 == 1")]
    [InlineData("no colon", "--filter", "no colon")]
    [InlineData("*nosuch*", "--list", "*nosuch*")]
    [InlineData("*nosuch*", "--count-only", "*nosuch*")]
    [InlineData("/dev/full", "-q", "-o", "/dev/full")]
    [InlineData("-o -: stdout is the guest's console; name a file, or /dev/stdout", "-q", "-o", "-")]
    public void Bad_input_ends_with_status_1_and_one_line_that_names_it(string named, params string[] arguments)
    {
        using Folder folder = new();
        File.WriteAllText(folder["text"], "no kernel\n");
        File.WriteAllText(folder["empty"], "");
        _ = File.CreateSymbolicLink(folder["link"], "nowhere");
        using (System.Diagnostics.Process pipe = System.Diagnostics.Process.Start("mkfifo", folder["pipe"]))
        {
            pipe.WaitForExit();
        }

        File.WriteAllBytes(folder["cut.elf"], File.ReadAllBytes(Repository.PathOf("guests/demo/demo.elf"))[..5000]);
        string[] quiet = arguments.Length > 0 ? arguments : [named];
        using ToolRun run = ToolRun.Record(folder.Name, ["-q", .. quiet.Where(a => a != "-q")]);

        Assert.Equal(1, run.Exit);
        string line = Assert.Single(run.ErrorLines);
        Assert.StartsWith("kprobe-record: ", line, StringComparison.Ordinal);
        Assert.Contains(named, line, StringComparison.Ordinal);
        Assert.False(File.Exists(folder["trace.mpk"]));
        Assert.False(File.Exists(folder["-"]));
    }

    [Fact]
    public void An_image_may_come_through_a_pipe_of_the_shell()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Bash(folder.Name, "dotnet \"$0\" <(cat \"$1\") --dry-run", Repository.PathOf("guests/demo/demo.elf"));

        Assert.Contains("(Elf), sha256", run.Good().Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("p:x nosuch_function", 4, "Invalid probed address or symbol")]
    [InlineData("p:x schedule %nosuch", 13, "Invalid register name")]
    [InlineData("p:x schedule+2", 4, "Probe point is not an instruction boundary")]
    [InlineData("r:x schedule+4", 4, "Retprobe address must be an function entry")]
    [InlineData("p:x schedule ret=$retval", 17, "$retval is not available on probe")]
    public void Bad_definition_is_shown_with_a_caret_and_the_message_and_nothing_is_recorded(string definition, int column, string message)
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "-p", "p:fine schedule", "-p", definition);

        Assert.Equal(1, run.Exit);
        Assert.Empty(run.Output);
        string[] lines = [.. run.ErrorLines.Select(l => l["kprobe-record: ".Length..])];
        int shown = Array.IndexOf(lines, definition);
        Assert.True(shown >= 0, run.Error);
        Assert.Equal(new string(' ', column) + "^", lines[shown + 1]);
        Assert.Contains(message, lines[shown + 2], StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Name));
    }

    [Fact]
    public void Console_that_cannot_be_written_is_an_error_and_leaves_a_readable_trace()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "-q", "--console", "/dev/full");

        Assert.Equal(1, run.Exit);
        Assert.Contains("console", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
        Assert.NotEmpty(WholeTrace.Read(folder["trace.mpk"]).Probes);
    }

    [Fact]
    public void Help_and_version_go_to_stdout()
    {
        using Folder folder = new();
        using ToolRun help = ToolRun.Record(folder.Name, "--help");
        using ToolRun version = ToolRun.Record(folder.Name, "--version");

        Assert.Contains("--probe", help.Good().Output, StringComparison.Ordinal);
        Assert.Matches(@"^\d+\.\d+\.\d+", version.Good().Output);
    }

    [Theory]
    [InlineData("--prob", "--probe")]
    [InlineData("--consol", "--console")]
    [InlineData("--max-event", "--max-events")]
    [InlineData("--list-proves", "--list-probes")]
    public void Misspelt_option_is_told_the_one_that_was_meant(string typed, string meant)
    {
        using Folder folder = new();
        using ToolRun alone = ToolRun.Record(folder.Name, typed);
        using ToolRun behindImage = ToolRun.Record(folder.Name, "kernel.elf", typed);

        Assert.Equal((2, 2), (alone.Exit, behindImage.Exit));
        Assert.EndsWith($"; did you mean {meant}?", alone.ErrorLines[0], StringComparison.Ordinal);
        Assert.EndsWith($"; did you mean {meant}?", behindImage.ErrorLines[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Option_that_is_like_none_is_only_refused()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "--zzz");

        Assert.Equal(2, run.Exit);
        Assert.DoesNotContain("mean", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_tells_every_exit_status()
    {
        using Folder folder = new();
        using ToolRun record = ToolRun.Record(folder.Name, "--help");
        using ToolRun report = ToolRun.Report(folder.Name, "--help");

        Assert.Matches(@"Exit status:\n  0  .*\n  1  .*\n  2  .*\n  3  .*\n  4  .*\n", record.Good().Output);
        Assert.Matches(@"Exit status:\n  0  .*\n  1  .*\n  2  .*\n", report.Good().Output);
    }

    [Fact]
    public void Version_tells_the_commit_and_both_tools_say_the_same()
    {
        using Folder folder = new();
        using ToolRun record = ToolRun.Record(folder.Name, "--version");
        using ToolRun report = ToolRun.Report(folder.Name, "--version");

        Assert.Matches(@"^\d+\.\d+\.\d+\+[0-9a-f]{40}(\.modified)?\n$", record.Good().Output);
        Assert.Equal(record.Output, report.Good().Output);
    }
}
