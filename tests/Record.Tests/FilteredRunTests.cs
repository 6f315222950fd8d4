using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>What the closing line says of hits that are no events: a filter that lets nothing through is no probe that never fired.</summary>
public sealed class FilteredRunTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_filter_that_drops_all_hits_is_told_from_a_probe_that_never_fired()
    {
        using ToolRun filtered = ToolRun.Record(_folder.Name, "--console", "none", "-p", "p:s schedule", "--filter", "s: common_pid == 99999");
        using ToolRun never = ToolRun.Record(_folder.Name, "--console", "none", "-p", "p:s panic", "-o", "never.mpk");

        Assert.Matches(@"bytes, no events of (\d[\d,]*) hits, all filtered out; the guest ", filtered.Good().ErrorLines[^1]);
        Assert.Matches(@"bytes, no events; never fired: s; the guest ", never.Good().ErrorLines[^1]);
    }

    [Fact]
    public void A_filter_that_drops_some_hits_says_how_many_and_verbose_of_which_probe()
    {
        using ToolRun all = ToolRun.Record(_folder.Name, "--console", "none", "--kinds", "pre", "-p", "p:s schedule $stack0", "-o", "all.mpk");
        using ToolRun run = ToolRun.Record(
            _folder.Name, "-v", "--console", "none", "--kinds", "pre,ret", "-p", "p:s schedule pid=$stack0", "-p", "r:long_name schedule", "--filter", "s: common_pid == 1");
        all.Good();
        run.Good();
        WholeTrace trace = WholeTrace.Read(_folder["trace.mpk"]);
        int hits = WholeTrace.Read(_folder["all.mpk"]).Events.Count;
        int ofS = trace.Events.Count(e => trace.Probes[e.ProbeId].Name == "s");
        int returns = trace.Events.Count - ofS;

        Assert.True(ofS < hits, $"{ofS} of {hits}");
        Assert.Contains($" of {hits + returns:N0} hits, {hits - ofS:N0} filtered out; ", run.ErrorLines[^1], StringComparison.Ordinal);
        Assert.Contains($"  s          {hits:N0} hits, {hits - ofS:N0} filtered out", run.ErrorLines);
        Assert.Contains($"  long_name  {returns:N0} hits, 0 filtered out", run.ErrorLines);
    }

    [Theory]
    [InlineData("p:s schedule")]
    [InlineData("r:s schedule")]
    public void Hits_of_kinds_that_are_not_written_are_said_too(string definition)
    {
        using ToolRun run = ToolRun.Record(_folder.Name, "--console", "none", "--kinds", "fault", "-p", definition);

        Assert.Matches(@"bytes, no events of \d[\d,]* hits, none of the kinds that are written; the guest ", run.Good().ErrorLines[^1]);
    }

    [Fact]
    public void A_run_without_filters_says_nothing_of_them_and_json_has_the_numbers()
    {
        using ToolRun plain = ToolRun.Record(_folder.Name, "--console", "none", "-p", "p:s schedule");
        using ToolRun json = ToolRun.Record(_folder.Name, "--json", "-p", "p:s schedule", "--filter", "s: common_pid == 99999", "-o", "json.mpk");

        Assert.DoesNotMatch(new Regex("hits"), plain.Good().ErrorLines[^1]);
        using JsonDocument summary = JsonDocument.Parse(json.Good().Output);
        JsonElement probe = summary.RootElement.GetProperty("probes").GetProperty("s");
        Assert.True(probe.GetProperty("hits").GetInt64() > 0);
        Assert.Equal(probe.GetProperty("hits").GetInt64(), probe.GetProperty("filtered").GetInt64());
    }
}
