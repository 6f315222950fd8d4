using KprobeTrace.Bench;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

public sealed class TraceWriterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("trace-writer-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void An_existing_file_becomes_the_old_one()
    {
        string path = Path.Combine(_folder, "t.mpk");
        File.WriteAllText(path, "first");
        File.WriteAllText(path + ".old", "older");

        SyntheticTrace.Write(path, 10);

        Assert.Equal("first", File.ReadAllText(path + ".old"));
        Assert.True(TraceReader.Check(path).Whole);
    }

    [Fact]
    public void A_folder_that_does_not_exist_is_one_line_naming_the_file()
    {
        string path = Path.Combine(_folder, "no", "t.mpk");
        KprobeTraceException e = Assert.Throws<KprobeTraceException>(() => TraceWriter.Create(path, SyntheticTrace.Header));
        Assert.StartsWith($"{path}: cannot create the trace: its folder does not exist; ", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void A_full_disk_is_one_line_naming_the_file()
    {
        if (!File.Exists("/dev/full"))
        {
            Assert.False(OperatingSystem.IsLinux(), "/dev/full is missing");
            return;
        }

        KprobeTraceException e = Assert.Throws<KprobeTraceException>(() => SyntheticTrace.Write("/dev/full", 10));
        Assert.StartsWith("/dev/full: cannot write the trace: ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_that_fills_up_leaves_whole_chunks_only()
    {
        byte[] whole = RecordedTrace.Synthetic(2000).Bytes;
        LimitedStream stream = new(whole.Length / 2);

        KprobeTraceException e = Assert.Throws<KprobeTraceException>(() => SyntheticTrace.Write(stream, 2000, eventsPerChunk: 64));

        Assert.StartsWith("synthetic: cannot write the trace: disk full", e.Message, StringComparison.Ordinal);
        using TraceReader reader = new(new MemoryStream(stream.ToArray()), "memory");
        TraceCheckReport report = reader.Check();
        Assert.True(report.Events > 500);
        Assert.Single(report.Damage); // that the footer is missing
        Assert.Null(report.Footer);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(1UL << 28)] // unless it is told otherwise
    public void Pending_events_are_written_when_the_guest_has_run_far_enough(ulong instructions)
    {
        MemoryStream stream = new();
        using TraceWriter writer = new(stream, "memory", SyntheticTrace.Header, instructions == 1000 ? new() { InstructionsPerFlush = 1000 } : null);
        TraceEvent e = new() { Instructions = 10, TimeNs = 10 };
        writer.WriteEvent(in e, default, default);
        Assert.Equal(0UL, EventsIn(stream));

        writer.Advance(instructions - 1);
        Assert.Equal(0UL, EventsIn(stream));

        writer.Advance(instructions);
        Assert.Equal(1UL, EventsIn(stream));
    }

    [Fact]
    public void Telling_the_writer_how_far_the_guest_has_run_does_not_change_the_bytes()
    {
        Assert.Equal(Write(0), Write(1));

        static byte[] Write(int ticks)
        {
            MemoryStream stream = new();
            using TraceWriter writer = new(stream, "memory", SyntheticTrace.Header, new() { InstructionsPerFlush = 1000 });
            for (ulong i = 0; i < 100; i++)
            {
                TraceEvent e = new() { Instructions = i * 130, TimeNs = i * 130 };
                writer.WriteEvent(in e, default, default);
                for (int tick = 0; tick < ticks; tick++)
                {
                    writer.Advance((i * 130) + 60);
                }
            }

            writer.Complete(new TraceFooter { Ended = "halt" });
            return stream.ToArray();
        }
    }

    [Fact]
    public void Closing_without_completing_writes_what_is_pending_and_no_footer()
    {
        MemoryStream stream = new();
        using (TraceWriter writer = new(stream, "memory", SyntheticTrace.Header))
        {
            TraceEvent e = default;
            writer.WriteEvent(in e, default, default);
        }

        using TraceReader reader = new(new MemoryStream(stream.ToArray()), "memory");
        TraceCheckReport report = reader.Check();
        Assert.Equal(1UL, report.Events);
        Assert.False(report.Whole);
        Assert.Contains("no footer", Assert.Single(report.Damage).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Arguments_that_are_no_single_array_are_refused()
    {
        using TraceWriter writer = new(new MemoryStream(), "memory", SyntheticTrace.Header);
        byte[][] bad =
        [
            [0x01], [0xC0], [0x91], [0x92, 1], [0x91, 1, 1], [0x91, 0xC1], [0xDD, 0xFF, 0xFF, 0xFF, 0xFF], [0x91, 0xD9, 5, 65], [0x91, 0xD4, 0, 0],
            [.. Enumerable.Repeat((byte)0x91, 1000)], [0x80],
        ];
        foreach (byte[] arguments in bad)
        {
            Assert.Throws<ArgumentException>(() => writer.WriteEvent(default, arguments, default));
        }

        Assert.Equal(0UL, writer.EventCount);
        Assert.Throws<ArgumentException>(() => writer.WriteEvent(default, default, new ulong[TraceFormat.MaxStackDepth + 1]));
        Assert.Throws<ArgumentException>(() => writer.WriteEvent(new TraceEvent { EntrySeq = 1 }, default, default));
    }

    [Fact]
    public void Overlong_console_lines_and_code_changes_become_several()
    {
        byte[] line = new byte[TraceFormat.MaxTextBytes + 10];
        Random.Shared.NextBytes(line);
        MemoryStream stream = new();
        using (TraceWriter writer = new(stream, "memory", SyntheticTrace.Header))
        {
            writer.WriteConsoleLine(0, 0, line);
            writer.WriteTextPoke(0, 0, 100, line, line, "guest");
            writer.Complete(new TraceFooter { Ended = "halt" });
        }

        using TraceReader reader = new(new MemoryStream(stream.ToArray()), "memory");
        Assert.True(reader.ReadChunk());
        Assert.Equal(line, reader.ConsoleLines.SelectMany(l => l.Line.ToArray()));
        Assert.True(reader.ReadChunk());
        Assert.Equal(line, reader.TextPokes.SelectMany(p => p.New.ToArray()));
        Assert.Equal(100UL + TraceFormat.MaxTextBytes, reader.TextPokes[1].Address);
    }

    [Fact]
    public void Writing_an_event_allocates_nothing()
    {
        using TraceWriter writer = new(Stream.Null, "null", SyntheticTrace.Header);
        SyntheticKernel kernel = new();
        long before = 0;
        for (int i = 0; i < 40_000; i++)
        {
            if (i == 34_000)
            {
                before = GC.GetAllocatedBytesForCurrentThread(); // two chunks have sized all buffers
            }

            kernel.Next(out TraceEvent e);
            writer.WriteEvent(in e, kernel.Arguments, kernel.Stack);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static ulong EventsIn(MemoryStream stream)
    {
        using TraceReader reader = new(new MemoryStream(stream.ToArray()), "memory");
        return reader.Check().Events;
    }

    /// <summary>A stream on a disk with so many bytes left.</summary>
    private sealed class LimitedStream(long capacity) : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            base.Write(buffer[..(int)Math.Min(buffer.Length, capacity - Length)]);
            if (buffer.Length > 0 && Length == capacity)
            {
                throw new PlainIOException("disk full", 5);
            }
        }
    }
}
