namespace KprobeTrace.Tracing;

/// <summary>How header, footer and the rows of the small chunks look in MessagePack.</summary>
/// <remarks>
/// Maps for header and footer, arrays for rows. Readers step over keys and trailing elements they do not know, so
/// that later versions may add some.
/// </remarks>
internal static class TraceRows
{
    internal static void Write(MessagePackSink writer, TraceHeader header)
    {
        writer.WriteMapHeader(12);
        writer.Write("format");
        writer.Write("kprobe-trace");
        writer.Write("version");
        writer.Write(TraceFormat.Version);
        writer.Write("codec");
        writer.Write(TraceFormat.CodecName);
        writer.Write("image");
        writer.Write(header.ImageName);
        writer.Write("image_sha256");
        writer.Write(header.ImageSha256);
        writer.Write("initrd_sha256");
        writer.Write(header.InitrdSha256);
        writer.Write("kernel");
        writer.Write(header.Kernel);
        writer.Write("command_line");
        writer.Write(header.CommandLine);
        writer.Write("memory");
        writer.Write(header.MemoryBytes);
        writer.Write("cpus");
        writer.Write(header.Cpus);
        writer.Write("producer");
        writer.Write(header.Producer);
        writer.Write("options");
        writer.WriteMapHeader(header.Options.Count);
        foreach ((string name, string value) in header.Options.OrderBy(o => o.Key, StringComparer.Ordinal))
        {
            writer.Write(name);
            writer.Write(value);
        }
    }

    /// <summary>Reads a header; <paramref name="version"/> is what it claims, -1 where it claims nothing.</summary>
    internal static TraceHeader ReadHeader(ref MessagePackCursor cursor, out long version)
    {
        version = -1;
        TraceHeader header = new() { ImageName = "", ImageSha256 = "" };
        for (int keys = cursor.ReadMapHeader(); keys > 0; keys--)
        {
            switch (cursor.ReadString())
            {
                case "version":
                    version = cursor.ReadInt32(0, int.MaxValue);
                    break;
                case "image":
                    header = header with { ImageName = cursor.ReadString() };
                    break;
                case "image_sha256":
                    header = header with { ImageSha256 = cursor.ReadString() };
                    break;
                case "initrd_sha256":
                    header = header with { InitrdSha256 = cursor.ReadString() };
                    break;
                case "kernel":
                    header = header with { Kernel = cursor.ReadString() };
                    break;
                case "command_line":
                    header = header with { CommandLine = cursor.ReadString() };
                    break;
                case "memory":
                    header = header with { MemoryBytes = cursor.ReadUnsigned() };
                    break;
                case "cpus":
                    header = header with { Cpus = cursor.ReadInt32(0, ushort.MaxValue + 1) };
                    break;
                case "producer":
                    header = header with { Producer = cursor.ReadString() };
                    break;
                case "options":
                    header = header with { Options = ReadOptions(ref cursor) };
                    break;
                default:
                    cursor.Skip();
                    break;
            }
        }

        return header;
    }

    internal static void Write(MessagePackSink writer, TraceFooter footer)
    {
        writer.WriteMapHeader(7);
        writer.Write("ended");
        writer.Write(footer.Ended);
        writer.Write("time_ns");
        writer.Write(footer.TimeNs);
        writer.Write("insn");
        writer.Write(footer.Instructions);
        writer.Write("exit_code");
        writer.Write(footer.ExitCode);
        writer.Write("events");
        writer.Write(footer.Events);
        writer.Write("chunks");
        writer.Write(footer.Chunks);
        writer.Write("probes");
        writer.WriteArrayHeader(footer.Probes.Count);
        foreach (TraceProbeCount probe in footer.Probes)
        {
            writer.WriteArrayHeader(4);
            writer.Write(probe.ProbeId);
            writer.Write(probe.Hits);
            writer.Write(probe.Missed);
            writer.Write(probe.State);
        }
    }

    internal static TraceFooter ReadFooter(ref MessagePackCursor cursor)
    {
        TraceFooter footer = new() { Ended = "" };
        for (int keys = cursor.ReadMapHeader(); keys > 0; keys--)
        {
            switch (cursor.ReadString())
            {
                case "ended":
                    footer = footer with { Ended = cursor.ReadString() };
                    break;
                case "time_ns":
                    footer = footer with { TimeNs = cursor.ReadUnsigned() };
                    break;
                case "insn":
                    footer = footer with { Instructions = cursor.ReadUnsigned() };
                    break;
                case "exit_code":
                    footer = footer with { ExitCode = cursor.ReadInt32(int.MinValue, int.MaxValue) };
                    break;
                case "events":
                    footer = footer with { Events = cursor.ReadUnsigned() };
                    break;
                case "chunks":
                    footer = footer with { Chunks = cursor.ReadUnsigned() };
                    break;
                case "probes":
                    footer = footer with { Probes = ReadProbeCounts(ref cursor) };
                    break;
                default:
                    cursor.Skip();
                    break;
            }
        }

        return footer;
    }

    internal static void Write(MessagePackSink writer, TraceProbe probe)
    {
        writer.WriteArrayHeader(12);
        writer.Write(probe.Id);
        writer.Write(probe.Type.ToString());
        writer.Write(probe.Group);
        writer.Write(probe.Name);
        writer.Write(probe.Symbol);
        writer.Write(probe.Offset);
        writer.Write(probe.Address);
        writer.Write(probe.Module);
        writer.Write(probe.Definition);
        writer.Write(probe.Filter);
        writer.Write(probe.State);
        writer.WriteArrayHeader(probe.Arguments.Count);
        foreach (TraceArgument argument in probe.Arguments)
        {
            writer.WriteArrayHeader(2);
            writer.Write(argument.Name);
            writer.Write(argument.Type);
        }
    }

    internal static TraceProbe ReadProbe(ref MessagePackCursor cursor)
    {
        int extra = RowLength(ref cursor, 12);
        TraceProbe probe = new()
        {
            Id = cursor.ReadInt32(0, int.MaxValue),
            Type = Letter(cursor.ReadString(), 'p'),
            Group = cursor.ReadString(),
            Name = cursor.ReadString(),
            Symbol = cursor.ReadString(),
            Offset = cursor.ReadUnsigned(),
            Address = cursor.ReadUnsigned(),
            Module = cursor.ReadString(),
            Definition = cursor.ReadString(),
            Filter = cursor.ReadString(),
            State = cursor.ReadString(),
            Arguments = ReadArguments(ref cursor),
        };
        SkipExtra(ref cursor, extra);
        return probe;
    }

    internal static void Write(MessagePackSink writer, in TraceSymbol symbol)
    {
        writer.WriteArrayHeader(5);
        writer.Write(symbol.Address);
        writer.Write(symbol.Size);
        writer.Write(symbol.Name);
        writer.Write(symbol.Module);
        writer.Write(symbol.Kind.ToString());
    }

    internal static TraceSymbol ReadSymbol(ref MessagePackCursor cursor)
    {
        int extra = RowLength(ref cursor, 5);
        TraceSymbol symbol = new(
            cursor.ReadUnsigned(),
            cursor.ReadUnsigned(),
            cursor.ReadString(),
            cursor.ReadString(),
            Letter(cursor.ReadString(), '?'));
        SkipExtra(ref cursor, extra);
        return symbol;
    }

    internal static TraceConsoleLine ReadConsoleLine(ref MessagePackCursor cursor)
    {
        int extra = RowLength(ref cursor, 3);
        TraceConsoleLine line = new(cursor.ReadUnsigned(), cursor.ReadUnsigned(), cursor.ReadBytes().ToArray());
        SkipExtra(ref cursor, extra);
        return line;
    }

    internal static TraceTextPoke ReadTextPoke(ref MessagePackCursor cursor)
    {
        int extra = RowLength(ref cursor, 6);
        TraceTextPoke poke = new(
            cursor.ReadUnsigned(),
            cursor.ReadUnsigned(),
            cursor.ReadUnsigned(),
            cursor.ReadBytes().ToArray(),
            cursor.ReadBytes().ToArray(),
            cursor.ReadString());
        SkipExtra(ref cursor, extra);
        return poke;
    }

    internal static void Write(MessagePackSink writer, TraceNote note)
    {
        writer.WriteArrayHeader(6);
        writer.Write((long)note.Kind);
        writer.Write(note.TimeNs);
        writer.Write(note.Instructions);
        writer.Write(note.ProbeId);
        writer.Write(note.Count);
        writer.Write(note.Text);
    }

    internal static TraceNote ReadNote(ref MessagePackCursor cursor)
    {
        int extra = RowLength(ref cursor, 6);
        TraceNote note = new()
        {
            Kind = (TraceNoteKind)cursor.ReadInt32(0, byte.MaxValue),
            TimeNs = cursor.ReadUnsigned(),
            Instructions = cursor.ReadUnsigned(),
            ProbeId = cursor.ReadInt32(-1, int.MaxValue),
            Count = cursor.ReadUnsigned(),
            Text = cursor.ReadString(),
        };
        SkipExtra(ref cursor, extra);
        return note;
    }

    private static int RowLength(ref MessagePackCursor cursor, int least)
    {
        int length = cursor.ReadArrayHeader();
        return length >= least
            ? length - least
            : throw new MalformedTraceException($"a row has {length} elements instead of {least}");
    }

    private static void SkipExtra(ref MessagePackCursor cursor, int count)
    {
        for (; count > 0; count--)
        {
            cursor.Skip();
        }
    }

    private static char Letter(string text, char otherwise) => text.Length == 1 ? text[0] : otherwise;

    private static Dictionary<string, string> ReadOptions(ref MessagePackCursor cursor)
    {
        Dictionary<string, string> options = [];
        for (int keys = cursor.ReadMapHeader(); keys > 0; keys--)
        {
            string name = cursor.ReadString();
            options[name] = cursor.ReadString();
        }

        return options;
    }

    private static List<TraceProbeCount> ReadProbeCounts(ref MessagePackCursor cursor)
    {
        List<TraceProbeCount> counts = [];
        for (int rows = cursor.ReadArrayHeader(); rows > 0; rows--)
        {
            int extra = RowLength(ref cursor, 4);
            counts.Add(new TraceProbeCount(
                cursor.ReadInt32(0, int.MaxValue), cursor.ReadUnsigned(), cursor.ReadUnsigned(), cursor.ReadString()));
            SkipExtra(ref cursor, extra);
        }

        return counts;
    }

    private static List<TraceArgument> ReadArguments(ref MessagePackCursor cursor)
    {
        List<TraceArgument> arguments = [];
        for (int rows = cursor.ReadArrayHeader(); rows > 0; rows--)
        {
            int extra = RowLength(ref cursor, 2);
            arguments.Add(new TraceArgument(cursor.ReadString(), cursor.ReadString()));
            SkipExtra(ref cursor, extra);
        }

        return arguments;
    }
}
