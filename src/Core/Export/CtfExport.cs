using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Export;

/// <summary>Writes a Common Trace Format 1.8 trace: a folder with <c>metadata</c> and one stream.</summary>
/// <remarks>
/// Specification: https://diamon.org/ctf. What an event does not have is no field of it, so each shape of a probe's
/// events is an event class of its own (<see cref="CtfEventClass"/>); the metadata is written last, when all are known.
/// Integers are little-endian 64-bit, texts NUL-terminated; field names carry a leading underscore, which readers take
/// off, because names in metadata must not be keywords.
/// </remarks>
public static class CtfExport
{
    private const uint Magic = 0xC1FC1FC1;
    private const int PacketBytes = 1 << 20;
    private const int PacketHeaderBytes = 4 + 4 + 8 + 8;

    /// <summary>Writes the run that is named, or the only one; of several each into a folder <c>run-N</c> of its own.</summary>
    /// <exception cref="KprobeTraceException">The folder exists already or cannot be written.</exception>
    public static void Write(TraceHistory history, string path, ExportOptions options)
    {
        IReadOnlyList<long> runs = EventSelection.Runs(history.Database, options.Run);
        ExportTarget.Folder(path, folder =>
        {
            for (int i = 0; i < runs.Count; i++)
            {
                string trace = runs.Count == 1
                    ? folder
                    : Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"run-{runs[i]}"));
                _ = Directory.CreateDirectory(trace);
                WriteTrace(history, new ExportRun(history, runs[i]), trace, options.Part(i, runs.Count));
            }
        });
    }

    private static void WriteTrace(TraceHistory history, ExportRun run, string folder, ExportOptions options)
    {
        Dictionary<CtfEventClass, uint> classes = [];
        using (FileStream stream = new(Path.Combine(folder, "stream_0"), FileMode.CreateNew, FileAccess.Write))
        {
            WriteEvents(history.Database, run, classes, stream, options);
        }

        ExportTarget.Text(Path.Combine(folder, "metadata"), Metadata(run, classes));
    }

    private static string Metadata(ExportRun run, Dictionary<CtfEventClass, uint> classes)
    {
        StringBuilder text = new();
        _ = text.Append(CultureInfo.InvariantCulture, $$"""
            /* CTF 1.8 */
            typealias integer { size = 8; align = 8; signed = false; } := uint8_t;
            typealias integer { size = 16; align = 8; signed = false; } := uint16_t;
            typealias integer { size = 32; align = 8; signed = false; } := uint32_t;
            typealias integer { size = 64; align = 8; signed = false; } := uint64_t;
            typealias integer { size = 64; align = 8; signed = false; base = 16; } := xint64_t;
            typealias integer { size = 32; align = 8; signed = true; } := int32_t;
            typealias integer { size = 64; align = 8; signed = true; } := int64_t;
            trace {
                major = 1;
                minor = 8;
                byte_order = le;
                packet.header := struct { uint32_t magic; uint32_t stream_id; };
            };
            env {
                domain = "kernel";
                image = {{Quote(run.Image)}};
                kernel = {{Quote(run.Kernel)}};
                tracer_name = "kprobe-record";
                run = {{run.Run}};
            };
            clock {
                name = "virtual";
                description = "retired instructions and skipped idle time";
                freq = 1000000000;
                offset = 0;
            };
            typealias integer { size = 64; align = 8; signed = false; map = clock.virtual.value; } := time_t_;
            stream {
                id = 0;
                packet.context := struct { uint64_t content_size; uint64_t packet_size; };
                event.header := struct { uint32_t id; time_t_ timestamp; };
                event.context := struct {
                    uint64_t _seq;
                    uint16_t _cpu_id;
                    enum : uint8_t { {{string.Join(", ", TraceEventKinds.Names.ToArray().Select(static (name, number) => $"\"{name}\" = {number}"))}} } _kind;
                    xint64_t _address;
                };
            };

            """);
        foreach ((CtfEventClass shape, uint id) in classes)
        {
            shape.Declare(text, id, Quote(shape.Name));
        }

        return text.ToString();
    }

    /// <summary>A string literal of the metadata language, whose escapes are those of C.</summary>
    private static string Quote(string value)
    {
        StringBuilder text = new("\"");
        foreach (char c in value)
        {
            _ = c switch
            {
                '"' or '\\' => text.Append('\\').Append(c),
                '\n' => text.Append("\\n"),
                _ when char.IsControl(c) => text.Append('?'),
                _ => text.Append(c),
            };
        }

        return text.Append('"').ToString();
    }

    private static void WriteEvents(
        SqliteDatabase database, ExportRun run, Dictionary<CtfEventClass, uint> classes, Stream stream, ExportOptions options)
    {
        using SqliteStatement events = database.Prepare("""
            SELECT e.seq, e.time_ns, e.cpu, e.kind & 3, e.probe, e.pid, e.comm, e.address, e.args,
                   f.vector, f.error_code, f.cr2, f.handled
            FROM kt_event e LEFT JOIN kt_fault f ON f.run = e.run AND f.seq = e.seq
            WHERE e.run = ?1 ORDER BY e.seq
            """);
        _ = events.Bind(1, run.Run);
        ArgumentValues arguments = new();
        byte[] packet = new byte[PacketBytes];
        int used = PacketHeaderBytes;
        byte[] one = new byte[4096];
        long done = 0;
        while (events.Step())
        {
            int length = Encode(events, run, classes, arguments, ref one);
            if (used + length > packet.Length)
            {
                WritePacket(packet, used, stream);
                used = PacketHeaderBytes;
                if (length + PacketHeaderBytes > packet.Length)
                {
                    packet = new byte[length + PacketHeaderBytes];
                }

                options.Cancellation.ThrowIfCancellationRequested();
                options.Progress?.Invoke((double)done / Math.Max(1, run.Events));
            }

            one.AsSpan(0, length).CopyTo(packet.AsSpan(used));
            used += length;
            done++;
        }

        if (used > PacketHeaderBytes)
        {
            WritePacket(packet, used, stream);
        }
    }

    private static void WritePacket(byte[] packet, int used, Stream stream)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(packet, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(packet.AsSpan(4), 0);
        BinaryPrimitives.WriteUInt64LittleEndian(packet.AsSpan(8), (ulong)used * 8);
        BinaryPrimitives.WriteUInt64LittleEndian(packet.AsSpan(16), (ulong)used * 8);
        stream.Write(packet, 0, used);
    }

    private static int Encode(
        SqliteStatement row, ExportRun run, Dictionary<CtfEventClass, uint> classes, ArgumentValues arguments, ref byte[] target)
    {
        ExportProbe probe = run.ProbeOf(row.Int64(0), row.Int64(4));
        byte[] comm = row.IsNull(6) ? [] : run.Comm(row.Int64(6));
        ReadOnlySpan<byte> json = row.Utf8(8);

        // A text never takes more bytes than its JSON form does; every other field takes at most nine.
        int most = 80 + comm.Length + json.Length + (probe.Arguments.Count * 16);
        if (target.Length < most)
        {
            target = new byte[most * 2];
        }

        arguments.Read(json);
        CtfEventClass shape = new(
            probe, row.Int32(3), HasTask: !row.IsNull(5), HasFault: !row.IsNull(9), CtfEventClass.ShapeOf(probe, arguments));
        if (!classes.TryGetValue(shape, out uint id))
        {
            classes.Add(shape, id = (uint)classes.Count);
        }

        Span<byte> span = target;
        BinaryPrimitives.WriteUInt32LittleEndian(span, id);
        BinaryPrimitives.WriteUInt64LittleEndian(span[4..], row.UInt64(1));
        BinaryPrimitives.WriteUInt64LittleEndian(span[12..], row.UInt64(0));
        BinaryPrimitives.WriteUInt16LittleEndian(span[20..], (ushort)row.Int64(2));
        span[22] = (byte)row.Int64(3);
        BinaryPrimitives.WriteInt64LittleEndian(span[23..], row.IsNull(7) ? probe.Address : row.Int64(7));
        int at = 31;
        if (shape.HasTask)
        {
            BinaryPrimitives.WriteInt32LittleEndian(span[at..], row.Int32(5));
            at += 4;
            PutText(comm, span, ref at);
        }

        if (shape.HasFault)
        {
            span[at++] = (byte)row.Int64(9);
            BinaryPrimitives.WriteUInt32LittleEndian(span[at..], (uint)row.Int64(10));
            BinaryPrimitives.WriteUInt64LittleEndian(span[(at + 4)..], row.UInt64(11));
            at += 12;
            span[at++] = (byte)row.Int64(12);
        }

        PutArguments(probe, shape.Arguments, arguments, span, ref at);
        return at;
    }

    private static void PutArguments(
        ExportProbe probe, CtfArguments shape, ArgumentValues arguments, Span<byte> span, ref int at)
    {
        if (shape == CtfArguments.None)
        {
            return;
        }

        for (int i = 0; i < probe.Arguments.Count; i++)
        {
            bool isText = !probe.Arguments[i].Kind.IsNumber;
            string? text = isText ? arguments.Text(i) : null;
            long? number = isText ? null : arguments.Number(i);
            bool isThere = text is not null || number is not null;
            if (shape == CtfArguments.Some)
            {
                span[at++] = isThere ? (byte)1 : (byte)0;
            }

            if (text is not null)
            {
                PutText(Encoding.UTF8.GetBytes(text), span, ref at);
            }
            else if (isThere)
            {
                BinaryPrimitives.WriteInt64LittleEndian(span[at..], number!.Value);
                at += 8;
            }
        }
    }

    /// <summary>A text ends at its first NUL, so one within it is left out.</summary>
    private static void PutText(ReadOnlySpan<byte> text, Span<byte> span, ref int at)
    {
        foreach (byte value in text)
        {
            if (value != 0)
            {
                span[at++] = value;
            }
        }

        span[at++] = 0;
    }
}
