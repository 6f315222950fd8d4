using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>What Linux shows of kprobes in debugfs, on the command line of kprobe-record.</summary>
public sealed class DebugfsFilesTests
{
    [StockGuestFact]
    public void List_probes_prints_them_as_debugfs_does()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(
            folder.Name, StockGuest.CloudKernel, "--list-probes", "--kinds", "pre,ret", "-p", "p:read vfs_read+5", "-p", "r:exit do_exit", "-p", "p brd:brd_init");

        string[] lines = run.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.Single(lines, line => line[16..] == "  k  vfs_read+0x5    [OPTIMIZED]");
        Assert.Single(lines, line => line[16..] == "  r  do_exit+0x0    [OPTIMIZED]");
        Assert.Equal("kprobe-record: brd:brd_init is not in the list: it waits for its module", Assert.Single(run.ErrorLines));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Name));
    }

    [StockGuestFact]
    public void Dry_run_names_probes_that_wait_for_their_module()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, StockGuest.CloudKernel, "--dry-run", "-p", "p brd:brd_submit_bio+5", "-p", "r vfs_read");

        string[] lines = run.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("-  (pending)         brd:brd_submit_bio+5  waits for its module", lines);
        Assert.Single(lines, line => line.StartsWith("r  ", StringComparison.Ordinal));
    }

    [StockGuestFact]
    public void List_blacklist_prints_the_ranges_that_list_refuses()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, StockGuest.CloudKernel, "--list-blacklist");
        using ToolRun list = ToolRun.Record(folder.Name, StockGuest.CloudKernel, "--list", "exc_*");

        string[] lines = run.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(lines.Length > 100);
        Assert.Empty(run.Error);
        Assert.All(lines, line => Assert.Matches(@"^0x[0-9a-f]{16}-0x[0-9a-f]{16}\t\S+$", line));
        HashSet<string> refused = [.. lines.Select(line => line[(line.IndexOf('\t', StringComparison.Ordinal) + 1)..])];
        string[] functions = list.Good().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("exc_page_fault", refused);
        Assert.All(functions[1..], line =>
        {
            string name = line.Split("  ")[1];
            string expected = refused.Contains(name) ? $"  refused: {name}+0x0 is on the kernel's kprobe blacklist as {name}" : "  -";
            Assert.EndsWith(expected, line, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void A_kernel_without_a_blacklist_says_so()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "--list-blacklist");

        Assert.Empty(run.Good().Output);
        Assert.Equal("kprobe-record: demo.elf has no kprobe blacklist: every function may be probed", Assert.Single(run.ErrorLines));
    }

    [Fact]
    public void Verbose_recording_ends_with_the_list()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "-v", "--kinds", "pre", "-p", "p:s schedule", "--console", "none");

        string[] lines = run.Good().Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        int heading = Array.IndexOf(lines, "kprobe-record: probes at the end:");
        Assert.Matches(@"^[0-9a-f]{16}  k  schedule\+0x0    \[OPTIMIZED\]$", lines[heading + 1]);
    }
}
