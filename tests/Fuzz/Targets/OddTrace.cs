using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using KprobeTrace.Bench;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Tracing;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Traces that a writer would write, with everything in them that the format allows, and damaged ones whose checksums hold.</summary>
internal static class OddTrace
{
    private static readonly string[] _names = ["fork", "open", "a b", "", "ret", "naïve", "x\ny", "\"q\"", "'; drop table x;--", "\u0001", "𝄞", "select", "%s%n", "..", "<script>", new('n', 300)];
    private static readonly string[] _types = ["u64", "s8", "x32", "string", "ustring", "u8[4]", "string[2]", "char", "symbol", "b4@2/32", "nosuch", "", "u64[0]", "symstr", "s64"];

    /// <summary>A whole trace, or one with a changed payload whose checksums were repaired, or plain damage.</summary>
    public static byte[] Generate(FuzzRandom random)
    {
        byte[] trace = random.OneIn(4) ? Synthetic(random) : Whole(random);
        return random.Next(4) switch
        {
            0 => trace,
            1 => Mutator.Mutate(random, trace),
            _ => Resealed(random, trace),
        };
    }

    /// <summary>Offsets of the frames.</summary>
    public static List<int> Frames(ReadOnlySpan<byte> bytes)
    {
        List<int> offsets = [];
        for (int at = 0; at < bytes.Length && FrameHead.TryRead(bytes[at..], out FrameHead head); at += FrameHead.Size + (int)head.PackedLength)
        {
            offsets.Add(at);
        }

        return offsets;
    }

    /// <summary>A trace of odd but valid contents.</summary>
    public static byte[] Whole(FuzzRandom random)
    {
        MemoryStream stream = new();
        using TraceWriter writer = new(stream, "memory", new TraceHeader
        {
            ImageName = random.Pick<string>(_names),
            ImageSha256 = new string('a', 64),
            Kernel = random.Pick<string>(_names),
            CommandLine = random.Pick<string>(_names),
            MemoryBytes = random.Corner() >> 1,
            Producer = random.Pick<string>(_names),
        }, new TraceWriterOptions { EventsPerChunk = random.Next(1, 60), InstructionsPerFlush = random.OneIn(2) ? ulong.MaxValue : 1 + (random.Next64() >> 4) });
        int probes = random.Next(5);
        for (int id = 0; id < probes; id++)
        {
            writer.WriteProbe(Probe(random, id));
        }

        ulong time = random.OneIn(3) ? random.Corner() : 1000;
        ulong instructions = time / 2;
        for (int i = random.Next(120); i > 0; i--)
        {
            time = random.OneIn(20) ? random.Corner() : time + (ulong)random.Next(5000);
            instructions = random.OneIn(20) ? random.Corner() : instructions + (ulong)random.Next(5000);
            Other(random, writer, time, instructions, probes);
            TraceEvent e = Event(random, time, instructions, writer.EventCount, probes);
            ulong[] stack = random.OneIn(3) ? [.. Enumerable.Range(0, random.Next(20)).Select(_ => random.Corner())] : [];
            writer.WriteEvent(in e, Arguments(random), stack);
        }

        if (!random.OneIn(6))
        {
            writer.Complete(new TraceFooter
            {
                Ended = random.Pick("poweroff", "timeout", "", "x"),
                TimeNs = time,
                Instructions = instructions,
                ExitCode = (int)random.Corner(),
                Probes = [.. Enumerable.Range(0, probes).Select(id => new TraceProbeCount(random.OneIn(5) ? (int)random.Corner() : id, random.Corner(), random.Corner(), "armed"))],
            });
        }
        else
        {
            writer.Dispose();
        }

        return stream.ToArray();
    }

    private static byte[] Synthetic(FuzzRandom random)
    {
        MemoryStream stream = new();
        SyntheticTrace.Write(stream, random.Next(1, 300), random.Next64(), random.Next(1, 80));
        return stream.ToArray();
    }

    private static TraceProbe Probe(FuzzRandom random, int id) => new()
    {
        Id = random.OneIn(10) ? (int)(random.Corner() & int.MaxValue) : id,
        Type = random.Pick('p', 'r'),
        Group = random.Pick("kprobes", "", random.Pick<string>(_names)),
        Name = random.Pick<string>(_names),
        Symbol = random.Pick<string>(_names),
        Offset = random.OneIn(4) ? random.Corner() : 0,
        Address = random.Corner(),
        Module = random.OneIn(4) ? random.Pick<string>(_names) : "",
        Definition = random.Pick<string>(_names),
        Filter = random.OneIn(4) ? random.Pick<string>(_names) : "",
        State = random.Pick("armed", "pending", "gone", "", "x"),
        Arguments = [.. Enumerable.Range(0, random.Next(5)).Select(_ => new TraceArgument(random.Pick<string>(_names), random.Pick<string>(_types)))],
    };

    private static void Other(FuzzRandom random, TraceWriter writer, ulong time, ulong instructions, int probes)
    {
        switch (random.Next(12))
        {
            case 0:
                writer.WriteConsoleLine(time, instructions, random.Bytes(random.Next(40)));
                break;
            case 1:
                int length = random.Next(20);
                writer.WriteTextPoke(time, instructions, random.Corner(), random.Bytes(length), random.Bytes(length), random.Pick<string>(_names));
                break;
            case 2:
                writer.WriteNote(new TraceNote
                {
                    Kind = (TraceNoteKind)random.Next(5),
                    TimeNs = time,
                    Instructions = instructions,
                    ProbeId = random.OneIn(3) ? -1 : random.Next(probes + 2),
                    Count = random.Corner(),
                    Text = random.Pick<string>(_names),
                });
                break;
            case 3:
                writer.WriteSymbol(new TraceSymbol(random.Corner(), random.Corner(), random.Pick<string>(_names), random.OneIn(2) ? "" : random.Pick<string>(_names), random.Pick('T', 't', 'D')));
                break;
            case 4:
                writer.WriteProbe(Probe(random, random.Next(probes + 1)));
                break;
        }
    }

    private static TraceEvent Event(FuzzRandom random, ulong time, ulong instructions, ulong count, int probes)
    {
        TraceEvent e = new()
        {
            TimeNs = time,
            Instructions = instructions,
            Address = random.Corner(),
            Caller = random.Corner(),
            Cr2 = random.Corner(),
            ProbeId = random.OneIn(20) ? (int)(random.Corner() & int.MaxValue) : random.Next(probes + 1),
            ErrorCode = (uint)random.Corner(),
            Cpu = (ushort)(random.OneIn(5) ? random.Corner() : 0),
            Kind = (TraceEventKind)random.Next(4),
            Vector = (byte)random.Corner(),
            Parts = (TraceEventParts)random.Next(16),
            EntrySeq = count > 0 && random.OneIn(2) ? (ulong)random.Next((int)count) + 1 : 0,
            EntryTimeNs = random.OneIn(2) ? 0 : random.Next64() % Math.Max(time, 1),
        };
        foreach (ref ulong register in e.Registers.AsSpan())
        {
            register = random.Corner();
        }

        e.Comm = new TraceComm(random.OneIn(2) ? "cat"u8 : random.Bytes(random.Next(17)));
        e.Pid = (int)random.Corner();
        return e;
    }

    /// <summary>No arguments, or an array of anything: more and fewer than the probe has, of other types.</summary>
    private static byte[] Arguments(FuzzRandom random)
    {
        if (random.OneIn(4))
        {
            return [];
        }

        List<byte> bytes = [];
        int count = random.Next(6);
        bytes.Add((byte)(0x90 | count));
        for (int i = 0; i < count; i++)
        {
            Value(random, bytes, 0);
        }

        return [.. bytes];
    }

    private static void Value(FuzzRandom random, List<byte> bytes, int depth)
    {
        Span<byte> word = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(word, random.Corner());
        switch (random.Next(depth < 12 ? 10 : 8))
        {
            case 0:
                bytes.Add(0xC0);
                break;
            case 1:
                bytes.Add(random.Pick<byte>(0, 5, 0x7F, 0xE0, 0xFF));
                break;
            case 2:
                bytes.AddRange([0xCF, .. word]);
                break;
            case 3:
                bytes.AddRange([0xD3, .. word]);
                break;
            case 4:
                byte[] text = Encoding.UTF8.GetBytes(random.Pick<string>(_names));
                bytes.AddRange([0xDA, (byte)(text.Length >> 8), (byte)text.Length, .. text]);
                break;
            case 5:
                byte[] raw = random.Bytes(random.Next(30));
                bytes.AddRange([0xC4, (byte)raw.Length, .. raw]);
                break;
            case 6:
                bytes.AddRange([0xCA, 0x7F, 0xC0, 0, 0]);
                break;
            case 7:
                bytes.AddRange(random.OneIn(2) ? [0xC3] : [0xCB, .. word]);
                break;
            default:
                int count = random.Next(4);
                bytes.Add((byte)(0x90 | count));
                for (int i = 0; i < count; i++)
                {
                    Value(random, bytes, depth + 1);
                }

                break;
        }
    }

    /// <summary>Changes the payload of one frame, or its head, and repairs the checksums, so that the layers within are reached.</summary>
    private static byte[] Resealed(FuzzRandom random, byte[] trace)
    {
        List<int> frames = Frames(trace);
        int at = frames[random.Next(frames.Count)];
        _ = FrameHead.TryRead(trace.AsSpan(at), out FrameHead head);
        ReadOnlySpan<byte> packed = trace.AsSpan(at + FrameHead.Size, (int)head.PackedLength);
        byte[] payload = packed.ToArray();
        if (head.Codec == FrameHead.Zstandard)
        {
            using ZstdSharp.Decompressor decompressor = new();
            payload = decompressor.Unwrap(packed).ToArray();
        }

        payload = Mutator.Mutate(random, payload);
        FrameHead changed = head with
        {
            Codec = FrameHead.Stored,
            RawLength = (uint)payload.Length,
            PackedLength = (uint)payload.Length,
            PayloadChecksum = Crc32.HashToUInt32(payload),
        };
        changed = random.Next(12) switch
        {
            0 => changed with { Count = (uint)random.Corner() },
            1 => changed with { First = random.Corner() },
            2 => changed with { Index = (uint)random.Corner() },
            3 => changed with { Kind = (TraceChunkKind)random.Next(9) },
            4 => changed with { Codec = FrameHead.Zstandard },
            5 => changed with { RawLength = (uint)random.Corner() },
            _ => changed,
        };
        byte[] frame = new byte[FrameHead.Size + payload.Length];
        payload.CopyTo(frame.AsSpan(FrameHead.Size));
        changed.Write(frame);
        return [.. trace[..at], .. frame, .. trace[(at + FrameHead.Size + (int)head.PackedLength)..]];
    }
}
