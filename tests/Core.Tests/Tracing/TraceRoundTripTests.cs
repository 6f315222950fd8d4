using KprobeTrace.Bench;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

public sealed class TraceRoundTripTests
{
    [Theory]
    [InlineData(1, 64)]
    [InlineData(64, 64)]
    [InlineData(5000, 64)]
    [InlineData(5000, 16384)]
    public void Kernel_like_events_come_back_as_written(int count, int eventsPerChunk)
    {
        RequireAll(RecordedTrace.Synthetic(count, eventsPerChunk));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3000, 1)]
    [InlineData(3000, 100)]
    [InlineData(3000, 65536)]
    public void Extreme_values_come_back_as_written(int count, int eventsPerChunk)
    {
        for (int seed = 1; seed <= 3; seed++)
        {
            RequireAll(RecordedTrace.Extreme(count, eventsPerChunk, seed));
        }
    }

    [Fact]
    public void The_same_calls_give_the_same_bytes()
    {
        Assert.Equal(RecordedTrace.Synthetic(3000).Bytes, RecordedTrace.Synthetic(3000).Bytes);
        Assert.NotEqual(RecordedTrace.Synthetic(3000).Bytes, RecordedTrace.Synthetic(3000, seed: 2).Bytes);
    }

    [Fact]
    public void A_trace_without_events_has_header_and_footer()
    {
        MemoryStream stream = new();
        using (TraceWriter writer = new(stream, "memory", SyntheticTrace.Header))
        {
            writer.Complete(new TraceFooter { Ended = "halt" });
        }

        using TraceReader reader = new(new MemoryStream(stream.ToArray()), "memory");
        Assert.False(reader.ReadChunk());
        Assert.Equal("halt", reader.Footer!.Ended);
        Assert.Empty(reader.Damage);
    }

    [Fact]
    public void Header_and_footer_come_back_as_written()
    {
        TraceHeader header = SyntheticTrace.Header with
        {
            InitrdSha256 = new string('f', 64),
            Cpus = 2,
            Options = new Dictionary<string, string> { ["kinds"] = "pre,ret", ["engine"] = "ü" },
        };
        TraceFooter footer = new()
        {
            Ended = "triple-fault",
            TimeNs = 1,
            Instructions = ulong.MaxValue,
            ExitCode = -3,
            Probes = [new TraceProbeCount(0, 5, 1, "armed"), new TraceProbeCount(7, 0, 0, "pending")],
        };
        MemoryStream stream = new();
        using (TraceWriter writer = new(stream, "memory", header))
        {
            writer.Complete(footer);
        }

        using TraceReader reader = new(new MemoryStream(stream.ToArray()), "memory");
        Assert.False(reader.ReadChunk());
        Assert.Equal(header with { Options = reader.Header.Options }, reader.Header);
        Assert.Equal(header.Options, reader.Header.Options);
        Assert.Equal(footer with { Probes = reader.Footer!.Probes }, reader.Footer);
        Assert.Equal(footer.Probes, reader.Footer.Probes);
    }

    [Fact]
    public void Rows_of_every_kind_come_back_as_written()
    {
        TraceProbe probe = new()
        {
            Id = 3,
            Type = 'r',
            Group = "g",
            Name = "n",
            Symbol = "do_exit",
            Offset = 4,
            Address = ulong.MaxValue,
            Module = "m",
            Definition = "r:g/n do_exit+4",
            Filter = "a > 1",
            State = "pending",
            Arguments = [new("a", "u32"), new("b", "string[4]")],
        };
        TraceSymbol symbol = new(0xFFFFFFFF81000000, 16, "_text", "", 'T');
        TraceNote note = new() { Kind = TraceNoteKind.Limit, TimeNs = 9, Instructions = 8, ProbeId = 3, Count = 7, Text = "full" };
        byte[] line = [0xFF, 0x00, (byte)'x'];
        MemoryStream stream = new();
        using (TraceWriter writer = new(stream, "memory", SyntheticTrace.Header))
        {
            writer.WriteProbe(probe);
            writer.WriteSymbol(symbol);
            writer.WriteNote(note);
            writer.WriteConsoleLine(1, 2, line);
            writer.WriteTextPoke(3, 4, 5, [0xE8], [0xCC], "guest");
            writer.Complete(new TraceFooter { Ended = "halt" });
        }

        using TraceReader reader = new(new MemoryStream(stream.ToArray()), "memory");
        Assert.True(reader.ReadChunk());
        Assert.Equal(probe with { Arguments = reader.Probes[0].Arguments }, reader.Probes[0]);
        Assert.Equal(probe.Arguments, reader.Probes[0].Arguments);
        Assert.True(reader.ReadChunk());
        Assert.Equal(symbol, Assert.Single(reader.Symbols));
        Assert.True(reader.ReadChunk());
        TraceConsoleLine read = Assert.Single(reader.ConsoleLines);
        Assert.Equal((1UL, 2UL), (read.TimeNs, read.Instructions));
        Assert.Equal(line, read.Line.ToArray());
        Assert.True(reader.ReadChunk());
        TraceTextPoke poke = Assert.Single(reader.TextPokes);
        Assert.Equal((3UL, 4UL, 5UL, "guest"), (poke.TimeNs, poke.Instructions, poke.Address, poke.Reason));
        Assert.Equal((0xE8, 0xCC), (poke.Old.Span[0], poke.New.Span[0]));
        Assert.True(reader.ReadChunk());
        Assert.Equal(note, Assert.Single(reader.Notes));
        Assert.False(reader.ReadChunk());
    }

    [Fact]
    public void Symbols_and_probes_stand_before_the_events_that_use_them()
    {
        using TraceReader reader = new(new MemoryStream(RecordedTrace.Synthetic(2000).Bytes), "memory");
        List<TraceSymbol> symbols = [];
        HashSet<int> probes = [];

        while (reader.ReadChunk())
        {
            symbols.AddRange(reader.Symbols);
            probes.UnionWith(reader.Probes.Select(p => p.Id));
            for (int i = 0; i < reader.Events.Length; i++)
            {
                TraceEvent e = reader.Events[i];
                Assert.Contains(e.ProbeId, probes);
                foreach (ulong address in (ulong[])[e.Address, e.Registers.Ip, e.Caller, .. reader.GetStack(i)])
                {
                    Assert.Contains(symbols, s => address >= s.Address && address < s.Address + s.Size);
                }
            }
        }

        Assert.Equal(symbols.Count, symbols.Select(s => s.Address).Distinct().Count());
    }

    private static void RequireAll(RecordedTrace trace)
    {
        using TraceReader reader = new(new MemoryStream(trace.Bytes), "memory");
        int seen = 0;
        while (reader.ReadChunk())
        {
            for (int i = 0; i < reader.Events.Length; i++)
            {
                Assert.Equal((ulong)++seen, reader.Events[i].Seq);
                trace.RequireEvent(reader, i);
            }
        }

        Assert.Equal(trace.Events.Count, seen);
        Assert.Equal((ulong)seen, reader.Footer!.Events);
        Assert.Empty(reader.Damage);
    }
}
