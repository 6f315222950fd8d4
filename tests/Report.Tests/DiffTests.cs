using System.Text.Json;
using KprobeTrace.Queries;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class DiffTests : IDisposable
{
    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Equal_traces_do_not_differ()
    {
        string output = Tool.Good("diff", _folder.Small("a.mpk"), _folder.Small("b.mpk"));

        Assert.Contains("no difference", output, StringComparison.Ordinal);
        Assert.Contains("100.00", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_planted_event_is_found_where_it_is()
    {
        JsonElement diff = Json(
            Long("a.mpk", static _ => { }),
            Long("b.mpk", static e => e.Insert(1500, new(TraceEventKind.Pre, 0, 15_001, 77, "sh"))));

        Assert.True(diff.GetProperty("differs").GetBoolean());
        JsonElement first = diff.GetProperty("firstDivergence");
        Assert.Equal(1501, first.GetProperty("seqB").GetInt64());
        Assert.Equal(1, first.GetProperty("onlyB").GetInt32());
        Assert.Equal(0, first.GetProperty("onlyA").GetInt32());
        Assert.Equal(1, diff.GetProperty("divergences").GetInt32());
    }

    [Fact]
    public void A_missing_event_is_found_where_it_was()
    {
        JsonElement diff = Json(Long("a.mpk", static _ => { }), Long("b.mpk", static e => e.RemoveAt(2000)));

        Assert.Equal(2001, diff.GetProperty("firstDivergence").GetProperty("seqA").GetInt64());
        Assert.Equal(1, diff.GetProperty("firstDivergence").GetProperty("onlyA").GetInt32());
    }

    [Fact]
    public void Another_argument_is_a_divergence_and_its_registers_are_named()
    {
        JsonElement diff = Json(
            Long("a.mpk", static _ => { }),
            Long("b.mpk", static e => e[900] = e[900] with { Arguments = [0x91, 0x63], Ax = 0x63 }));

        JsonElement first = diff.GetProperty("firstDivergence");
        Assert.Equal("arguments", first.GetProperty("what").GetString());
        Assert.Equal(901, first.GetProperty("seqA").GetInt64());
        Assert.Equal("ax", first.GetProperty("registers")[0].GetProperty("name").GetString());
        Assert.Equal("0x63", first.GetProperty("registers")[0].GetProperty("b").GetString());
    }

    [Fact]
    public void Another_register_alone_is_a_difference_of_runs_of_one_image()
    {
        JsonElement diff = Json(
            Long("a.mpk", static _ => { }),
            Long("b.mpk", static e => e[1200] = e[1200] with { Di = 0xDEAD }));

        Assert.True(diff.GetProperty("differs").GetBoolean());
        Assert.Equal(0, diff.GetProperty("divergences").GetInt32());
        JsonElement first = diff.GetProperty("firstRegisterDifference");
        Assert.Equal((1201, 1201), (first.GetProperty("seqA").GetInt32(), first.GetProperty("seqB").GetInt32()));
        Assert.Equal("di", Assert.Single(first.GetProperty("registers").EnumerateArray()).GetProperty("name").GetString());
    }

    [Fact]
    public void Two_kernels_align_by_symbol_although_their_timing_differs()
    {
        JsonElement diff = Json(
            Long("a.mpk", static _ => { }, "vmlinuz-a"),
            Long("b.mpk", static e =>
            {
                for (int i = 0; i < e.Count; i++)
                {
                    e[i] = e[i] with { Time = e[i].Time * 3, EntryTime = e[i].EntryTime * 3 };
                }

                e.RemoveRange(100, 40);
            }, "vmlinuz-b"));

        Assert.False(diff.GetProperty("sameImage").GetBoolean());
        Assert.True(diff.GetProperty("alignedShare").GetDouble() > 0.98);
        // Where the first event left out equals the first one kept, the gap may as well begin behind it.
        Assert.InRange(diff.GetProperty("firstDivergence").GetProperty("seqA").GetInt64(), 101, 104);
        Assert.NotEmpty(diff.GetProperty("latencies").EnumerateArray());
    }

    [Fact]
    public void Text_shows_context_of_both_sides_and_exit_status_says_they_differ()
    {
        (int exit, string output, _) = Tool.Run("diff", _folder.Small("a.mpk"), _folder.Small("b.mpk", static e => e.RemoveAt(8)));

        Assert.Equal(1, exit);
        Assert.Contains("First divergence", output, StringComparison.Ordinal);
        Assert.Contains("-         9", output, StringComparison.Ordinal);
        Assert.Contains("(end of trace)", output, StringComparison.Ordinal);
        Assert.Contains("changed  p kernel_clone", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Alignments_are_longest_common_subsequences()
    {
        Random random = new(5);
        for (int round = 0; round < 400; round++)
        {
            int[] a = Sequence(random.Next(0, 40), random.Next(1, 6));
            int[] b = Sequence(random.Next(0, 40), random.Next(1, 6));

            int[] match = SequenceAlignment.Align(a, b);

            int last = -1;
            int pairs = 0;
            for (int i = 0; i < a.Length; i++)
            {
                if (match[i] >= 0)
                {
                    Assert.Equal(a[i], b[match[i]]);
                    Assert.True(match[i] > last);
                    last = match[i];
                    pairs++;
                }
            }

            Assert.Equal(LongestCommon(a, b), pairs);
        }

        int[] Sequence(int length, int symbols) => [.. Enumerable.Range(0, length).Select(_ => random.Next(symbols))];
    }

    [Fact]
    public void Long_sequences_with_large_gaps_still_align()
    {
        Random random = new(9);
        int[] a = [.. Enumerable.Range(0, 60_000).Select(_ => random.Next(20))];
        List<int> b = [.. a];
        b.InsertRange(20_000, Enumerable.Range(0, 9_000).Select(_ => random.Next(20)));
        b.RemoveRange(45_000, 5_000);
        for (int i = 0; i < 300; i++)
        {
            b[random.Next(b.Count)] = 99;
        }

        int[] match = SequenceAlignment.Align(a, [.. b]);

        Assert.True(match.Count(static m => m >= 0) > 54_000);
    }

    private static int LongestCommon(int[] a, int[] b)
    {
        int[,] best = new int[a.Length + 1, b.Length + 1];
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                best[i, j] = a[i - 1] == b[j - 1] ? best[i - 1, j - 1] + 1 : Math.Max(best[i - 1, j], best[i, j - 1]);
            }
        }

        return best[a.Length, b.Length];
    }

    private static JsonElement Json(string a, string b) =>
        JsonDocument.Parse(Tool.Run("diff", a, b, "--format", "json").Output).RootElement;

    private string Long(string name, Action<List<TraceFolder.Entry>> change, string image = "vmlinuz-test")
    {
        List<TraceFolder.Entry> entries = [];
        Random random = new(3);
        for (int i = 0; entries.Count < 3000; i++)
        {
            string comm = (random.Next(4)) switch { 0 => "sh", 1 => $"kworker/{i % 7}", _ => "busybox" };
            ulong time = (ulong)entries.Count * 10;
            int probe = random.Next(3) == 0 ? 0 : 2;
            entries.Add(new(TraceEventKind.Pre, probe, time, 40, comm));
            entries.Add(new(TraceEventKind.Return, probe + 1, time + 7, 40, comm, EntryTime: time, Ax: (ulong)(i % 9), Arguments: probe == 2 ? [0x91, (byte)(i % 9)] : null));
        }

        change(entries);
        return _folder.Write(name, entries, image);
    }
}
