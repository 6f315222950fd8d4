using System.Buffers.Binary;

namespace KprobeTrace.Tests.Tracing;

/// <summary>
/// A second reader of docs/trace-format.md, the slow and obvious way: it shares nothing with the writer but a zstd library, and
/// refuses what a writer must not write.
/// </summary>
internal sealed class PlainTrace
{
    private const int HeadSize = 59;
    private const int Covered = 49;

    private static readonly string[] _fields =
    [
        "ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "ip", "flags", "cr3", "address",
        "caller", "cr2", "back", "duration", "idle", "task", "stack", "cpu", "vector", "error",
    ];

    private readonly List<object?[]>[] _rows = [.. Enumerable.Range(0, 7).Select(_ => new List<object?[]>())];

    private PlainTrace(byte[] file)
    {
        for (int at = 0; at < file.Length;)
        {
            PlainFrame frame = ReadFrame(file, at);
            Require(frame.Index == Frames.Count, $"frame {Frames.Count} has the index {frame.Index}");
            Require(frame.First == (ulong)Events.Count + 1, $"frame {frame.Index} begins with event {frame.First} behind {Events.Count}");
            Frames.Add(frame);
            at += HeadSize + frame.Length;
            Take(frame);
        }

        Require(Frames[0].Kind == 0 && Frames.Count(f => f.Kind == 0) == 1, "the header does not stand first");
        Require(Frames.FindIndex(f => f.Kind == 127) is int footer && (footer < 0 || footer == Frames.Count - 1), "the footer does not stand last");
    }

    public List<PlainFrame> Frames { get; } = [];

    public Dictionary<object, object?> Header { get; private set; } = [];

    /// <summary>The footer; empty when there is none.</summary>
    public Dictionary<object, object?> Footer { get; private set; } = [];

    public List<PlainEvent> Events { get; } = [];

    public IReadOnlyList<object?[]> Probes => _rows[2];

    public IReadOnlyList<object?[]> Symbols => _rows[3];

    public IReadOnlyList<object?[]> ConsoleLines => _rows[4];

    public IReadOnlyList<object?[]> CodeChanges => _rows[5];

    public IReadOnlyList<object?[]> Notes => _rows[6];

    public static PlainTrace Read(byte[] file) => new(file);

    /// <summary>The CRC-32 of zlib, bit by bit.</summary>
    public static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1;
            }
        }

        return ~crc;
    }

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new FormatException(otherwise);
        }
    }

    private static PlainFrame ReadFrame(byte[] file, int start)
    {
        ReadOnlySpan<byte> head = file.AsSpan(start, HeadSize);
        Require(head.StartsWith((ReadOnlySpan<byte>)[0x9B, 0xC4, 8, .. "KPTRACE"u8, 1]), $"no frame of version 1 at {start}");
        Require(Crc32(head[..Covered]) == BinaryPrimitives.ReadUInt32BigEndian(head[50..]), $"the head at {start} is damaged");
        int at = start + 1;
        object?[] elements = [.. Enumerable.Range(0, 11).Select(_ => PlainMessagePack.Read(file, ref at))];
        uint raw = (uint)(Int128)elements[6]!;
        uint length = (uint)(Int128)elements[7]!;
        byte[] payload = (byte[])elements[10]!;
        Require(payload.Length == length && at == start + HeadSize + length, $"the lengths of the frame at {start} differ");
        Require(Crc32(payload) == (uint)(Int128)elements[8]!, $"the payload at {start} is damaged");
        int codec = (int)(Int128)elements[2]!;
        if (codec == 1)
        {
            using ZstdSharp.Decompressor decompressor = new();
            payload = decompressor.Unwrap(payload).ToArray();
        }

        Require(payload.Length == raw, $"the payload at {start} unpacks to {payload.Length} bytes instead of {raw}");
        return new PlainFrame(
            start, (int)(Int128)elements[1]!, codec, (uint)(Int128)elements[3]!, (ulong)(Int128)elements[4]!, (uint)(Int128)elements[5]!, (int)length, payload);
    }

    private static ulong Slot(ulong value) => (((unchecked(value * 0x9E37_79B9_7F4A_7C15)) >> 32) * 254) >> 32;

    private static object?[] List(object? value) => (object?[])value!;

    private static ulong Word(object? value) => unchecked((ulong)(Int128)value!);

    private static int Int(object? value) => (int)(Int128)value!;

    private void Take(PlainFrame frame)
    {
        object? payload = PlainMessagePack.Read(frame.Payload);
        switch (frame.Kind)
        {
            case 0:
                Header = (Dictionary<object, object?>)payload!;
                break;
            case 1:
                TakeEvents(frame, (Dictionary<object, object?>)payload!);
                break;
            case 127:
                Footer = (Dictionary<object, object?>)payload!;
                break;
            default:
                object?[] rows = List(payload);
                Require(rows.Length == frame.Count, $"{rows.Length} rows where the head says {frame.Count}");
                _rows[frame.Kind].AddRange(rows.Select(List));
                break;
        }
    }

    private void TakeEvents(PlainFrame frame, Dictionary<object, object?> chunk)
    {
        Dictionary<object, object?> fields = (Dictionary<object, object?>)chunk["fields"]!;
        Queue<byte>[] codes = [.. _fields.Select(name => new Queue<byte>(fields.TryGetValue(name, out object? f) ? (byte[])List(f)[0]! : []))];
        Queue<ulong>[] differences = [.. _fields.Select(name => new Queue<ulong>(fields.TryGetValue(name, out object? f) ? List(List(f)[1]).Select(Word) : []))];
        ulong[][] recent = [.. _fields.Select(_ => new ulong[254])];
        Queue<object?> arguments = new(List(chunk["args"]));
        object?[] streams = List(chunk["streams"]);
        Dictionary<int, ulong[]> references = [];
        ulong[] before = new ulong[_fields.Length];
        ulong instructions = 0;
        foreach (string column in new[] { "stream", "insn", "mask" })
        {
            Require(List(chunk[column]).Length == frame.Count, $"the column {column} has not {frame.Count} values");
        }

        for (int i = 0; i < frame.Count; i++)
        {
            int stream = Int(List(chunk["stream"])[i]);
            ulong mask = Word(List(chunk["mask"])[i]);
            instructions = unchecked(instructions + Word(List(chunk["insn"])[i]));
            ulong[] values = [.. references.GetValueOrDefault(stream, before)];
            for (int field = 0; field < _fields.Length; field++)
            {
                if ((mask >> field & 1) != 0)
                {
                    byte code = codes[field].Dequeue();
                    values[field] = code < 254 ? recent[field][code] : code == 254 ? before[field] : unchecked(values[field] + differences[field].Dequeue());
                    if (code == 255)
                    {
                        recent[field][Slot(values[field])] = values[field];
                    }
                }
            }

            references[stream] = before = values;
            object?[] described = List(streams[stream]);
            Events.Add(Event(frame.First + (ulong)i, instructions, described, values, chunk, arguments));
        }

        Require(arguments.Count == 0 && codes.All(c => c.Count == 0) && differences.All(d => d.Count == 0), "a column goes on behind its events");
    }

    private static PlainEvent Event(
        ulong seq, ulong instructions, object?[] stream, ulong[] values, Dictionary<object, object?> chunk, Queue<object?> arguments)
    {
        int parts = Int(stream[2]);
        Dictionary<string, ulong> fields = [];
        for (int i = 0; i < values.Length; i++)
        {
            fields[_fields[i]] = i < 19 && (parts & 1) == 0 ? 0 : values[i];
        }

        object?[] task = (parts & 2) != 0 ? List(List(chunk["tasks"])[(int)fields["task"]]) : [Int128.Zero, System.Array.Empty<byte>()];
        ulong stack = fields["stack"];
        return new PlainEvent(
            fields, seq, instructions, Int(stream[0]), Int(stream[1]), parts, Int(task[0]), (byte[])task[1]!,
            (parts & 16) != 0 ? List(arguments.Dequeue()) : null,
            stack == 0 ? [] : [.. List(List(chunk["stacks"])[(int)stack - 1]).Select(Word)]);
    }
}
