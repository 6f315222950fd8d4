using System.Buffers;
using System.Globalization;
using System.Text;
using KprobeTrace.Tracing;
using MessagePack;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>
/// All that a trace tells of one run, as plain lists: what the models answer questions from, and what <see cref="Write"/>
/// makes a trace file of.
/// </summary>
/// <remarks>Comes from <see cref="HistorySimulation"/>. Nothing here was read back from a trace or a database.</remarks>
internal sealed record History
{
    /// <summary>The header.</summary>
    public required TraceHeader Header { get; init; }

    /// <summary>The footer, null where the recording was cut off.</summary>
    public required TraceFooter? Footer { get; init; }

    /// <summary>The functions whose symbols the trace has.</summary>
    public required IReadOnlyList<HistoryFunction> Functions { get; init; }

    /// <summary>The probes by id.</summary>
    public required IReadOnlyList<HistoryProbe> Probes { get; init; }

    /// <summary>The events in order; the first has the number 1.</summary>
    public required IReadOnlyList<HistoryEvent> Events { get; init; }

    /// <summary>Console lines in order.</summary>
    public required IReadOnlyList<(ulong TimeNs, ulong Instructions, byte[] Line)> Console { get; init; }

    /// <summary>Changes of code in order.</summary>
    public required IReadOnlyList<TraceTextPoke> Pokes { get; init; }

    /// <summary>Notes in order.</summary>
    public required IReadOnlyList<TraceNote> Notes { get; init; }

    /// <summary>Events after which a chunk of the trace is closed.</summary>
    public required int EventsPerChunk { get; init; }

    /// <summary>Writes the trace with the project's own writer, and returns its path.</summary>
    internal string Write(string path)
    {
        using TraceWriter writer = TraceWriter.Create(path, Header, new TraceWriterOptions { EventsPerChunk = EventsPerChunk });
        foreach (HistoryFunction function in Functions)
        {
            writer.WriteSymbol(function.Symbol);
        }

        foreach (HistoryProbe probe in Probes)
        {
            writer.WriteProbe(probe.Definition);
        }

        foreach (HistoryEvent e in Events)
        {
            WriteEvent(writer, e);
        }

        foreach ((ulong timeNs, ulong instructions, byte[] line) in Console)
        {
            writer.WriteConsoleLine(timeNs, instructions, line);
        }

        foreach (TraceTextPoke poke in Pokes)
        {
            writer.WriteTextPoke(poke.TimeNs, poke.Instructions, poke.Address, poke.Old.Span, poke.New.Span, poke.Reason);
        }

        foreach (TraceNote note in Notes)
        {
            writer.WriteNote(note);
        }

        if (Footer is not null)
        {
            writer.Complete(Footer);
        }

        return path;
    }

    /// <summary>The history as a failing test prints it: a line for each probe, event and whatever else there is.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        _ = text.AppendLine(CultureInfo.InvariantCulture,
            $"image {Header.ImageName}, {Header.Cpus} CPUs, {(Footer is null ? "cut off" : Footer.Ended)}, {EventsPerChunk} events a chunk");
        foreach (HistoryFunction f in Functions)
        {
            _ = text.AppendLine(CultureInfo.InvariantCulture,
                $"  symbol {HistoryText.Quote(f.Name)} 0x{f.Address:x}+0x{f.Size:x}{(f.Module.Length > 0 ? $" [{f.Module}]" : "")}");
        }

        foreach (HistoryProbe probe in Probes)
        {
            TraceProbe d = probe.Definition;
            string arguments = string.Concat(d.Arguments.Select(static a => $" {a.Name}:{a.Type}"));
            _ = text.AppendLine(CultureInfo.InvariantCulture,
                $"  probe {d.Id} {d.Type}:{d.Group}/{HistoryText.Quote(d.Name)} {HistoryText.Quote(d.Symbol)}+{d.Offset}{arguments}");
        }

        foreach (HistoryEvent e in Events)
        {
            _ = text.AppendLine(Line(e));
        }

        foreach ((ulong timeNs, _, byte[] line) in Console)
        {
            _ = text.AppendLine(CultureInfo.InvariantCulture, $"  console {timeNs} {HistoryText.Quote(Encoding.UTF8.GetString(line))}");
        }

        foreach (TraceNote note in Notes)
        {
            _ = text.AppendLine(CultureInfo.InvariantCulture, $"  note {note.TimeNs} {note.Kind} probe {note.ProbeId} {note.Count}x {HistoryText.Quote(note.Text)}");
        }

        return text.ToString();
    }

    private static string Line(HistoryEvent e)
    {
        StringBuilder text = new();
        _ = text.Append(CultureInfo.InvariantCulture,
            $"  {e.Seq,3} {e.TimeNs,10} ns [{e.Cpu}] {e.Task?.ToString() ?? "no task"} {e.KindName} {HistoryText.Quote(e.Probe.Definition.Name)}#{e.Probe.Definition.Id}");
        _ = e.Arguments is null ? text : text.Append(" (" + string.Join(", ", e.Arguments.Select(HistoryText.Value)) + ")");
        Number(" caller", e.Caller, "x");
        Number(" entry", e.EntrySeq, "d");
        Number(" entered at", e.EntryTimeNs, "d");
        _ = e.Stack.Count == 0 ? text : text.Append(" stack " + string.Join(" ", e.Stack.Select(static a => a.ToString("x", CultureInfo.InvariantCulture))));
        _ = e.Kind != TraceEventKind.Fault ? text : text.Append(CultureInfo.InvariantCulture,
            $" vector {e.Vector} error {e.ErrorCode} cr2 {e.Cr2:x}{(e.IsHandled ? " handled" : "")}");
        _ = e.IsTruncated ? text.Append(" truncated") : text;
        IEnumerable<string> registers = (e.Registers ?? []).Select(static (r, i) => (r, i)).Where(static r => r.r != 0)
            .Select(static r => string.Create(CultureInfo.InvariantCulture, $"{TraceRegisters.Names[r.i]}={r.r:x}"));
        return text.Append(e.Registers is null ? " no registers" : " " + string.Join(' ', registers)).ToString();

        void Number(string name, ulong value, string format) =>
            _ = value == 0 ? text : text.Append(name + " " + value.ToString(format, CultureInfo.InvariantCulture));
    }

    private static void WriteEvent(TraceWriter writer, HistoryEvent e)
    {
        TraceEvent row = new()
        {
            Kind = e.Kind,
            ProbeId = e.Probe.Definition.Id,
            TimeNs = e.TimeNs,
            Instructions = e.Instructions,
            Address = e.Probe.Definition.Address,
            Caller = e.Caller,
            EntrySeq = e.EntrySeq,
            EntryTimeNs = e.EntryTimeNs,
            Cpu = e.Cpu,
            Vector = e.Vector,
            ErrorCode = e.ErrorCode,
            Cr2 = e.Cr2,
            Parts = (e.Registers is null ? 0 : TraceEventParts.Registers) | (e.Task is null ? 0 : TraceEventParts.Task)
                | (e.IsHandled ? TraceEventParts.Handled : 0) | (e.IsTruncated ? TraceEventParts.Truncated : 0),
        };
        if (e.Task is { } task)
        {
            row.Pid = task.Pid;
            row.Comm = new TraceComm(task.Name);
        }

        if (e.Registers is { } registers)
        {
            registers.ToArray().CopyTo(row.Registers.AsSpan());
        }

        ulong seq = writer.WriteEvent(in row, e.Arguments is null ? [] : Pack(e.Arguments), [.. e.Stack]);
        Xunit.Assert.Equal(e.Seq, seq);
    }

    private static byte[] Pack(IReadOnlyList<object?> arguments)
    {
        ArrayBufferWriter<byte> bytes = new();
        MessagePackWriter writer = new(bytes);
        Pack(ref writer, arguments);
        writer.Flush();
        return bytes.WrittenSpan.ToArray();
    }

    private static void Pack(ref MessagePackWriter writer, IReadOnlyList<object?> values)
    {
        writer.WriteArrayHeader(values.Count);
        foreach (object? value in values)
        {
            switch (value)
            {
                case null:
                    writer.WriteNil();
                    break;
                case long number:
                    writer.Write(number);
                    break;
                case ulong number:
                    writer.Write(number);
                    break;
                case string text:
                    writer.Write(text);
                    break;
                case byte[] text:
                    writer.Write(text);
                    break;
                case object?[] list:
                    Pack(ref writer, list);
                    break;
                default:
                    throw new InvalidOperationException($"an argument is no {value.GetType()}");
            }
        }
    }
}
