using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>Values that an option cannot have: one line in the tool's own words, whatever the language of the host.</summary>
public sealed class UsageWordingTests
{
    private const string Huge = "99999999999999999999999";

    [Theory]
    [InlineData("--max-instructions wants a number from 1 to 9223372036854775807, not '99999999999999999999999'", "--max-instructions", Huge)]
    [InlineData("--max-instructions wants a number from 1 to 9223372036854775807, not '0'", "--max-instructions", "0")]
    [InlineData("--max-events wants a number from 1 to 9223372036854775807, not '-1'", "--max-events", "-1")]
    [InlineData("--max-events wants a number from 1 to 9223372036854775807, not '1e6'", "--max-events", "1e6")]
    [InlineData("--max-events wants a number from 1 to 9223372036854775807, not ''", "--max-events", "")]
    [InlineData("--timeout wants a number of seconds above 0, not 'soon'", "--timeout", "soon")]
    [InlineData("--timeout wants a number of seconds above 0, not '0'", "--timeout", "0")]
    [InlineData("--timeout wants a number of seconds above 0, not '1,5'", "--timeout", "1,5")]
    [InlineData("--memory wants a size such as 512M or 2G, at most 3G, not '99999999999999999999999'", "-m", Huge)]
    [InlineData("--memory wants a size such as 512M or 2G, at most 3G, not '2T'", "--memory", "2T")]
    [InlineData("--memory wants a size such as 512M or 2G, at most 3G, not ''", "--memory", "")]
    [InlineData("--load wants an address of at most 64 bits, as 0x100000 or in decimal, not '99999999999999999999999'", "--load", Huge)]
    [InlineData("--entry wants an address of at most 64 bits, as 0x100000 or in decimal, not '0x'", "--entry", "0x")]
    [InlineData("--mode is 16, 32 or 64, not '48'", "--mode", "48")]
    [InlineData("--mode is 16, 32 or 64, not '99999999999999999999999'", "--mode", Huge)]
    [InlineData("--max-events wants N behind it", "--max-events")]
    [InlineData("--memory wants SIZE behind it", "-m")]
    [InlineData("--probe wants DEF behind it", "-p")]
    [InlineData("--max-events is there 2 times; give it once", "--max-events", "1", "--max-events", "2")]
    [InlineData("--memory is there 3 times; give it once", "-m", "1G", "-m", "1G", "--memory", "2G")]
    [InlineData("'two.elf' is one argument too many", "one.elf", "two.elf")]
    public void A_value_of_no_use_is_told_in_one_line(string said, params string[] arguments)
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.RecordWith(folder.Name, ["LC_ALL=", "LANG=de_DE.UTF-8"], arguments);

        Assert.Equal(2, run.Exit);
        Assert.Equal(["kprobe-record: " + said, "kprobe-record: see 'kprobe-record --help'"], run.ErrorLines.Select(static l => l.TrimEnd('.')));
    }

    [Theory]
    [InlineData("--max-events", "9223372036854775807")]
    [InlineData("--max-instructions", "100000")]
    [InlineData("--timeout", "0.5")]
    [InlineData("--timeout", "99999999999999999999999")]
    [InlineData("--memory", "1048576K")]
    public void What_is_in_range_is_taken(string option, string value)
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "--dry-run", option, value);

        Assert.Contains("(Elf), sha256", run.Good().Output, StringComparison.Ordinal);
    }
}
