using KprobeTrace.Store;
using Xunit;

namespace KprobeTrace.Tests.Store;

public sealed class SequenceSpoolTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), "spool-" + Guid.NewGuid().ToString("N"));

    public void Dispose() => File.Delete(_path);

    [Theory]
    [InlineData(1, 4)]
    [InlineData(2, 300)]
    [InlineData(3, 1UL << 40)]
    [InlineData(4, 1UL << 52)]
    public void Hits_come_out_by_probe_and_then_in_the_order_in_which_they_went_in(int seed, ulong step)
    {
        Random random = new(seed);
        using SequenceSpool spool = new(_path);
        List<(int Probe, ulong Seq, int Kind)> hits = [];
        ulong seq = 0;
        for (int i = 0; i < 3000; i++)
        {
            seq += 1 + (ulong)random.NextInt64((long)step);
            (int Probe, ulong Seq, int Kind) hit = (random.Next(-2, 6) * 1000, seq, random.Next(16));
            hits.Add(hit);
            spool.Add(spool.ListOf(hit.Probe), hit.Seq, hit.Kind);
        }

        List<(int, ulong, int)> drained = [];
        spool.Drain((p, s, k) => drained.Add((p, s, k)));

        Assert.Equal(hits.OrderBy(static h => h.Probe), drained);
        Assert.False(File.Exists(_path));
    }

    [Fact]
    public void Values_of_every_length_stand_on_either_side_of_a_block()
    {
        for (int shift = 0; shift < 60; shift++)
        {
            using SequenceSpool spool = new(_path);
            SequenceSpool.List list = spool.ListOf(1);
            List<ulong> seqs = [];
            ulong seq = 0;
            for (int i = 0; i < 200 && seq < 1UL << 62; i++)
            {
                seq += i % 5 == 4 ? 1UL << shift : (1UL << shift) - 1;
                seqs.Add(seq);
                spool.Add(list, seq, i & 15);
            }

            List<(int, ulong, int)> drained = [];
            spool.Drain((p, s, k) => drained.Add((p, s, k)));
            Assert.Equal(seqs.Select(static (s, i) => (1, s, i & 15)), drained);
        }
    }

    [Fact]
    public void What_memory_does_not_hold_goes_to_a_file_and_comes_back_in_its_place()
    {
        const int Hits = 9_000_000;
        const ulong Step = 1UL << 34;
        using (SequenceSpool spool = new(_path))
        {
            SequenceSpool.List[] lists = [spool.ListOf(0), spool.ListOf(1), spool.ListOf(2)];
            for (int i = 1; i <= Hits; i++)
            {
                spool.Add(lists[i % 3], (ulong)i * Step, i & 3);
            }

            Assert.True(File.Exists(_path));
            int wrong = 0;
            int next = 3;
            int count = 0;
            spool.Drain((probe, seq, kind) =>
            {
                wrong += probe == next % 3 && seq == (ulong)next * Step && kind == (next & 3) ? 0 : 1;
                count++;
                next = next + 3 <= Hits ? next + 3 : (probe + 1);
            });
            Assert.Equal((0, Hits), (wrong, count));
        }

        Assert.False(File.Exists(_path));
    }
}
