using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>When a writer closes chunks, what it refuses and what it cuts, at each of its limits; read by the second reader.</summary>
public sealed class TraceLimitTests
{
    private static readonly TraceHeader _header = new() { ImageName = "x", ImageSha256 = "" };

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(TraceFormat.MaxEventsPerChunk, true)]
    [InlineData(TraceFormat.MaxEventsPerChunk + 1, false)]
    public void Chunk_may_hold_as_many_events_as_the_format_allows(int events, bool allowed)
    {
        Exception? error = Record.Exception(() => new TraceWriter(new MemoryStream(), "memory", _header, new() { EventsPerChunk = events }).Dispose());

        Assert.Equal(allowed, error is null);
        Assert.True(error is null or ArgumentOutOfRangeException);
    }

    [Fact]
    public void Period_of_no_instructions_is_refused() => Assert.Throws<ArgumentOutOfRangeException>(
        () => new TraceWriter(new MemoryStream(), "memory", _header, new() { InstructionsPerFlush = 0 }));

    [Theory]
    [InlineData(0, new uint[0])]
    [InlineData(9, new uint[] { 9 })]
    [InlineData(10, new uint[] { 10 })]
    [InlineData(11, new uint[] { 10, 1 })]
    [InlineData(20, new uint[] { 10, 10 })]
    public void Chunk_is_closed_at_its_number_of_events(int events, uint[] chunks)
    {
        PlainTrace trace = Write(
            writer =>
            {
                for (int i = 0; i < events; i++)
                {
                    Assert.Equal((ulong)i, writer.EventCount);
                    Assert.Equal((ulong)i + 1, writer.WriteEvent(default, default, default));
                }
            },
            new() { EventsPerChunk = 10 });

        Assert.Equal(chunks, EventCounts(trace));
        Assert.Equal((Int128)events, trace.Footer["events"]);
        Assert.Equal((Int128)chunks.Length, trace.Footer["chunks"]);
    }

    [Theory]
    [InlineData(-1, new uint[] { 3 })]
    [InlineData(0, new uint[] { 2, 1 })]
    [InlineData(1, new uint[] { 2, 1 })]
    public void Chunk_is_closed_at_its_bytes_of_arguments(int beyond, uint[] chunks)
    {
        const int half = TraceFormat.ArgumentBytesPerChunk / 2;
        PlainTrace trace = Write(writer =>
        {
            writer.WriteEvent(default, Arguments(half), default);
            writer.WriteEvent(default, Arguments(half + beyond), default);
            writer.WriteEvent(default, Arguments(10), default);
        });

        Assert.Equal(chunks, EventCounts(trace));
    }

    [Theory]
    [InlineData(-1, new uint[] { 129 })]
    [InlineData(0, new uint[] { 128, 1 })]
    public void Chunk_is_closed_at_its_entries_of_stacks(int beyond, uint[] chunks)
    {
        const int depth = TraceFormat.MaxStackDepth;
        const int stacks = TraceFormat.StackEntriesPerChunk / depth;
        PlainTrace trace = Write(writer =>
        {
            for (int i = 0; i < stacks; i++)
            {
                writer.WriteEvent(default, default, Stack(i, i == stacks - 1 ? depth + beyond : depth));
            }

            writer.WriteEvent(default, default, Stack(1000, 1));
        });

        Assert.Equal(chunks, EventCounts(trace));
        Assert.Equal([1000ul << 20], trace.Events[^1].Stack);
    }

    [Theory]
    [InlineData(TraceFormat.MaxArgumentBytes - 1, true)]
    [InlineData(TraceFormat.MaxArgumentBytes, true)]
    [InlineData(TraceFormat.MaxArgumentBytes + 1, false)]
    public void Arguments_of_an_event_take_no_more_bytes_than_the_format_says(int length, bool allowed)
    {
        PlainTrace trace = Write(writer =>
        {
            Exception? error = Record.Exception(() => writer.WriteEvent(default, Arguments(length), default));
            Assert.Equal(allowed, error is null);
            Assert.True(error is null or ArgumentException);
        });

        Assert.Equal(allowed ? [length - 6] : [], trace.Events.Select(e => ((byte[])e.Arguments![0]!).Length));
    }

    [Theory]
    [InlineData(TraceFormat.MaxStackDepth - 1, true)]
    [InlineData(TraceFormat.MaxStackDepth, true)]
    [InlineData(TraceFormat.MaxStackDepth + 1, false)]
    public void Stack_of_an_event_has_no_more_entries_than_the_format_says(int depth, bool allowed)
    {
        PlainTrace trace = Write(writer =>
        {
            Exception? error = Record.Exception(() => writer.WriteEvent(default, default, Stack(1, depth)));
            Assert.Equal(allowed, error is null);
        });

        Assert.Equal(allowed ? [Stack(1, depth)] : [], trace.Events.Select(e => e.Stack));
    }

    [Theory]
    [InlineData(0ul, 0ul, (byte)3, true)]
    [InlineData(1ul, 0ul, (byte)3, true)]
    [InlineData(2ul, 0ul, (byte)3, false)]
    [InlineData(0ul, 50ul, (byte)3, true)]
    [InlineData(0ul, 51ul, (byte)3, false)]
    [InlineData(0ul, 0ul, (byte)4, false)]
    public void Event_completes_one_that_lies_before_it_and_is_of_one_of_four_kinds(ulong entry, ulong entryTime, byte kind, bool allowed)
    {
        PlainTrace trace = Write(writer =>
        {
            writer.WriteEvent(default, default, default);
            TraceEvent e = new() { EntrySeq = entry, EntryTimeNs = entryTime, Kind = (TraceEventKind)kind, TimeNs = 50 };
            Assert.Equal(allowed, Record.Exception(() => writer.WriteEvent(in e, default, default)) is null);
        });

        Assert.Equal(allowed ? 2 : 1, trace.Events.Count);
        if (allowed)
        {
            Assert.Equal((entry, entryTime), (trace.Events[1].Entry, trace.Events[1].EntryTime));
        }
    }

    /// <summary>Lengths of a text around the piece it is cut into.</summary>
    public static TheoryData<int, int[]> Pieces => new()
    {
        { 0, [0] },
        { 1, [1] },
        { TraceFormat.MaxTextBytes - 1, [TraceFormat.MaxTextBytes - 1] },
        { TraceFormat.MaxTextBytes, [TraceFormat.MaxTextBytes] },
        { TraceFormat.MaxTextBytes + 1, [TraceFormat.MaxTextBytes, 1] },
        { 2 * TraceFormat.MaxTextBytes, [TraceFormat.MaxTextBytes, TraceFormat.MaxTextBytes] },
        { (2 * TraceFormat.MaxTextBytes) + 1, [TraceFormat.MaxTextBytes, TraceFormat.MaxTextBytes, 1] },
    };

    [Theory]
    [MemberData(nameof(Pieces))]
    public void Line_and_code_change_are_cut_into_pieces_that_follow_each_other(int length, int[] pieces)
    {
        byte[] bytes = new byte[length];
        new Random(2).NextBytes(bytes);
        byte[] after = [.. bytes.Select(b => (byte)~b)];
        PlainTrace trace = Write(writer =>
        {
            writer.WriteConsoleLine(3, 4, bytes);
            writer.WriteTextPoke(5, 6, 0xFFFF_FFFF_8100_0000, bytes, after, "guest");
        });

        Assert.Equal(pieces, trace.ConsoleLines.Select(row => ((byte[])row[2]!).Length));
        Assert.Equal(bytes, trace.ConsoleLines.SelectMany(row => (byte[])row[2]!));
        Assert.All(trace.ConsoleLines, row => Assert.Equal(((Int128)3, (Int128)4), (row[0], row[1])));
        Assert.Equal(pieces, trace.CodeChanges.Select(row => ((byte[])row[3]!).Length));
        Assert.Equal(bytes, trace.CodeChanges.SelectMany(row => (byte[])row[3]!));
        Assert.Equal(after, trace.CodeChanges.SelectMany(row => (byte[])row[4]!));
        Assert.Equal(
            pieces.Select((_, i) => (Int128)(0xFFFF_FFFF_8100_0000 + (ulong)(i * TraceFormat.MaxTextBytes))), trace.CodeChanges.Select(row => (Int128)row[2]!));
        Assert.All(trace.CodeChanges, row => Assert.Equal(((Int128)5, (Int128)6, "guest"), (row[0], row[1], row[5])));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData((TraceFormat.MaxTextBytes / 4) - 1)]
    [InlineData(TraceFormat.MaxTextBytes / 4)]
    [InlineData((TraceFormat.MaxTextBytes / 4) + 1)]
    public void Text_of_a_note_a_reason_and_a_symbol_is_cut_where_it_could_exceed_the_limit(int length)
    {
        string text = new('x', length);
        string expected = text[..Math.Min(length, TraceFormat.MaxTextBytes / 4)];
        PlainTrace trace = Write(writer =>
        {
            writer.WriteNote(new TraceNote { Kind = TraceNoteKind.Remark, Text = text });
            writer.WriteTextPoke(0, 0, 0, [1], [2], text);
            writer.WriteSymbol(new TraceSymbol(1, 2, text, "m", 'T'));
        });

        Assert.Equal(expected, trace.Notes[0][5]);
        Assert.Equal(expected, trace.CodeChanges[0][5]);
        Assert.Equal(expected, trace.Symbols[0][2]);
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 2)]
    [InlineData(1, 2)]
    public void Chunk_of_rows_is_closed_at_its_bytes(int beyond, int chunks)
    {
        // A row: array of 3, two numbers of one byte, bin with 3 bytes of head (5 from 65,536 on).
        const int row = TraceFormat.MaxTextBytes - 1;
        const int overhead = 1 + 2 + 3;
        int rows = TraceFormat.RowBytesPerChunk / (row + overhead);
        int last = TraceFormat.RowBytesPerChunk - (rows * (row + overhead)) - overhead + beyond;
        PlainTrace trace = Write(writer =>
        {
            for (int i = 0; i < rows; i++)
            {
                writer.WriteConsoleLine(0, 0, new byte[row]);
            }

            writer.WriteConsoleLine(0, 0, new byte[last]);
            writer.WriteConsoleLine(0, 0, "end"u8);
        });

        Assert.InRange(last, 256, row);
        Assert.Equal(chunks, trace.Frames.Count(f => f.Kind == 4));
        Assert.Equal(rows + 2, trace.ConsoleLines.Count);
    }

    [Theory]
    [InlineData(999, 0)]
    [InlineData(1000, 1)]
    [InlineData(1001, 1)]
    [InlineData(1999, 1)]
    [InlineData(2000, 2)]
    public void Everything_pending_is_written_when_a_period_is_over(ulong instructions, int chunks)
    {
        MemoryStream stream = new();
        using TraceWriter writer = new(stream, "memory", _header, new() { InstructionsPerFlush = 1000 });
        writer.WriteEvent(new TraceEvent { Instructions = 1, TimeNs = 1 }, default, default);
        if (instructions >= 2000)
        {
            writer.WriteEvent(new TraceEvent { Instructions = 1999, TimeNs = 1999 }, default, default);
        }

        writer.Advance(instructions);

        Assert.Equal(chunks, PlainTrace.Read(stream.ToArray()).Frames.Count(f => f.Kind == 1));
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 63)]
    [InlineData(3UL)]
    public void Last_period_of_all_has_an_end_that_never_comes(ulong period)
    {
        MemoryStream stream = new();
        using TraceWriter writer = new(stream, "memory", _header, new() { InstructionsPerFlush = period });
        writer.WriteEvent(new TraceEvent { Instructions = ulong.MaxValue - 1, TimeNs = ulong.MaxValue }, default, default);
        writer.Advance(ulong.MaxValue - 1);
        writer.WriteConsoleLine(0, ulong.MaxValue - 1, "line"u8);
        long before = writer.BytesWritten;
        writer.Advance(ulong.MaxValue - 1);

        Assert.Equal(before, writer.BytesWritten);
    }

    [Fact]
    public void Frames_of_a_flush_stand_in_the_order_in_which_they_refer_to_each_other()
    {
        PlainTrace trace = Write(writer =>
        {
            writer.WriteNote(new TraceNote { Kind = TraceNoteKind.Remark, Text = "n" });
            writer.WriteTextPoke(0, 0, 0, [1], [2], "r");
            writer.WriteConsoleLine(0, 0, "l"u8);
            writer.WriteEvent(default, default, default);
            writer.WriteSymbol(new TraceSymbol(1, 2, "s", "", 'T'));
            writer.WriteProbe(new TraceProbe { Id = 0, Type = 'p', Name = "p" });
        });

        Assert.Equal([0, 2, 3, 1, 4, 5, 6, 127], trace.Frames.Select(f => f.Kind));
        Assert.Equal([1ul, 1, 1, 1, 2, 2, 2, 2], trace.Frames.Select(f => f.First));
        Assert.Equal([1u, 1, 1, 1, 1, 1, 1, 1], trace.Frames.Select(f => f.Count));
        Assert.Equal((Int128)6, trace.Footer["chunks"]);
    }

    [Fact]
    public void Symbol_is_asked_for_once_an_address_and_written_once_a_symbol()
    {
        List<ulong> asked = [];
        TraceWriterOptions options = new()
        {
            EventsPerChunk = 2,
            ResolveSymbol = address =>
            {
                asked.Add(address);
                return address < 0x100 ? null : new TraceSymbol(address & ~0xFFUL, 0x100, $"s{address >> 8:x}", "", 't');
            },
        };
        PlainTrace trace = Write(
            writer =>
            {
                foreach (ulong address in new ulong[] { 0x101, 0x102, 0x101, 0x201, 0x50, 0x101 })
                {
                    writer.WriteEvent(new TraceEvent { Address = address, Caller = 0x1FF }, default, [0x2FF, 0x301]);
                }
            },
            options);

        Assert.Equal(asked.Distinct(), asked);
        Assert.Equal(["s1", "s2", "s3"], trace.Symbols.Select(row => row[2]).Order());
        Assert.Contains(0x50ul, asked);
    }

    [Fact]
    public void Addresses_of_code_that_went_are_named_anew_behind_the_events_that_meant_the_old_one()
    {
        string name = "old";
        TraceWriterOptions options = new() { ResolveSymbol = address => new TraceSymbol(address & ~0xFFUL, 0x100, name, "m", 't') };
        PlainTrace trace = Write(
            writer =>
            {
                writer.WriteEvent(new TraceEvent { Address = 0x1000 }, default, default);
                writer.WriteEvent(new TraceEvent { Address = 0x2000 }, default, default);
                writer.ForgetSymbols(0x1000, 0x2000);
                writer.WriteEvent(new TraceEvent { Address = 0x1000 }, default, default);
                name = "new";
                writer.ForgetSymbols(0x1000, 0x2000);
                writer.WriteEvent(new TraceEvent { Address = 0x1000 }, default, default);
                writer.WriteEvent(new TraceEvent { Address = 0x2000 }, default, default);
            },
            options);

        Assert.Equal([((Int128)0x1000, "old"), ((Int128)0x2000, "old"), ((Int128)0x1000, "new")], trace.Symbols.Select(row => ((Int128)row[0]!, (string)row[2]!)));
        Assert.Equal([3u, 2u], EventCounts(trace));
        Assert.Equal([0, 3, 1, 3, 1, 127], trace.Frames.Select(f => f.Kind));
    }

    [Fact]
    public void Closed_writer_takes_nothing_more()
    {
        TraceWriter writer = new(new MemoryStream(), "memory", _header);
        writer.Complete(new TraceFooter { Ended = "halt" });

        Assert.Throws<ObjectDisposedException>(() => writer.WriteEvent(default, default, default));
        Assert.Throws<ObjectDisposedException>(() => writer.WriteConsoleLine(0, 0, "x"u8));
        writer.Dispose();
    }

    [Fact]
    public void Code_change_has_as_many_bytes_before_as_after()
    {
        using TraceWriter writer = new(new MemoryStream(), "memory", _header);

        Assert.Throws<ArgumentException>(() => writer.WriteTextPoke(0, 0, 0, [1, 2], [1], ""));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.WriteProbe(new TraceProbe { Id = -1, Type = 'p', Name = "p" }));
    }

    private static uint[] EventCounts(PlainTrace trace) => [.. trace.Frames.Where(f => f.Kind == 1).Select(f => f.Count)];

    /// <summary>An argument array of so many bytes in all: one bin.</summary>
    private static byte[] Arguments(int length)
    {
        byte[] bytes = new byte[length];
        int content = length - 6;
        (bytes[0], bytes[1]) = (0x91, 0xC6);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(2), content);
        return bytes;
    }

    private static ulong[] Stack(int number, int depth) => [.. Enumerable.Range(0, depth).Select(i => ((ulong)number << 20) + (ulong)i)];

    private static PlainTrace Write(Action<TraceWriter> write, TraceWriterOptions? options = null)
    {
        MemoryStream stream = new();
        using (TraceWriter writer = new(stream, "memory", _header, options))
        {
            write(writer);
            writer.Complete(new TraceFooter { Ended = "halt" });
        }

        return PlainTrace.Read(stream.ToArray());
    }
}
