using System.Text;
using KprobeTrace.Tracing;

namespace KprobeTrace.Bench;

/// <summary>Writes whole synthetic traces for benchmarks and tests.</summary>
internal static class SyntheticTrace
{
    /// <summary>The header of a synthetic trace.</summary>
    public static TraceHeader Header { get; } = new()
    {
        ImageName = "synthetic",
        ImageSha256 = new string('0', 64),
        Kernel = "Linux version 6.1.0-synthetic",
        CommandLine = "console=ttyS0 panic=-1",
        MemoryBytes = 512UL << 20,
        Producer = "trace generator",
    };

    /// <summary>Writes a trace of <paramref name="events"/> events to a file.</summary>
    public static void Write(string path, int events, ulong seed = 1, int eventsPerChunk = 16384)
    {
        using TraceWriter writer = TraceWriter.Create(path, Header, Options(eventsPerChunk));
        Write(writer, events, seed);
    }

    /// <summary>Writes a trace of <paramref name="events"/> events to a stream, which it closes.</summary>
    public static void Write(Stream stream, int events, ulong seed = 1, int eventsPerChunk = 16384)
    {
        using TraceWriter writer = new(stream, "synthetic", Header, Options(eventsPerChunk));
        Write(writer, events, seed);
    }

    private static TraceWriterOptions Options(int eventsPerChunk) =>
        new() { EventsPerChunk = eventsPerChunk, ResolveSymbol = SyntheticKernel.Resolve };

    private static void Write(TraceWriter writer, int events, ulong seed)
    {
        foreach (TraceProbe probe in SyntheticKernel.Probes)
        {
            writer.WriteProbe(probe);
        }

        SyntheticKernel kernel = new(seed);
        ulong[] hits = new ulong[SyntheticKernel.Probes.Count];
        TraceEvent e = default;
        for (int i = 0; i < events; i++)
        {
            kernel.Next(out e);
            if (i % 5000 == 17)
            {
                writer.WriteConsoleLine(e.TimeNs, e.Instructions, Encoding.UTF8.GetBytes($"[    {i / 5000}.000000] line {i}"));
            }

            if (i % 20000 == 1234)
            {
                writer.WriteTextPoke(e.TimeNs, e.Instructions, e.Address, [0x0F, 0x1F], [0x66, 0x90], "guest");
            }

            if (i % 50000 == 4321)
            {
                writer.WriteNote(new TraceNote
                {
                    Kind = TraceNoteKind.Miss,
                    TimeNs = e.TimeNs,
                    Instructions = e.Instructions,
                    ProbeId = e.ProbeId,
                    Text = "synthetic miss",
                });
            }

            hits[e.ProbeId]++;
            writer.WriteEvent(in e, kernel.Arguments, kernel.Stack);
        }

        writer.Complete(new TraceFooter
        {
            Ended = "poweroff",
            TimeNs = e.TimeNs,
            Instructions = e.Instructions,
            Probes = [.. hits.Select((count, id) => new TraceProbeCount(id, count, 0, "armed"))],
        });
    }
}
