using System.Text;
using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Record;

/// <summary>What a trace holds, read at once.</summary>
internal sealed record WholeTrace
{
    public required TraceHeader Header { get; init; }

    public required TraceFooter? Footer { get; init; }

    public required IReadOnlyList<TraceEvent> Events { get; init; }

    /// <summary>The probes by number, each as its last row has it.</summary>
    public required IReadOnlyList<TraceProbe> Probes { get; init; }

    /// <summary>Every row of a probe, in the order of the file.</summary>
    public required IReadOnlyList<TraceProbe> ProbeRows { get; init; }

    public required string Console { get; init; }

    public required IReadOnlyList<TraceNote> Notes { get; init; }

    public static WholeTrace Read(string path)
    {
        using TraceReader reader = TraceReader.Open(path);
        List<TraceEvent> events = [];
        List<TraceProbe> probes = [];
        List<TraceNote> notes = [];
        StringBuilder console = new();
        while (reader.ReadChunk())
        {
            switch (reader.Kind)
            {
                case TraceChunkKind.Events:
                    events.AddRange(reader.Events);
                    break;
                case TraceChunkKind.Probes:
                    probes.AddRange(reader.Probes);
                    break;
                case TraceChunkKind.Notes:
                    notes.AddRange(reader.Notes);
                    break;
                case TraceChunkKind.Console:
                    foreach (TraceConsoleLine line in reader.ConsoleLines)
                    {
                        console.Append(Encoding.UTF8.GetString(line.Line.Span)).Append('\n');
                    }

                    break;
            }
        }

        return new WholeTrace
        {
            Header = reader.Header,
            Footer = reader.Footer,
            Events = events,
            Probes = [.. probes.GroupBy(p => p.Id).OrderBy(g => g.Key).Select(g => g.Last())],
            ProbeRows = probes,
            Notes = notes,
            Console = console.ToString(),
        };
    }

    /// <summary>Hits by the name of the probe, as the footer counts them.</summary>
    public Dictionary<string, ulong> Hits() =>
        Footer!.Probes.ToDictionary(p => Probes.Single(q => q.Id == p.ProbeId).Name, p => p.Hits);
}
