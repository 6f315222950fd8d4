using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Files and folders that may not be read or written: one line, whoever the user is, and no need of a home.</summary>
public sealed class PermissionTests : IDisposable
{
    /// <summary>Root reads everything, unless it gives up the right to.</summary>
    private const string AsOrdinaryUser =
        "[ \"$(id -u)\" != 0 ] || set -- setpriv --inh-caps=-dac_override,-dac_read_search --bounding-set=-dac_override,-dac_read_search \"$@\"; ";

    private readonly Folder _folder = new();

    public PermissionTests()
    {
        File.Copy(Repository.PathOf("guests/demo/demo.elf"), _folder["image"]);
        File.WriteAllText(_folder["secret"], "p:s schedule");
        Directory.CreateDirectory(_folder["closed"]);
        File.WriteAllText(_folder["closed/file"], "");
        Mode(_folder["secret"], UnixFileMode.None);
        Mode(_folder["closed/file"], UnixFileMode.UserRead);
        Mode(_folder["closed"], UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    public void Dispose()
    {
        Mode(_folder["closed"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _folder.Dispose();
    }

    [Theory]
    [InlineData("kprobe-record", "secret: you may not read the image; its permissions forbid it", "secret")]
    [InlineData("kprobe-record", "secret: you may not read the initrd; its permissions forbid it", "image", "--initrd", "secret")]
    [InlineData("kprobe-record", "secret: you may not read the symbol file; its permissions forbid it", "--symbols", "secret")]
    [InlineData("kprobe-record", "secret: you may not read the file of probe definitions; its permissions forbid it", "--probe-file", "secret")]
    [InlineData("kprobe-record", "closed/new: cannot create the trace: it or its folder may not be written; choose another place with -o", "-o", "closed/new")]
    [InlineData("kprobe-record", "closed/file: cannot create the trace: it or its folder may not be written; choose another place with -o", "-o", "closed/file")]
    [InlineData("kprobe-record", "--console closed/new: it or its folder may not be written; name another file", "--console", "closed/new")]
    [InlineData("kprobe-record", "--console closed/file: it or its folder may not be written; name another file", "--console", "closed/file")]
    [InlineData("kprobe-record", "--console closed: is a directory; name a file", "--console", "closed")]
    [InlineData("kprobe-report", "secret: you may not read the trace or database; its permissions forbid it", "secret")]
    public void A_file_that_permissions_keep_away_is_named_in_one_line(string tool, string said, params string[] arguments)
    {
        string[] quiet = tool == "kprobe-record" ? ["-q", .. arguments] : arguments;
        using ToolRun run = ToolRun.Shell(_folder.Name, AsOrdinaryUser + "exec \"$@\"", tool, quiet);

        Assert.Equal(1, run.Exit);
        Assert.Equal($"{tool}: {said}", Assert.Single(run.ErrorLines));
    }

    [Theory]
    [InlineData("unset HOME XDG_CACHE_HOME; ")]
    [InlineData("export HOME=/nonexistent TMPDIR=/nonexistent; ")]
    [InlineData("export HOME=$PWD/closed; ")]
    public void Neither_tool_needs_a_home(string environment)
    {
        using ToolRun record = ToolRun.Shell(_folder.Name, environment + AsOrdinaryUser + "exec \"$@\"", "kprobe-record", "image", "-q", "-o", "trace.mpk");
        record.Good();
        using ToolRun report = ToolRun.Shell(_folder.Name, environment + AsOrdinaryUser + "exec \"$@\"", "kprobe-report", "trace.mpk");

        Assert.Contains("trace         complete", report.Good().Output, StringComparison.Ordinal);
        Assert.Empty(record.Error);
    }

    [Fact]
    public void A_guest_larger_than_the_container_is_warned_of()
    {
        // What a container's limit makes of the runtime's own.
        using ToolRun run = ToolRun.RecordWith(_folder.Name, ["DOTNET_GCHeapHardLimit=0x8000000"], "image", "-m", "512M", "--console", "none");
        using ToolRun small = ToolRun.RecordWith(_folder.Name, ["DOTNET_GCHeapHardLimit=0x8000000"], "image", "-m", "64M", "--console", "none", "-o", "small.mpk");

        using ToolRun quiet = ToolRun.RecordWith(_folder.Name, ["DOTNET_GCHeapHardLimit=0x8000000"], "image", "-m", "512M", "-q", "-o", "quiet.mpk");

        Assert.Empty(quiet.Good().Error);
        Assert.Contains(run.Good().ErrorLines, l => l.Contains("warning: the guest has 512 MiB and this process may use some 128; ", StringComparison.Ordinal));
        Assert.DoesNotContain("warning", small.Good().Error, StringComparison.Ordinal);
    }

    private static void Mode(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, mode);
        }
    }
}
