using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Timing;
using KprobeTrace.Tests.Devices.Saving;
using Xunit;

namespace KprobeTrace.Tests.Devices.Models;

/// <summary>Buses beside a list of bytes, the clock's queue beside a list of deadlines.</summary>
public sealed class BusModelTests
{
    [Fact]
    public void An_access_to_memory_is_whole_within_one_region_and_byte_by_byte_elsewhere()
    {
        RandomWalk walk = new(5);
        MmioBus bus = new();
        List<string> seen = [];
        Seen first = new(1, seen);
        Seen second = new(2, seen);
        MmioRegion[] regions = [bus.Register(0x1000, 16, first), bus.Register(0x100C, 12, second)];
        for (int i = 0; i < 5_000; i++)
        {
            regions[0].Enabled = walk.Below(4) != 0;
            regions[1].Start = 0x1008ul + (ulong)walk.Below(12);
            int size = walk.OneOf(1, 2, 4, 8);
            ulong at = 0xFF8ul + (ulong)walk.Below(48);
            walk.Note($"{at:x} {size} {regions[0].Enabled} {regions[1].Start:x}");
            MmioRegion? whole = regions.FirstOrDefault(r => Holds(r, at, size));
            walk.Same(whole, bus.Find(at, size), "region");
            ulong expected = 0;
            List<string> writes = [];
            for (int n = 0; n < size; n++)
            {
                ulong address = at + (ulong)n;
                MmioRegion? region = whole ?? regions.FirstOrDefault(r => Holds(r, address, 1));
                int value = region is null ? 0xFF : ((Seen)region.Device).Byte(address - region.Start);
                expected |= (ulong)value << (8 * n);
                if (whole is null && region is not null)
                {
                    writes.Add($"{((Seen)region.Device).Number} {address - region.Start} {(0x8877665544332211 >> (8 * n)) & 0xFF:x} 1");
                }
            }

            if (whole is not null)
            {
                ulong cut = size == 8 ? 0x8877665544332211 : 0x8877665544332211 % (1UL << (8 * size));
                writes.Add($"{((Seen)whole.Device).Number} {at - whole.Start} {cut:x} {size}");
            }

            walk.Same(expected, bus.Read(at, size), "value");
            seen.Clear();
            bus.Write(at, 0x8877665544332211, size);
            Assert.Equal(writes, seen);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void The_clock_runs_what_is_due_in_the_order_of_deadlines_and_then_of_creation(int seed)
    {
        RandomWalk walk = new(seed);
        List<(int Timer, long At)> ran = [];
        List<long> told = [];
        long[] deadlines = [.. Enumerable.Repeat(long.MaxValue, 11)];
        IVirtualTimer[] timers = [];
        EventClock clock = Make();
        for (int i = 0; i < 5_000; i++)
        {
            if (i % CarriedOver.Steps == 0)
            {
                walk.Note("carried over");
                EventClock later = Make();
                later.Now = clock.Now;
                clock = clock.Into(later);
            }

            int n = walk.Below(11);
            long earliest = deadlines.Min();
            told.Clear();
            switch (walk.Below(4))
            {
                case 0:
                    walk.Note($"cancel {n}");
                    timers[n].Cancel();
                    deadlines[n] = long.MaxValue;
                    break;
                case 1:
                    clock.Now += walk.Below(40);
                    walk.Note($"run {clock.Now}");
                    ran.Clear();
                    clock.RunDue(clock.Now);
                    int[] due = [.. Enumerable.Range(0, 11).Where(t => deadlines[t] <= clock.Now).OrderBy(t => deadlines[t]).ThenBy(static t => t)];
                    Assert.Equal(due, ran.Select(static r => r.Timer));
                    Array.ForEach(due, t => deadlines[t] = long.MaxValue);
                    break;
                default:
                    deadlines[n] = clock.Now + 1 + walk.Below(60);
                    walk.Note($"arm {n} {deadlines[n]}");
                    timers[n].Arm(deadlines[n]);
                    Assert.Equal(deadlines[n] < earliest ? [deadlines[n]] : [], told);
                    break;
            }

            walk.Same(deadlines.Min(), clock.NextDeadline, "next deadline");
            walk.Same(deadlines[n], timers[n].Deadline, "deadline");
            walk.Same(deadlines[n] != long.MaxValue, timers[n].Armed, "armed");
        }

        EventClock Make()
        {
            EventClock made = new() { DeadlineMovedEarlier = told.Add };
            timers = [.. Enumerable.Range(0, 11).Select(i => made.CreateTimer(() => ran.Add((i, made.Now))))];
            return made;
        }
    }

    private static bool Holds(MmioRegion region, ulong address, int size) =>
        region.Enabled && address >= region.Start && address + (ulong)size <= region.Start + region.Length;

    private sealed class Seen(int number, List<string> writes) : IMmioDevice
    {
        public int Number => number;

        public int Byte(ulong offset) => (int)(((ulong)number * 64) + offset);

        public ulong Read(ulong offset, int size)
        {
            ulong value = 0;
            for (int i = 7; i >= 0; i--)
            {
                value = (value << 8) | (uint)Byte(offset + (ulong)i);
            }

            return value;
        }

        public void Write(ulong offset, ulong value, int size) => writes.Add($"{number} {offset} {value:x} {size}");
    }
}
