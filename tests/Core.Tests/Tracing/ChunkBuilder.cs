using System.Buffers;
using MessagePack;

namespace KprobeTrace.Tests.Tracing;

/// <summary>The payload of an event chunk, column by column as a test wants it.</summary>
internal sealed class ChunkBuilder
{
    public List<(long Probe, long Kind, long Parts)> Streams { get; init; } = [(0, 0, 0)];

    public List<(long Pid, byte[] Comm)> Tasks { get; init; } = [];

    public List<ulong[]> Stacks { get; init; } = [];

    public List<long> Stream { get; init; } = [0];

    public List<ulong> Instructions { get; init; } = [0];

    public List<ulong> Mask { get; init; } = [0];

    public List<byte[]> Arguments { get; init; } = [];

    public Dictionary<string, (byte[] Codes, ulong[] Differences)> Fields { get; init; } = [];

    /// <summary>Keys that are left out.</summary>
    public HashSet<string> Without { get; init; } = [];

    /// <summary>One event whose field has a value, all others being 0.</summary>
    public static ChunkBuilder WithField(int number, string name, ulong value, long parts = 0) => new()
    {
        Streams = [(0, 0, parts)],
        Mask = [1UL << number],
        Fields = { [name] = ([255], [value]) },
    };

    public byte[] Build()
    {
        ArrayBufferWriter<byte> bytes = new();
        MessagePackWriter writer = new(bytes);
        (string Key, Action Write)[] keys =
        [
            ("streams", WriteStreams), ("tasks", WriteTasks), ("stacks", WriteStacks), ("stream", WriteStream), ("insn", WriteInstructions),
            ("mask", WriteMask), ("args", WriteArguments), ("fields", WriteFields),
        ];
        keys = [.. keys.Where(k => !Without.Contains(k.Key))];
        writer.WriteMapHeader(keys.Length);
        writer.Flush();
        foreach ((string key, Action write) in keys)
        {
            Put((ref w) => w.Write(key));
            write();
        }

        return bytes.WrittenSpan.ToArray();

        void WriteStreams() => PutAll(Streams, (ref w, s) =>
        {
            w.WriteArrayHeader(3);
            w.Write(s.Probe);
            w.Write(s.Kind);
            w.Write(s.Parts);
        });
        void WriteTasks() => PutAll(Tasks, (ref w, t) =>
        {
            w.WriteArrayHeader(2);
            w.Write(t.Pid);
            w.Write(t.Comm);
        });
        void WriteStacks() => PutAll(Stacks, (ref w, s) =>
        {
            w.WriteArrayHeader(s.Length);
            foreach (ulong address in s)
            {
                w.Write(address);
            }
        });
        void WriteStream() => PutAll(Stream, (ref w, s) => w.Write(s));
        void WriteInstructions() => PutAll(Instructions, (ref w, i) => w.Write(i));
        void WriteMask() => PutAll(Mask, (ref w, m) => w.Write(m));
        void WriteArguments() => PutAll(Arguments, (ref w, a) => w.WriteRaw(a));
        void WriteFields()
        {
            Put((ref w) => w.WriteMapHeader(Fields.Count));
            foreach ((string name, (byte[] codes, ulong[] differences)) in Fields)
            {
                Put((ref w) =>
                {
                    w.Write(name);
                    w.WriteArrayHeader(2);
                    w.Write(codes);
                    w.WriteArrayHeader(differences.Length);
                    foreach (ulong difference in differences)
                    {
                        w.Write(difference);
                    }
                });
            }
        }

        void PutAll<T>(List<T> values, WriteOne<T> one)
        {
            MessagePackWriter w = new(bytes);
            w.WriteArrayHeader(values.Count);
            foreach (T value in values)
            {
                one(ref w, value);
            }

            w.Flush();
        }

        void Put(WriteAll all)
        {
            MessagePackWriter w = new(bytes);
            all(ref w);
            w.Flush();
        }
    }

    private delegate void WriteOne<T>(ref MessagePackWriter writer, T value);

    private delegate void WriteAll(ref MessagePackWriter writer);
}
