using System.Text;
using KprobeTrace.Loaders;
using KprobeTrace.Machine;
using KprobeTrace.Recording;
using KprobeTrace.Tests.Tracing;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Recording;

/// <summary>The guest's serial output as lines of the trace.</summary>
public sealed unsafe class ConsoleLinesTests : IDisposable
{
    private readonly MemoryStream _trace = new();
    private readonly MemoryStream _sink = new();
    private readonly GuestMachine _machine;

    public ConsoleLinesTests() => _machine = MachineBuilder.Build(
        ImageLoader.Load("flat.bin", new byte[16], new ImageLoadOptions { MemorySize = 16 << 20, ForceFlat = true }), _ => { });

    public void Dispose() => _machine.Dispose();

    public static TheoryData<string, string[]> Terminators => new()
    {
        { "", [] },
        { "one", ["one"] },
        { "one\n", ["one"] },
        { "one\r\n", ["one"] },
        { "one\n\r", ["one"] },
        { "one\r\r\n", ["one"] },
        { "\n", [""] },
        { "\r\n\r\n", ["", ""] },
        { "one\ntwo", ["one", "two"] },
        { "one\r\ntwo\r\n", ["one", "two"] },
        { "one\n\ntwo\n", ["one", "", "two"] },
        { "a\0b\t\u001b[0m\n", ["a\0b\t\u001b[0m"] },
    };

    [Theory]
    [MemberData(nameof(Terminators))]
    public void Line_ends_at_a_line_feed_and_carriage_returns_are_left_out(string text, string[] expected)
    {
        Assert.Equal(expected, Lines(Encoding.Latin1.GetBytes(text)));
        Assert.Equal(Encoding.Latin1.GetBytes(text), _sink.ToArray());
    }

    /// <summary>Lengths around the piece that an overlong line is cut into, and around two of them.</summary>
    public static TheoryData<int, bool> Lengths
    {
        get
        {
            TheoryData<int, bool> rows = [];
            foreach (int length in new[] { 1, ConsoleLines.MaxLine, 2 * ConsoleLines.MaxLine }.SelectMany(n => new[] { n - 1, n, n + 1 }))
            {
                rows.Add(length, true);
                rows.Add(length, false);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Overlong_line_is_cut_into_pieces_and_its_end_begins_no_line_of_its_own(int length, bool ended)
    {
        byte[] line = [.. Enumerable.Range(0, length).Select(i => (byte)('a' + (i % 26)))];
        byte[] text = ended ? [.. line, (byte)'\n', .. "next"u8] : line;

        string[] lines = Lines(text);

        string[] pieces = [.. line.Chunk(ConsoleLines.MaxLine).Select(Encoding.ASCII.GetString)];
        Assert.Equal(!ended ? pieces : length == 0 ? ["", "next"] : [.. pieces, "next"], lines);
        Assert.Equal(text, _sink.ToArray());
    }

    [Fact]
    public void Line_carries_the_time_of_its_end()
    {
        ConsoleLines console = new(null) { Machine = _machine };
        using (TraceWriter writer = new(_trace, "memory", Header()))
        {
            console.Writer = writer;
            Put(console, "one\n"u8);
            _machine.Processors.Bootstrap.State->IdleTime = 70;
            Put(console, "two\n"u8);
            console.Finish();
            writer.Complete(new TraceFooter { Ended = "halt" });
        }

        Assert.Equal(
            [(0, 0), (70, 0)],
            PlainTrace.Read(_trace.ToArray()).ConsoleLines.Select(row => ((int)(Int128)row[0]!, (int)(Int128)row[1]!)));
    }

    [Fact]
    public void Every_byte_is_passed_on_with_its_line_and_at_the_end()
    {
        ConsoleLines console = new(_sink);
        Put(console, "one\ntwo"u8);
        byte[] afterLine = _sink.ToArray();
        console.Finish();

        Assert.Equal("one\n"u8, afterLine);
        Assert.Equal("one\ntwo"u8, _sink.ToArray());
    }

    [Fact]
    public void Nothing_is_needed_to_take_bytes()
    {
        ConsoleLines console = new(null);
        Put(console, "one\n"u8);
        console.Finish();

        Assert.False(console.SawPanic);
    }

    [Theory]
    [InlineData("Kernel panic - not syncing: Attempted to kill init!\n", true)]
    [InlineData("[    1.0] Kernel panic - not syncing: x\r\n", true)]
    [InlineData("Kernel panic - not syncing", true)]
    [InlineData("Kernel panic - not\n syncing\n", false)]
    [InlineData("kernel panic - not syncing\n", false)]
    [InlineData("Kernel panic\nquiet\n", false)]
    public void Panic_is_seen_by_its_line(string text, bool panic)
    {
        ConsoleLines console = new(null);
        Put(console, "first line\n"u8);
        Put(console, Encoding.ASCII.GetBytes(text));
        console.Finish();
        Put(console, "Rebooting in 1 seconds..\n"u8);

        Assert.Equal(panic, console.SawPanic);
    }

    [Fact]
    public void Panic_behind_an_overlong_line_is_seen_wherever_that_is_cut()
    {
        for (int before = ConsoleLines.MaxLine - 30; before <= ConsoleLines.MaxLine + 1; before++)
        {
            ConsoleLines console = new(null);
            Put(console, [.. Enumerable.Repeat((byte)'x', before), .. "Kernel panic - not syncing\n"u8]);

            Assert.True(console.SawPanic, $"not seen behind {before} bytes");
        }
    }

    [Fact]
    public void Console_that_cannot_be_written_ends_the_run_in_one_line()
    {
        ConsoleLines console = new(new FullStream());

        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => Put(console, "one\n"u8));

        Assert.StartsWith("the guest's console cannot be written: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Lines_without_a_trace_or_a_machine_are_passed_on_and_no_more(bool hasTrace, bool hasMachine)
    {
        using TraceWriter writer = new(_trace, "memory", Header());
        ConsoleLines console = new(_sink) { Machine = hasMachine ? _machine : null, Writer = hasTrace ? writer : null };

        Put(console, "one\n"u8);
        console.Finish();
        writer.Complete(new TraceFooter { Ended = "halt" });

        Assert.Equal("one\n"u8, _sink.ToArray());
        Assert.Empty(PlainTrace.Read(_trace.ToArray()).ConsoleLines);
    }

    private static TraceHeader Header() => new() { ImageName = "flat.bin", ImageSha256 = "" };

    private static void Put(ConsoleLines console, ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            console.Take(value);
        }
    }

    /// <summary>The lines that a trace holds of what a guest sent.</summary>
    private string[] Lines(byte[] sent)
    {
        ConsoleLines console = new(_sink) { Machine = _machine };
        using (TraceWriter writer = new(_trace, "memory", Header()))
        {
            console.Writer = writer;
            Put(console, sent);
            console.Finish();
            writer.Complete(new TraceFooter { Ended = "halt" });
        }

        return [.. PlainTrace.Read(_trace.ToArray()).ConsoleLines.Select(row => Encoding.Latin1.GetString((byte[])row[2]!))];
    }

    private sealed class FullStream : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("disk full");
    }
}
