using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>What becomes of probes during a run, as trace and report tell it.</summary>
public sealed class ProbeNotesTests
{
    private const int F = 0x80;
    private const int G = 0xC0;

    [Fact]
    public void Probe_that_the_guest_moves_off_a_boundary_and_back_is_noted_both_times()
    {
        using Folder folder = new();

        WholeTrace trace = Record(folder, restored: true);

        Assert.Equal(2ul, trace.Hits()["inside"]);
        Assert.Equal(3ul, trace.Hits()["entry"]);
        TraceNote[] notes = [.. trace.Notes.Where(n => n.Kind == TraceNoteKind.ProbeState)];
        Assert.Equal(["off-boundary", "armed"], notes.Select(n => n.Text.Split(':')[0]));
        int inside = trace.Probes.Single(p => p.Name == "inside").Id;
        Assert.All(notes, n => Assert.Equal(inside, n.ProbeId));
        TraceEvent[] hits = [.. trace.Events.Where(e => e.ProbeId == inside && e.Kind == TraceEventKind.Pre)];
        Assert.Equal([2ul, 17ul], hits.Select(e => e.Instructions));

        // Noticed at the next hit, that of f's first instruction; and at the next write to another function.
        Assert.Equal([8ul, 14ul], notes.Select(n => n.Instructions));
        Assert.Equal("armed", trace.Footer!.Probes.Single(p => p.ProbeId == inside).State);
        Assert.Equal(["armed", "off-boundary", "armed"], trace.ProbeRows.Where(p => p.Id == inside).Select(p => p.State));
    }

    [Fact]
    public void Report_shows_a_probe_that_ended_off_a_boundary()
    {
        using Folder folder = new();

        WholeTrace trace = Record(folder, restored: false);

        Assert.Equal(1ul, trace.Hits()["inside"]);
        using ToolRun query = ToolRun.Report(folder.Name, "query", "trace.mpk", "select state from probes where name='inside'", "--format", "csv");
        Assert.Equal("off-boundary", query.Good().Output.Split("\r\n")[1]);
        using ToolRun summary = ToolRun.Report(folder.Name, "trace.mpk");
        Assert.Contains("probe-state: inside: off-boundary: the guest rewrote its text", summary.Good().Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Summary_says_which_calls_gave_no_return()
    {
        using Folder folder = new();
        using ToolRun run = ToolRun.Record(folder.Name, "-q", "-p", "r:call entry_SYSCALL_64", "-p", "r:idle cpu_idle");
        run.Good();

        using ToolRun summary = ToolRun.Report(folder.Name, "trace.mpk");
        Assert.Matches(@"miss: call: \d+ calls had no return address on the stack", summary.Good().Output);
        Assert.Contains("remark: idle: 1 calls had not returned at the end", summary.Output, StringComparison.Ordinal);
    }

    /// <summary>
    /// Records a program that calls f, makes a two-byte instruction of its first two bytes, calls it again, and perhaps
    /// takes that back, with a write to another function before and behind, and calls it once more.
    /// </summary>
    private static WholeTrace Record(Folder folder, bool restored)
    {
        byte[] image = new byte[0x100];
        List<byte> code = [];
        Call(code);
        Store(code, F, 0xB0);
        Call(code);
        if (restored)
        {
            Store(code, G, 0x90);
            Store(code, F, 0x90);
            Store(code, G, 0x90);
            Call(code);
        }

        code.AddRange([0xFA, 0xF4]);
        code.CopyTo(image);
        image.AsSpan(F, 4).Fill(0x90);
        image[F + 4] = 0xC3;
        image[G] = 0xC3;
        File.WriteAllBytes(folder["flat.bin"], image);
        File.WriteAllText(folder["map"], "0000000000100000 T start\n0000000000100080 T f\n00000000001000c0 T g\n0000000000100100 T end\n");
        using ToolRun run = ToolRun.Record(
            folder.Name, "flat.bin", "--load", "0x100000", "--mode", "64", "--symbols", "map", "-q", "-p", "p:inside f+1", "-p", "p:entry f");
        run.Good();
        return WholeTrace.Read(folder["trace.mpk"]);
    }

    private static void Call(List<byte> code)
    {
        code.Add(0xE8);
        code.AddRange(BitConverter.GetBytes(F - (code.Count + 4)));
    }

    /// <summary>Stores a byte: <c>mov byte [rip+disp], imm</c>.</summary>
    private static void Store(List<byte> code, int at, byte value)
    {
        code.AddRange([0xC6, 0x05]);
        code.AddRange(BitConverter.GetBytes(at - (code.Count + 5)));
        code.Add(value);
    }
}
