using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Export;

/// <summary>Writes a Common Trace Format 1.8 trace: a folder with <c>metadata</c> and one stream.</summary>
/// <remarks>
/// Specification: https://diamon.org/ctf. One event class for each probe. Integers are little-endian 64-bit, texts
/// NUL-terminated; field names carry a leading underscore, which readers take off, because names in metadata must not
/// be keywords.
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
        File.WriteAllText(Path.Combine(folder, "metadata"), Metadata(run), new UTF8Encoding(false));
        using FileStream stream = new(Path.Combine(folder, "stream_0"), FileMode.CreateNew, FileAccess.Write);
        WriteEvents(history.Database, run, stream, options);
    }

    private static string Metadata(ExportRun run)
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
                    enum : uint8_t { "pre" = 0, "post" = 1, "fault" = 2, "ret" = 3 } _kind;
                    int32_t _pid;
                    string _comm;
                    xint64_t _address;
                };
            };

            """);
        foreach (ExportProbe probe in run.Probes.Values)
        {
            _ = text.Append(CultureInfo.InvariantCulture, $$"""
                event {
                    id = {{probe.Id}};
                    name = {{Quote(probe.Name)}};
                    stream_id = 0;
                    fields := struct {

                """);
            foreach (ExportArgument argument in probe.Arguments)
            {
                string type = argument.IsText
                    ? "string"
                    : ArgumentText.StyleOf(argument.Type) switch
                    {
                        ArgumentStyle.Hex or ArgumentStyle.Symbol => "xint64_t",
                        ArgumentStyle.Unsigned => "uint64_t",
                        _ => "int64_t",
                    };
                _ = text.Append(CultureInfo.InvariantCulture, $"        {type} _{argument.Name};\n");
            }

            _ = text.Append("    };\n};\n");
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

    private static void WriteEvents(SqliteDatabase database, ExportRun run, Stream stream, ExportOptions options)
    {
        using SqliteStatement events = database.Prepare("""
            SELECT seq, time_ns, cpu, kind & 3, probe, pid, comm, address, args FROM kt_event WHERE run = ?1 ORDER BY seq
            """);
        _ = events.Bind(1, run.Run);
        ArgumentValues arguments = new();
        byte[] packet = new byte[PacketBytes];
        int used = PacketHeaderBytes;
        byte[] one = new byte[4096];
        long done = 0;
        while (events.Step())
        {
            int length = Encode(events, run, arguments, ref one);
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

    private static int Encode(SqliteStatement row, ExportRun run, ArgumentValues arguments, ref byte[] target)
    {
        ExportProbe probe = run.Probes[row.Int64(4)];
        byte[] comm = row.IsNull(6) ? [] : run.Comm(row.Int64(6));
        ReadOnlySpan<byte> json = row.Utf8(8);

        // A text never takes more bytes than its JSON form does; every other field takes at most eight.
        int most = 64 + comm.Length + json.Length + (probe.Arguments.Count * 16);
        if (target.Length < most)
        {
            target = new byte[most * 2];
        }

        Span<byte> span = target;
        BinaryPrimitives.WriteUInt32LittleEndian(span, (uint)probe.Id);
        BinaryPrimitives.WriteUInt64LittleEndian(span[4..], row.UInt64(1));
        BinaryPrimitives.WriteUInt64LittleEndian(span[12..], row.UInt64(0));
        BinaryPrimitives.WriteUInt16LittleEndian(span[20..], (ushort)row.Int64(2));
        span[22] = (byte)row.Int64(3);
        BinaryPrimitives.WriteInt32LittleEndian(span[23..], row.Int32(5));
        int at = 27;
        PutText(comm, span, ref at);
        BinaryPrimitives.WriteInt64LittleEndian(span[at..], row.IsNull(7) ? probe.Address : row.Int64(7));
        at += 8;
        arguments.Read(json);
        for (int i = 0; i < probe.Arguments.Count; i++)
        {
            if (probe.Arguments[i].IsText)
            {
                PutText(Encoding.UTF8.GetBytes(arguments.Text(i) ?? "(fault)"), span, ref at);
            }
            else
            {
                BinaryPrimitives.WriteInt64LittleEndian(span[at..], arguments.Number(i) ?? 0);
                at += 8;
            }
        }

        return at;
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
