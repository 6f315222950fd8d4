using System.Text;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Files that several processes use, awkward names, locales and limits of the host.</summary>
public sealed class AwkwardPlaceTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_trace_that_is_being_recorded_can_be_read_and_is_not_recorded_over()
    {
        // A guest that never ends: nop, where the default probe is, and a jump to itself.
        File.WriteAllBytes(_folder["loop"], [0x90, 0xEB, 0xFE]);
        using ToolRun first = ToolRun.Record(_folder.Name, "loop", "--load", "0x100000", "-m", "16M", "--timeout", "200", "--console", "con", "-q");
        while (!File.Exists(_folder["trace.mpk"]) || new FileInfo(_folder["trace.mpk"]).Length == 0)
        {
            Assert.False(first.Ended, "the first recording ended early");
            Thread.Sleep(50);
        }

        using ToolRun second = ToolRun.Record(_folder.Name, "-q", "--console", "none");
        Assert.Equal(1, second.Exit);
        Assert.Contains("trace.mpk: another kprobe-record is writing it; name another file with -o", Assert.Single(second.ErrorLines), StringComparison.Ordinal);
        using ToolRun console = ToolRun.Record(_folder.Name, "-q", "--console", "con", "-o", "other.mpk");
        Assert.Equal(1, console.Exit);
        Assert.Contains("con: another kprobe-record is writing it", Assert.Single(console.ErrorLines), StringComparison.Ordinal);
        using ToolRun report = ToolRun.Report(_folder.Name, "trace.mpk");
        Assert.Contains("incomplete", report.Good().Output, StringComparison.Ordinal);
        Assert.Contains("is still being written; this is what was there", report.Error, StringComparison.Ordinal);
        using ToolRun add = ToolRun.Report(_folder.Name, "add", "fleet.db", "trace.mpk");
        Assert.Equal(1, add.Exit);
        Assert.Contains("add it when its recording has ended", add.Error, StringComparison.Ordinal);

        first.Kill();
        _ = first.Exit;
        using ToolRun again = ToolRun.Report(_folder.Name, "trace.mpk");
        Assert.DoesNotContain("still", again.Good().Error, StringComparison.Ordinal);
        using ToolRun third = ToolRun.Record(_folder.Name, "-q", "--console", "none");
        _ = third.Good();
        Assert.True(File.Exists(_folder["trace.mpk.old"]));
    }

    [Fact]
    public void Trace_may_go_into_the_pipe_that_standard_output_is()
    {
        using ToolRun file = ToolRun.Record(_folder.Name, "-p", "p schedule", "--console", "none");
        using ToolRun pipe = ToolRun.Record(_folder.Name, "-p", "p schedule", "--console", "none", "-o", "/dev/stdout");

        Assert.Empty(file.Good().Output);
        Assert.Equal(Encoding.UTF8.GetString(File.ReadAllBytes(_folder["trace.mpk"])), pipe.Good().Output);
    }

    [Theory]
    [InlineData("is the image; name another file with -o", "-o", "kernel")]
    [InlineData("is the image; name another file with -o", "-o", "link")]
    [InlineData("is the initrd; name another file with -o", "-o", "initrd")]
    [InlineData("is the image; name another file with --console", "--console", "kernel")]
    [InlineData("is the trace; name another file with --console", "--console", "./trace.mpk")]
    public void Trace_and_console_never_replace_what_is_read(string said, params string[] arguments)
    {
        File.Copy(Repository.PathOf("guests/demo/demo.elf"), _folder["kernel"]);
        File.WriteAllText(_folder["initrd"], "for the kernel");
        _ = File.CreateSymbolicLink(_folder["link"], "kernel");
        using ToolRun run = ToolRun.Record(_folder.Name, ["kernel", "--initrd", "initrd", "-q", .. arguments]);

        Assert.Equal(1, run.Exit);
        Assert.Contains(said, Assert.Single(run.ErrorLines), StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(Repository.PathOf("guests/demo/demo.elf")), File.ReadAllBytes(_folder["kernel"]));
        Assert.Equal("for the kernel", File.ReadAllText(_folder["initrd"]));
        Assert.False(File.Exists(_folder["trace.mpk"]));
    }

    [Fact]
    public void Names_of_255_bytes_with_newlines_and_quotes_are_names_as_others()
    {
        string name = new string('n', 240) + "\n'\"$(x);.mpk";
        name = new string('n', 255 - name.Length) + name;
        File.Copy(Repository.PathOf("guests/demo/demo.elf"), _folder["a\nkernel"]);
        using ToolRun run = ToolRun.Record(_folder.Name, "a\nkernel", "-p", "p schedule", "--console", "none", "-o", name);
        Assert.Contains("\\n'\"$(x);.mpk: ", Assert.Single(run.Good().ErrorLines), StringComparison.Ordinal);
        using ToolRun missing = ToolRun.Record(_folder.Name, "no\nsuch");
        Assert.Contains("no\\nsuch: no such file", Assert.Single(missing.ErrorLines), StringComparison.Ordinal);
        using ToolRun again = ToolRun.Record(_folder.Name, "-q", "--console", "none", "-o", name);
        Assert.Equal(1, again.Exit);
        Assert.Contains("choose another place with -o", Assert.Single(again.ErrorLines), StringComparison.Ordinal);
        using ToolRun report = ToolRun.Report(_folder.Name, name, "--db", "x.db");
        Assert.DoesNotContain("\nkernel", report.Good().Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Traces_and_results_are_the_same_in_every_locale_and_time_zone()
    {
        const string Commands = """
            dotnet "$0" -q -p 'p:s schedule' -p 'r:r schedule' -o trace.mpk || exit
            cat trace.mpk
            dotnet "$1" trace.mpk; dotnet "$1" events trace.mpk --limit 20; dotnet "$1" latency trace.mpk
            dotnet "$1" query trace.mpk 'select 1.5, 1234567'; dotnet "$1" html trace.mpk -o page.html; cat page.html
            """;
        string report = Path.Combine(AppContext.BaseDirectory, "kprobe-report.dll");
        using ToolRun plain = ToolRun.Bash(_folder.Name, "export LC_ALL=C TZ=UTC\n" + Commands, report);
        string expected = plain.Good().Output;
        foreach (string place in (string[])
            ["LC_ALL=de_DE.UTF-8 TZ=Europe/Berlin", "LC_ALL=tr_TR.UTF-8 TZ=Pacific/Chatham", "LC_ALL=fa_IR TZ=Asia/Kathmandu", "LC_ALL=nonsense TZ=nonsense"])
        {
            using Folder other = new();
            using ToolRun run = ToolRun.Bash(other.Name, $"export {place}\n{Commands}", report);

            Assert.True(run.Good().Output == expected, place);
        }
    }

    [Theory]
    [InlineData("2500000", "512M", "the host cannot provide 512 MiB of guest memory")]
    [InlineData("2500000", "32M", null)]
    public void A_limit_on_memory_is_one_line_or_no_hindrance(string kilobytes, string memory, string? said)
    {
        using ToolRun run = ToolRun.RecordLimited(_folder.Name, "ulimit -v " + kilobytes, "-q", "--console", "none", "-m", memory);

        Assert.Equal(said is null ? 0 : 1, run.Exit);
        Assert.Contains(said ?? "", said is null ? run.Error : Assert.Single(run.ErrorLines), StringComparison.Ordinal);
        if (said is null)
        {
            Assert.Empty(run.ErrorLines);
        }
    }
}
