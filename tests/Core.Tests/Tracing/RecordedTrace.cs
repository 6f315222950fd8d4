using KprobeTrace.Bench;
using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Tracing;

/// <summary>A trace in memory together with what was written to it.</summary>
internal sealed class RecordedTrace
{
    internal List<(TraceEvent Event, byte[] Arguments, ulong[] Stack)> Events { get; } = [];

    internal byte[] Bytes { get; private set; } = [];

    /// <summary>Events of the synthetic kernel, with a few console lines, in chunks of the given size.</summary>
    internal static RecordedTrace Synthetic(int count, int eventsPerChunk = 64, ulong seed = 1)
    {
        RecordedTrace trace = new();
        SyntheticKernel kernel = new(seed);
        for (int i = 0; i < count; i++)
        {
            kernel.Next(out TraceEvent e);
            trace.Events.Add((e, kernel.Arguments.ToArray(), kernel.Stack.ToArray()));
        }

        trace.Write(new TraceWriterOptions { EventsPerChunk = eventsPerChunk, ResolveSymbol = SyntheticKernel.Resolve });
        return trace;
    }

    /// <summary>Events whose every field is drawn from the corners of its range.</summary>
    internal static RecordedTrace Extreme(int count, int eventsPerChunk = 64, int seed = 1)
    {
        RecordedTrace trace = new();
        Random random = new(seed);
        ulong[] corners = [0, 1, 31, 32, 127, 128, 255, 256, 65535, 65536, uint.MaxValue, 1UL << 32, long.MaxValue, 1UL << 63, ulong.MaxValue];
        ulong Corner() => corners[random.Next(corners.Length)] ^ (random.Next(4) == 0 ? (ulong)random.NextInt64() : 0);
        for (int i = 0; i < count; i++)
        {
            TraceEvent e = new()
            {
                Seq = (ulong)i + 1,
                TimeNs = Corner(),
                Instructions = Corner(),
                Address = Corner(),
                Caller = Corner(),
                Cr2 = Corner(),
                ProbeId = (int)Corner(),
                ErrorCode = (uint)Corner(),
                Cpu = (ushort)Corner(),
                Kind = (TraceEventKind)random.Next(4),
                Vector = (byte)Corner(),
                Parts = (TraceEventParts)random.Next(16),
            };
            if ((e.Parts & TraceEventParts.Registers) != 0)
            {
                foreach (ref ulong register in e.Registers.AsSpan())
                {
                    register = Corner();
                }
            }

            if ((e.Parts & TraceEventParts.Task) != 0)
            {
                byte[] comm = new byte[random.Next(17)];
                random.NextBytes(comm);
                e.Comm = new TraceComm(comm);
                e.Pid = (int)Corner();
            }

            e.EntrySeq = random.Next(2) == 0 ? 0 : (ulong)random.Next(i + 1);
            e.EntryTimeNs = random.Next(2) == 0 ? 0 : (ulong)random.NextInt64() % Math.Max(e.TimeNs, 1);
            ulong[] stack = new ulong[random.Next(3) == 0 ? random.Next(40) : 0];
            for (int j = 0; j < stack.Length; j++)
            {
                stack[j] = Corner();
            }

            byte[][] arguments = [[], [0x90], [0x91, 0xC0], [0x92, 0xC4, 2, 0xFF, 0xFE, 0x93, 1, 2, 0xA1, 0x41], [0xDC, 0, 1, 0xC3]];
            trace.Events.Add((e, arguments[random.Next(arguments.Length)], stack));
        }

        trace.Write(new TraceWriterOptions { EventsPerChunk = eventsPerChunk, InstructionsPerFlush = ulong.MaxValue });
        return trace;
    }

    /// <summary>Requires that an event read is the one written.</summary>
    internal void RequireEvent(TraceReader reader, int index)
    {
        TraceEvent read = reader.Events[index];
        (TraceEvent written, byte[] arguments, ulong[] stack) = Events[(int)read.Seq - 1];
        if (arguments.Length > 0)
        {
            written.Parts |= TraceEventParts.Arguments;
        }

        Xunit.Assert.Equal(Fields(written), Fields(read));
        Xunit.Assert.True(reader.GetArguments(index).SequenceEqual(arguments));
        Xunit.Assert.True(reader.GetStack(index).SequenceEqual(stack));
    }

    /// <summary>Every field of an event by name, as one line a test can show.</summary>
    internal static string Fields(in TraceEvent e) =>
        string.Join(' ', e.Registers.AsReadOnlySpan().ToArray().Select(r => r.ToString("x", null)))
        + $" {e.Seq} {e.TimeNs} {e.Instructions} {e.Address:x} {e.Caller:x} {e.EntrySeq} {e.EntryTimeNs} {e.Cr2:x}"
        + $" {Convert.ToHexString(e.Comm.Bytes)} {e.Pid} {e.ProbeId} {e.ErrorCode} {e.Cpu} {e.Kind} {e.Vector} {e.Parts}";

    /// <summary>Offsets of the file's frames and, last, its length.</summary>
    internal static List<int> FrameOffsets(ReadOnlySpan<byte> bytes)
    {
        List<int> offsets = [];
        int at = 0;
        while (at < bytes.Length)
        {
            Xunit.Assert.True(FrameHead.TryRead(bytes[at..], out FrameHead head));
            offsets.Add(at);
            at += FrameHead.Size + (int)head.PackedLength;
        }

        offsets.Add(at);
        return offsets;
    }

    private void Write(TraceWriterOptions options)
    {
        MemoryStream stream = new();
        using TraceWriter writer = new(stream, "memory", SyntheticTrace.Header, options);
        foreach (TraceProbe probe in SyntheticKernel.Probes)
        {
            writer.WriteProbe(probe);
        }

        foreach ((TraceEvent e, byte[] arguments, ulong[] stack) in Events)
        {
            Xunit.Assert.Equal(e.Seq, writer.WriteEvent(in e, arguments, stack));
            if (e.Seq % 100 == 0)
            {
                writer.WriteConsoleLine(e.TimeNs, e.Instructions, "[    0.000000] a line"u8);
            }
        }

        writer.Complete(new TraceFooter { Ended = "poweroff", Instructions = 5, TimeNs = 7 });
        Bytes = stream.ToArray();
    }
}
