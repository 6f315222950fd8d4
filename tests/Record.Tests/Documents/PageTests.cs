using System.Security.Cryptography;
using Xunit;

namespace KprobeTrace.Tests.Record.Documents;

/// <summary>What the documentation shows is what happens: its commands run word for word, and print what stands below them.</summary>
/// <remarks>With UPDATE_GOLDEN=1 the pages are rewritten with what was printed.</remarks>
public sealed class PageTests(PageRuns runs) : IClassFixture<PageRuns>
{
    public static TheoryData<string> PagesWithCommands() => new(PageRuns.Names.Where(static n => new Page(n).Commands.Count > 0));

    [StockGuestTheory]
    [MemberData(nameof(PagesWithCommands))]
    public void Commands_of_a_page_run_and_print_what_it_shows(string name)
    {
        IReadOnlyList<PageRun> results = runs.Of(name);
        Assert.Empty(results.Where(static r => r.Exit != Expected(r.Command.Text)).Select(static r => $"{r.Command.Text}: status {r.Exit}: {r.Error}"));

        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            runs.Pages.Single(p => p.Name == name).Rewrite(results.Where(static r => r.Command.Output is not null).Select(static r => (r.Command, r.Command.Shown(r.Printed))));
        }
        else if (KernelIsTheOneShown())
        {
            foreach (PageRun run in results.Where(static r => !r.Command.Agrees(r.Printed)))
            {
                Assert.Fail(
                    $"{name}:{run.Command.Line + 1}: {run.Command.Text}\nprints\n{string.Join('\n', run.Command.Shown(run.Printed))}\n" +
                    $"instead of\n{string.Join('\n', run.Command.Output!)}");
            }
        }
    }

    [Fact]
    public void Commands_that_are_run_elsewhere_are_run_by_continuous_integration()
    {
        string script = File.ReadAllText(Repository.PathOf(".ci/run"));

        Assert.Contains("./demo.sh", script, StringComparison.Ordinal);
        Assert.Contains("./test.sh", script, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a|b|c", "a|b|c", true)]
    [InlineData("a|b|c", "a|b", false)]
    [InlineData("a|b", "a|b|c", false)]
    [InlineData("a|…|c", "a|b|b|c", true)]
    [InlineData("…|c", "c", true)]
    [InlineData("…|c", "c|d", false)]
    [InlineData("a|…", "a|b|c", true)]
    [InlineData("…|b|…", "a|b|c", true)]
    [InlineData("…|b|…", "a|c", false)]
    public void Left_out_lines_may_be_any(string shown, string printed, bool agrees) =>
        Assert.Equal(agrees, new PageCommand(0, "", "", 0, shown.Split('|')).Agrees(printed.Split('|')));

    /// <summary>A comparison ends with 1 where there is a difference; QEMU's exit device makes 1 of the guest's 0.</summary>
    private static int Expected(string command) =>
        command.StartsWith("dotnet kprobe-report diff ", StringComparison.Ordinal) || command.StartsWith("qemu-system-x86_64 ", StringComparison.Ordinal) ? 1 : 0;

    /// <summary>Debian's kernels move on: another one has other figures, and only the statuses can be held against the pages.</summary>
    private static bool KernelIsTheOneShown() =>
        File.ReadAllText(Repository.PathOf("README.md"))
            .Contains(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(StockGuest.CloudKernel))), StringComparison.Ordinal);
}
