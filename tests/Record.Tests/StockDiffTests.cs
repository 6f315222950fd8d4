using System.Text.Json;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>What <c>diff</c> says of boots of stock kernels.</summary>
public sealed class StockDiffTests(TwoKernels boots) : IClassFixture<TwoKernels>
{
    [StockGuestFact]
    public void Two_kernels_align_by_symbol_and_order()
    {
        JsonElement diff = Diff(1, boots.Cloud, boots.Generic);

        Assert.False(diff.GetProperty("sameImage").GetBoolean());
        Assert.True(diff.GetProperty("a").GetProperty("common").GetInt64() > 50_000);
        Assert.InRange(diff.GetProperty("alignedShare").GetDouble(), 0.9, 1);
    }

    [StockGuestFact]
    public void A_shorter_write_is_found_at_its_event_and_its_register_is_named()
    {
        // The write's own number says which event it must be: nothing else of the tool under test takes part in that.
        WholeTrace whole = WholeTrace.Read(boots.Cloud);
        int write = whole.Probes.Single(p => p.Name == "write").Id;
        ulong expected = whole.Events.Where(e => e.ProbeId == write).ElementAt(TwoKernels.PlantedHit - 1).Seq;

        JsonElement diff = Diff(1, boots.Cloud, boots.Planted);

        JsonElement first = diff.GetProperty("firstDivergence");
        Assert.True(diff.GetProperty("sameImage").GetBoolean());
        Assert.Equal("arguments", first.GetProperty("what").GetString());
        Assert.Equal((expected, expected), (first.GetProperty("seqA").GetUInt64(), first.GetProperty("seqB").GetUInt64()));
        // The caller keeps the count in a register of its own choice as well.
        JsonElement[] registers = [.. first.GetProperty("registers").EnumerateArray()];
        Assert.Contains("dx", registers.Select(r => r.GetProperty("name").GetString()));
        Assert.All(registers, r => Assert.Equal(Hex(r, "a") - 1, Hex(r, "b")));
        Assert.InRange(registers.Length, 1, 3);
        Assert.Contains("write: (vfs_write+0x0/", first.GetProperty("contextA").EnumerateArray().Select(l => l.GetString()).ElementAt(5), StringComparison.Ordinal);
    }

    [StockGuestFact]
    public void A_boot_does_not_differ_from_itself()
    {
        JsonElement diff = Diff(0, boots.Cloud, boots.Cloud);

        Assert.False(diff.GetProperty("differs").GetBoolean());
        Assert.Equal(1, diff.GetProperty("alignedShare").GetDouble());
    }

    private static ulong Hex(JsonElement register, string side) => Convert.ToUInt64(register.GetProperty(side).GetString(), 16);

    private JsonElement Diff(int exit, string a, string b)
    {
        using ToolRun run = ToolRun.Report(boots.FolderName, "diff", a, b, "--format", "json");
        Assert.True(run.Exit == exit, run.Error);
        return JsonDocument.Parse(run.Output).RootElement;
    }
}
