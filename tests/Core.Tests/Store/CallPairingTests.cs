using KprobeTrace.Store;
using Xunit;

namespace KprobeTrace.Tests.Store;

public sealed class CallPairingTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Returns_take_the_entries_that_a_list_of_open_calls_gives_them(int seed)
    {
        Random random = new(seed);
        for (int round = 0; round < 200; round++)
        {
            CallPairing pairing = new();
            List<(int Pid, ulong Address, ulong Seq, ulong Time)> open = [];
            ulong time = 100;
            for (ulong seq = 1; seq < 60; seq++)
            {
                time += (ulong)random.Next(1, 3);
                int pid = random.Next(2);
                ulong address = 0x1000 + ((ulong)random.Next(2) * 0x1000);
                if (random.Next(2) == 0)
                {
                    pairing.Enter(pid, address, seq, time);
                    open.Add((pid, address, seq, time));
                    continue;
                }

                (int Pid, ulong Address, ulong Seq, ulong Time)[] known = [.. open.Where(o => o.Pid == pid && o.Address == address)];
                (ulong saidSeq, ulong saidTime) = random.Next(4) switch
                {
                    0 when known.Length > 0 => (known[random.Next(known.Length)].Seq, 0UL),
                    1 when known.Length > 0 => (0UL, known[random.Next(known.Length)].Time),
                    2 => (0UL, time - (ulong)random.Next(1, 20)),
                    _ => (0UL, 0UL),
                };
                int at = open.FindLastIndex(o => o.Pid == pid && o.Address == address && (saidSeq == 0 || o.Seq == saidSeq) && (saidTime == 0 || o.Time == saidTime));
                (ulong entry, ulong entered) = at >= 0 ? (open[at].Seq, open[at].Time) : (saidSeq, saidTime);
                if (at >= 0 || saidTime != 0)
                {
                    _ = open.RemoveAll(o => o.Pid == pid && o.Address == address && (at >= 0 ? o.Time >= entered : o.Time > entered));
                }

                ulong foundSeq = saidSeq;
                ulong foundTime = saidTime;
                Assert.Equal(entered != 0, pairing.Return(1, pid, address, time, ref foundSeq, ref foundTime));
                Assert.Equal((entry, entered), (foundSeq, foundTime));
            }
        }
    }

    [Fact]
    public void Several_probes_of_one_entry_are_one_call_and_the_first_stands_for_it()
    {
        CallPairing pairing = new();
        pairing.Enter(1, 0x1000, 5, 100);
        pairing.Enter(1, 0x1000, 6, 100);
        pairing.Enter(1, 0x1000, 7, 101);

        Assert.Equal("7 101", Return(pairing, 1, 200));
        Assert.Equal("5 100", Return(pairing, 1, 201));
        Assert.Equal("none", Return(pairing, 1, 202));
    }

    [Theory]
    [InlineData(2, 7, 0x1000, 200, 0, 0, "5 100")] // another probe of the same return
    [InlineData(2, 7, 0x1000, 200, 5, 100, "5 100")]
    [InlineData(2, 7, 0x1000, 200, 0, 100, "5 100")]
    [InlineData(2, 7, 0x1000, 200, 4, 0, "none")] // the trace says that it is another call's
    [InlineData(2, 7, 0x1000, 200, 0, 99, "0 99")]
    [InlineData(1, 7, 0x1000, 200, 0, 0, "none")] // the same probe does not return twice
    [InlineData(2, 8, 0x1000, 200, 0, 0, "none")]
    [InlineData(2, 7, 0x2000, 200, 0, 0, "none")]
    [InlineData(2, 7, 0x1000, 201, 0, 0, "none")]
    public void Another_return_probe_of_the_same_return_has_the_same_entry(
        int probe, int pid, ulong address, ulong time, ulong saidSeq, ulong saidTime, string expected)
    {
        CallPairing pairing = new();
        pairing.Enter(7, 0x1000, 5, 100);
        Assert.Equal("5 100", Return(pairing, 7, 200));

        ulong seq = saidSeq;
        ulong entered = saidTime;
        Assert.Equal(expected, pairing.Return(probe, pid, address, time, ref seq, ref entered) ? $"{seq} {entered}" : "none");
    }

    [Fact]
    public void Of_a_task_that_calls_too_deep_the_outer_half_is_forgotten()
    {
        CallPairing pairing = new();
        for (ulong i = 1; i <= 1024; i++)
        {
            pairing.Enter(1, 0x1000, i, i * 10);
        }

        pairing.Enter(1, 0x1000, 1025, 10250);

        for (ulong i = 1025; i > 512; i--)
        {
            Assert.Equal($"{i} {i * 10}", Return(pairing, 1, 20_000 + i));
        }

        Assert.Equal("none", Return(pairing, 1, 30_000));
    }

    [Theory]
    [InlineData(65_537, "1 10")]
    [InlineData(65_538, "none")]
    public void Of_too_many_tasks_that_wait_all_are_forgotten(int tasks, string first)
    {
        CallPairing pairing = new();
        for (int pid = 1; pid <= tasks; pid++)
        {
            pairing.Enter(pid, 0x1000, (ulong)pid, (ulong)pid * 10);
        }

        Assert.Equal($"{tasks} {(ulong)tasks * 10}", Return(pairing, tasks, 1_000_000));
        Assert.Equal(first, Return(pairing, 1, 1_000_001));
    }

    [Fact]
    public void Tasks_whose_calls_have_returned_do_not_wait()
    {
        CallPairing pairing = new();
        pairing.Enter(-1, 0x1000, 3, 30);
        for (int pid = 1; pid <= 70_000; pid++)
        {
            pairing.Enter(pid, 0x1000, (ulong)pid + 10, 1000 + ((ulong)pid * 10));
            Assert.Equal($"{pid + 10} {1000 + (pid * 10)}", Return(pairing, pid, 1005 + ((ulong)pid * 10)));
        }

        Assert.Equal("3 30", Return(pairing, -1, 2_000_000));
    }

    [Fact]
    public void Functions_are_watched_from_when_that_was_said()
    {
        CallPairing pairing = new();
        Assert.False(pairing.Watches(0x1000));
        pairing.Watch(0x1000);
        Assert.True(pairing.Watches(0x1000));
        Assert.False(pairing.Watches(0x1001));
    }

    private static string Return(CallPairing pairing, int pid, ulong time)
    {
        ulong seq = 0;
        ulong entered = 0;
        return pairing.Return(1, pid, 0x1000, time, ref seq, ref entered) ? $"{seq} {entered}" : "none";
    }
}
