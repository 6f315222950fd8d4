using System.Text;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>The small parts that traces are written and judged with, each against the plainest way of saying the same.</summary>
public sealed class TraceUnitTests
{
    [Theory]
    [InlineData(1024)]
    [InlineData(2049)]
    [InlineData(100_000)]
    public void A_table_of_stacks_has_room_for_one_that_is_longer_than_all_before(int length)
    {
        StackTable table = new();
        ulong[] stack = [.. Enumerable.Range(0, length).Select(static i => (ulong)i)];

        _ = table.Add([1, 2, 3], out _);
        int index = table.Add(stack, out bool added);

        Assert.True(added);
        Assert.Equal(stack, table[index].ToArray());
        Assert.Equal([1, 2, 3], table[0].ToArray());
    }

    [Fact]
    public void A_table_of_stacks_numbers_each_distinct_one_by_its_first_use()
    {
        Random random = new(4);
        StackTable table = new();
        for (int round = 0; round < 2; round++)
        {
            List<ulong[]> plain = [];
            for (int i = 0; i < 3000; i++)
            {
                // Few values, so that stacks recur; prefixes of each other; long ones now and then.
                int length = random.Next(40) == 0 ? random.Next(1024) : random.Next(7);
                ulong[] stack = [.. Enumerable.Range(0, length).Select(_ => 0xffff_ffff_8100_0000 + (ulong)random.Next(4))];
                int known = plain.FindIndex(s => s.AsSpan().SequenceEqual(stack));
                if (known < 0)
                {
                    plain.Add(stack);
                }

                Assert.Equal(known < 0 ? plain.Count - 1 : known, table.Add(stack, out bool added));
                Assert.Equal(known < 0, added);
                Assert.Equal(plain.Count, table.Count);
            }

            Assert.Equal(plain.Sum(s => s.Length), table.EntryCount);
            for (int i = 0; i < plain.Count; i++)
            {
                Assert.Equal(plain[i], table[i].ToArray());
            }

            Assert.True(plain.Count > 600, "too few distinct ones to make the table grow");
            table.Clear();
            Assert.Equal((0, 0), (table.Count, table.EntryCount));
        }
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("a", "a")]
    [InlineData("123456789012345", "123456789012345")]
    [InlineData("1234567890123456", "1234567890123456")]
    [InlineData("12345678901234567", "1234567890123456")]
    [InlineData("a\0b", "a")]
    [InlineData("a\0b\0", "a")]
    [InlineData("a\0\0b\0c", "a")]
    [InlineData("\0b", "")]
    [InlineData("1234567890123456\0", "1234567890123456")]
    public void A_tasks_name_ends_at_its_first_zero_or_after_sixteen_bytes(string name, string kept)
    {
        TraceComm comm = new(Encoding.ASCII.GetBytes(name));

        Assert.Equal(kept, comm.ToString());
        Assert.Equal(Encoding.ASCII.GetBytes(kept), comm.Bytes.ToArray());
        ReadOnlySpan<byte> all = comm;
        Assert.Equal(TraceComm.Size, all.Length);
        Assert.True(all[kept.Length..].IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    public void A_trace_is_whole_when_it_has_a_footer_and_nothing_is_wrong()
    {
        TraceCheckReport whole = new() { Footer = new TraceFooter { Ended = "exit" } };

        Assert.True(whole.Whole);
        Assert.False((whole with { Footer = null }).Whole);
        Assert.False((whole with { EventsLost = 1 }).Whole);
        Assert.False((whole with { DamageNotListed = 1 }).Whole);
        Assert.False((whole with { Damage = [new TraceDamage(1, 2, "gone")] }).Whole);
    }

    [Fact]
    public void A_second_trace_is_told_from_damage_and_split_off_where_it_begins()
    {
        string reason = TraceDamage.OfSecondTrace(100);

        Assert.True(new TraceDamage(100, 5, reason).IsSecondTrace);
        Assert.False(new TraceDamage(100, 5, "a chunk is damaged").IsSecondTrace);
        Assert.False(new TraceDamage(100, 5, "here " + reason).IsSecondTrace);
        Assert.Equal(
            "a second trace begins at byte 100 and is left out; split the file there: head -c 100 gives the first, tail -c +101 the second",
            reason);
    }

    [Fact]
    public void Rows_that_are_cleared_are_counted_from_nothing()
    {
        RowBuffer rows = new(TraceChunkKind.Probes) { Count = 3 };
        rows.Bytes.Append([1, 2, 3]);

        rows.Clear();

        Assert.Equal((TraceChunkKind.Probes, 0, 0), (rows.Kind, rows.Count, rows.Bytes.Length));
    }
}
