using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>What an event chunk may hold: each number and each table at its most and one beyond.</summary>
public sealed class EventChunkTests : IDisposable
{
    private const int Task = 25;
    private const int Stack = 26;

    private readonly EventDecoder _decoder = new();

    public void Dispose() => _decoder.Dispose();

    /// <summary>A field by number and name, a value, its event's number, and whether it may have it.</summary>
    public static TheoryData<int, string, ulong, bool> Values => new()
    {
        { 22, "back", 9, true },
        { 22, "back", 10, false },
        { 22, "back", ulong.MaxValue, false },
        { 27, "cpu", ushort.MaxValue, true },
        { 27, "cpu", ushort.MaxValue + 1, false },
        { 28, "vector", byte.MaxValue, true },
        { 28, "vector", byte.MaxValue + 1, false },
        { 29, "error", uint.MaxValue, true },
        { 29, "error", 1UL << 32, false },
        { 25, "task", ulong.MaxValue, true },
        { 26, "stack", 1, false },
        { 19, "address", ulong.MaxValue, true },
        { 20, "caller", ulong.MaxValue, true },
        { 21, "cr2", ulong.MaxValue, true },
        { 23, "duration", ulong.MaxValue, true },
        { 24, "idle", ulong.MaxValue, true },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Field_has_the_values_of_its_range(int number, string name, ulong value, bool allowed)
    {
        byte[] payload = ChunkBuilder.WithField(number, name, value).Build();
        if (!allowed)
        {
            Refused(payload, first: 10);
            return;
        }

        TraceEvent e = Assert.Single(Decode(payload, first: 10));
        (ulong Read, ulong Expected) pair = name switch
        {
            "back" => (e.EntrySeq, 10 - value),
            "cpu" => (e.Cpu, value),
            "vector" => (e.Vector, value),
            "error" => (e.ErrorCode, value),
            "address" => (e.Address, value),
            "caller" => (e.Caller, value),
            "cr2" => (e.Cr2, value),
            "duration" => (e.EntryTimeNs, unchecked(0 - value + 1)),
            "idle" => (e.TimeNs, value),
            _ => (0, 0),
        };
        Assert.Equal(pair.Expected, pair.Read);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void Task_is_one_of_the_table(ulong index, bool allowed)
    {
        byte[] payload = Field(Task, "task", index, 2, tasks: [(5, [(byte)'a']), (-6, [(byte)'b', 0, (byte)'c'])]);
        if (!allowed)
        {
            Refused(payload);
            return;
        }

        TraceEvent e = Decode(payload, count: 2)[1];
        Assert.Equal(index == 0 ? (5, "a") : (-6, "b"), (e.Pid, e.Comm.ToString()));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(EventFields.Count)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(40)]
    [InlineData(63)]
    public void A_mask_names_no_field_that_the_format_does_not_have(int bit)
    {
        byte[] payload = new ChunkBuilder { Mask = [bit == 0 ? 0 : 1UL << bit] }.Build();
        if (bit == 0)
        {
            Assert.Single(Decode(payload));
            return;
        }

        Refused(payload);
    }

    [Theory]
    [InlineData(15, true)]
    [InlineData(TraceComm.Size, true)]
    [InlineData(TraceComm.Size + 1, false)]
    public void Name_of_a_task_has_at_most_sixteen_bytes(int length, bool allowed)
    {
        byte[] comm = [.. Enumerable.Repeat((byte)'n', length)];
        byte[] payload = Field(Task, "task", 0, 2, tasks: [(1, comm)]);
        if (!allowed)
        {
            Refused(payload, count: 2);
            return;
        }

        Assert.Equal(comm, Decode(payload, count: 2)[0].Comm.Bytes);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public void Stack_is_one_more_than_its_index_in_the_table(ulong number, bool allowed)
    {
        ChunkBuilder chunk = new()
        {
            Stacks = [[1, 2, ulong.MaxValue], [3]],
            Stream = [0, 0],
            Instructions = [0, 0],
            Mask = [1UL << Stack, 0],
            Fields = { ["stack"] = ([255], [number]) },
        };
        if (!allowed)
        {
            Refused(chunk.Build(), count: 2);
            return;
        }

        Decode(chunk.Build(), count: 2);
        ulong[] expected = number switch { 0 => [], 1 => [1, 2, ulong.MaxValue], _ => [3] };
        Assert.Equal(expected, _decoder.StackOf(0).ToArray());
        Assert.Equal(expected, _decoder.StackOf(1).ToArray());
    }

    [Theory]
    [InlineData(TraceFormat.MaxStackDepth - 1, true)]
    [InlineData(TraceFormat.MaxStackDepth, true)]
    [InlineData(TraceFormat.MaxStackDepth + 1, false)]
    public void Stack_has_no_more_entries_than_the_format_says(int depth, bool allowed)
    {
        ulong[] stack = [.. Enumerable.Range(0, depth).Select(i => (ulong)i)];
        byte[] payload = new ChunkBuilder { Stacks = [stack], Mask = [1UL << Stack], Fields = { ["stack"] = ([255], [1]) } }.Build();
        if (!allowed)
        {
            Refused(payload);
            return;
        }

        Decode(payload);
        Assert.Equal(stack, _decoder.StackOf(0).ToArray());
    }

    [Theory]
    [InlineData(29, true)]
    [InlineData(30, false)]
    [InlineData(63, false)]
    public void Mask_names_fields_of_the_format(int bit, bool allowed)
    {
        byte[] payload = new ChunkBuilder { Mask = [1UL << bit], Fields = { ["error"] = ([255], [7]) } }.Build();
        if (!allowed)
        {
            Refused(payload);
            return;
        }

        Assert.Equal(7u, Assert.Single(Decode(payload)).ErrorCode);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    [InlineData(-1, false)]
    public void Stream_is_one_of_the_table(long stream, bool allowed)
    {
        byte[] payload = new ChunkBuilder { Streams = [(4, 1, 0), (5, 2, 0)], Stream = [stream, 0], Instructions = [0, 0], Mask = [0, 0] }.Build();
        if (!allowed)
        {
            Refused(payload, count: 2);
            return;
        }

        TraceEvent e = Decode(payload, count: 2)[0];
        Assert.Equal(stream == 0 ? (4, TraceEventKind.Post) : (5, TraceEventKind.Fault), (e.ProbeId, e.Kind));
    }

    [Theory]
    [InlineData(0, 0, 0, true)]
    [InlineData(int.MaxValue, 3, 15, true)]
    [InlineData(int.MinValue, 3, 255 - 16, true)]
    [InlineData(1L << 31, 0, 0, false)]
    [InlineData(0, 4, 0, false)]
    [InlineData(0, -1, 0, false)]
    [InlineData(0, 0, 256, false)]
    [InlineData(0, 0, -1, false)]
    public void Stream_has_probe_kind_and_parts_of_their_ranges(long probe, long kind, long parts, bool allowed)
    {
        byte[] payload = new ChunkBuilder { Streams = [(probe, kind, parts)], Tasks = [(1, [])] }.Build();
        if (!allowed)
        {
            Refused(payload);
            return;
        }

        TraceEvent e = Assert.Single(Decode(payload));
        Assert.Equal((probe, kind, parts), (e.ProbeId, (long)e.Kind, (long)e.Parts));
    }

    [Fact]
    public void Table_has_no_more_rows_than_the_chunk_has_events()
    {
        Refused(new ChunkBuilder { Streams = [(0, 0, 0), (1, 0, 0)] }.Build());
        Refused(new ChunkBuilder { Tasks = [(0, []), (1, [])] }.Build());
        Refused(new ChunkBuilder { Stacks = [[1], [2]] }.Build());
        Refused(new ChunkBuilder { Streams = [(0, 0, 16)], Arguments = [[0x90], [0x90]] }.Build());
        Decode(new ChunkBuilder { Streams = [(0, 0, 16)], Tasks = [(0, [])], Stacks = [[1]], Arguments = [[0x91, 1]] }.Build());
        Assert.Equal(2, _decoder.ArgumentsOf(0).Length);
    }

    [Theory]
    [InlineData("streams", false)]
    [InlineData("tasks", true)]
    [InlineData("stacks", true)]
    [InlineData("stream", false)]
    [InlineData("insn", false)]
    [InlineData("mask", false)]
    [InlineData("args", false)]
    [InlineData("fields", true)]
    public void Column_that_every_event_needs_is_not_left_out(string key, bool allowed)
    {
        byte[] payload = new ChunkBuilder { Without = [key] }.Build();
        if (allowed)
        {
            Assert.Single(Decode(payload));
        }
        else
        {
            Refused(payload);
        }
    }

    [Fact]
    public void Columns_have_as_many_values_as_the_chunk_has_events_and_codes_as_many_as_changes()
    {
        Refused(new ChunkBuilder { Stream = [0, 0] }.Build());
        Refused(new ChunkBuilder { Instructions = [] }.Build());
        Refused(new ChunkBuilder { Mask = [0, 0] }.Build());
        Refused(new ChunkBuilder { Mask = [1], Fields = { ["ax"] = ([], []) } }.Build());
        Refused(new ChunkBuilder { Mask = [1], Fields = { ["ax"] = ([254, 254], []) } }.Build());
        Refused(new ChunkBuilder { Mask = [1], Fields = { ["ax"] = ([255], []) } }.Build());
        Refused(new ChunkBuilder { Mask = [1], Fields = { ["ax"] = ([255], [1, 2]) } }.Build());
        Refused(new ChunkBuilder { Mask = [1], Fields = { ["ax"] = ([254], [1]) } }.Build());
        Refused(new ChunkBuilder { Mask = [0], Fields = { ["nosuch"] = ([], []) } }.Build());
        Refused(new ChunkBuilder { Streams = [(0, 0, 16)] }.Build());
        Refused(new ChunkBuilder { Arguments = [[0x90]] }.Build());
        Refused(new ChunkBuilder { Streams = [(0, 0, 16)], Arguments = [[0xC0]] }.Build());
        Refused([.. new ChunkBuilder().Build(), 0]);
        Assert.Single(Decode(new ChunkBuilder { Mask = [1], Fields = { ["ax"] = ([254], []) } }.Build()));
    }

    [Fact]
    public void Codes_say_the_recent_value_the_one_before_or_a_difference()
    {
        // Two streams; ax of the events: 5, 5 as before, 5 + 2 from stream 0's own, 5 from its slot, 7 by slot in the other stream, 0 by an empty slot.
        int five = Slot(5);
        int seven = Slot(7);
        int empty = Enumerable.Range(0, 254).First(slot => slot != five && slot != seven);
        ChunkBuilder chunk = new()
        {
            Streams = [(0, 0, 1), (1, 0, 1)],
            Stream = [0, 1, 0, 0, 1, 1],
            Instructions = [10, 1, unchecked(0UL - 2), 0, 5, 1],
            Mask = [1, 0, 1, 1, 1, 1],
            Fields = { ["ax"] = ([255, 255, (byte)five, (byte)seven, (byte)empty], [5, 2]) },
        };

        TraceEvent[] events = Decode(chunk.Build(), count: 6, first: 3);

        Assert.Equal([5UL, 5, 7, 5, 7, 0], events.Select(e => e.Registers.Ax));
        Assert.Equal([10UL, 11, 9, 9, 14, 15], events.Select(e => e.Instructions));
        Assert.Equal([3UL, 4, 5, 6, 7, 8], events.Select(e => e.Seq));
    }

    [Fact]
    public void Code_254_is_the_value_of_the_event_before_whatever_its_stream()
    {
        ChunkBuilder chunk = new()
        {
            Streams = [(0, 0, 1), (1, 0, 1)],
            Stream = [0, 1, 0, 1],
            Instructions = [0, 0, 0, 0],
            Mask = [2, 2, 2, 2],
            Fields = { ["bx"] = ([255, 255, 254, 255], [5, 4, 1]) },
        };

        // 5; 5 + 4; the 9 before it; 9 + 1.
        Assert.Equal([5UL, 9, 9, 10], Decode(chunk.Build(), count: 4).Select(e => e.Registers.Bx));
    }

    [Fact]
    public void Events_with_arguments_have_their_own_among_those_without()
    {
        ChunkBuilder chunk = new()
        {
            Streams = [(0, 0, 0), (1, 0, 16)],
            Stream = [1, 0, 0, 1, 1, 0],
            Instructions = [0, 0, 0, 0, 0, 0],
            Mask = [0, 0, 0, 0, 0, 0],
            Arguments = [[0x91, 1], [0x93, 2, 3, 4], [0x90]],
        };
        byte[] payload = chunk.Build();

        Decode(payload, count: 6);

        Assert.Equal(
            ["9101", "", "", "93020304", "90", ""],
            Enumerable.Range(0, 6).Select(i => Convert.ToHexString(payload, _decoder.ArgumentsOf(i).Start, _decoder.ArgumentsOf(i).Length)));
    }

    [Theory]
    [InlineData(1, 1UL, true)]
    [InlineData(1, 0UL, false)]
    [InlineData(1, ulong.MaxValue - 1, true)]
    [InlineData(1, ulong.MaxValue, false)]
    [InlineData(2, ulong.MaxValue - 2, true)]
    [InlineData(2, ulong.MaxValue - 1, false)]
    [InlineData(0, 1UL, false)]
    public void Events_are_numbered_from_one_and_numbers_do_not_wrap(int count, ulong first, bool allowed)
    {
        byte[] payload = new ChunkBuilder
        {
            Stream = [.. new long[count]],
            Instructions = [.. new ulong[count]],
            Mask = [.. new ulong[count]],
            Streams = count == 0 ? [] : [(0, 0, 0)],
        }.Build();
        if (allowed)
        {
            Assert.Equal(first + (ulong)count - 1, Decode(payload, count, first)[^1].Seq);
        }
        else
        {
            Refused(payload, count, first);
        }
    }

    [Theory]
    [InlineData(TraceFormat.MaxEventsPerChunk - 1, true)]
    [InlineData(TraceFormat.MaxEventsPerChunk, true)]
    [InlineData(TraceFormat.MaxEventsPerChunk + 1, false)]
    public void Chunk_has_no_more_events_than_the_format_says(int count, bool allowed)
    {
        byte[] payload = new ChunkBuilder { Stream = [.. new long[count]], Instructions = [.. new ulong[count]], Mask = [.. new ulong[count]] }.Build();
        if (allowed)
        {
            Assert.Equal(count, Decode(payload, count).Length);
        }
        else
        {
            Refused(payload, count);
        }
    }

    [Fact]
    public void Nothing_of_a_chunk_that_breaks_a_rule_is_delivered_and_the_next_one_is_whole()
    {
        Decode(ChunkBuilder.WithField(0, "ax", 5, parts: 1).Build());
        Refused(ChunkBuilder.WithField(28, "vector", 256).Build());

        TraceEvent e = Assert.Single(Decode(ChunkBuilder.WithField(1, "bx", 6, parts: 1).Build()));
        Assert.Equal((0UL, 6UL, 0), (e.Registers.Ax, e.Registers.Bx, (int)e.Vector));
    }

    [Theory]
    [InlineData("tasks", 3)]
    [InlineData("stacks", 1)]
    [InlineData("streams", 1)]
    public void Tables_of_the_chunk_before_are_none_of_this_one(string key, long parts)
    {
        ChunkBuilder chunk = new() { Streams = [(0, 0, parts)], Tasks = [(9, [])], Stacks = [[1]], Mask = [1UL << Stack], Fields = { ["stack"] = ([255], [1]) } };
        Decode(chunk.Build());
        chunk.Without.Add(key);

        Refused(chunk.Build());
    }

    [Fact]
    public void Events_without_registers_or_task_read_as_none_whatever_their_fields_hold()
    {
        ChunkBuilder chunk = new()
        {
            Streams = [(0, 0, 3), (0, 0, 0)],
            Tasks = [(0, []), (9, [(byte)'x'])],
            Stream = [0, 1],
            Instructions = [0, 0],
            Mask = [1 | (1UL << Task), 0],
            Fields = { ["ax"] = ([255], [5]), ["task"] = ([255], [1]) },
        };

        TraceEvent[] events = Decode(chunk.Build(), count: 2);

        Assert.Equal([(5UL, 9, "x"), (0UL, 0, "")], events.Select(e => (e.Registers.Ax, e.Pid, e.Comm.ToString())));
    }

    private static int Slot(ulong value) => (int)(((value * 0x9E37_79B9_7F4A_7C15) >> 32) * 254 >> 32);

    /// <summary>Two events, the second with the value of the first.</summary>
    private static byte[] Field(int number, string name, ulong value, long parts, List<(long Pid, byte[] Comm)> tasks) => new ChunkBuilder
    {
        Streams = [(0, 0, parts)],
        Tasks = tasks,
        Stream = [0, 0],
        Instructions = [0, 0],
        Mask = [1UL << number, 0],
        Fields = { [name] = ([255], [value]) },
    }.Build();

    private TraceEvent[] Decode(byte[] payload, int count = 1, ulong first = 1)
    {
        _decoder.Decode(payload, first, count);
        return _decoder.Events.ToArray();
    }

    private void Refused(byte[] payload, int count = 1, ulong first = 1)
    {
        Assert.Throws<MalformedTraceException>(() => _decoder.Decode(payload, first, count));
        Assert.Equal(0, _decoder.Count);
        Assert.True(_decoder.Events.IsEmpty);
    }
}
