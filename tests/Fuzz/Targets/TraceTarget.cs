using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Tracing;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Trace files to the reader; what it delivers is written again and must come back the same.</summary>
internal sealed class TraceTarget : IFuzzTarget
{
    private const int MostEvents = 20_000;

    public string Name => "trace";

    public string Summary => "odd and damaged traces, checksums repaired, read twice and written again";

    public byte[] Generate(FuzzRandom random) => OddTrace.Generate(random);

    public void Run(byte[] input)
    {
        List<Row> first = Read(input, out string about);
        List<Row> second = Read(input, out string aboutSecond);
        RequireSame(first, second, "read twice");
        InvariantException.Require(about == aboutSecond, "the same file is damaged otherwise the second time");
        using TraceReader checking = new(new MemoryStream(input), "memory");
        _ = checking.Check();
        RequireSame(Rewrite(first, out int skipped), skipped == 0 ? first : null, "written again");
    }

    /// <summary>Everything of an event.</summary>
    private readonly record struct Row(TraceEvent Event, byte[] Arguments, ulong[] Stack);

    private static List<Row> Read(byte[] input, out string about)
    {
        List<Row> rows = [];
        using TraceReader reader = new(new MemoryStream(input), "memory");
        while (reader.ReadChunk() && rows.Count < MostEvents)
        {
            for (int i = 0; i < reader.Events.Length && rows.Count < MostEvents; i++)
            {
                InvariantException.Require(reader.GetStack(i).Length <= TraceFormat.MaxStackDepth, "a stack deeper than the format allows");
                rows.Add(new Row(reader.Events[i], reader.GetArguments(i).ToArray(), reader.GetStack(i).ToArray()));
            }
        }

        about = $"{reader.Damage.Count} {reader.Probes.Count} {reader.Symbols.Count} {reader.Footer?.Events}";
        ulong last = 0;
        foreach (Row row in rows)
        {
            InvariantException.Require(row.Event.Seq > last, "event numbers do not rise");
            last = row.Event.Seq;
        }

        return rows;
    }

    /// <summary>Writes the events again, numbered anew, and reads them.</summary>
    private static List<Row> Rewrite(List<Row> rows, out int skipped)
    {
        skipped = 0;
        MemoryStream file = new();
        using (TraceWriter writer = new(file, "memory", new TraceHeader { ImageName = "x", ImageSha256 = "" }, new TraceWriterOptions { EventsPerChunk = 37 }))
        {
            foreach (Row row in rows)
            {
                TraceEvent e = row.Event;
                try
                {
                    ulong seq = writer.WriteEvent(in e, row.Arguments, row.Stack);
                    skipped += seq == row.Event.Seq ? 0 : 1;
                }
                catch (ArgumentException)
                {
                    // The numbers of a trace with holes: an entry that now lies behind its event.
                    skipped++;
                }
            }

            writer.Complete(new TraceFooter { Ended = "x" });
        }

        return Read(file.ToArray(), out _);
    }

    private static void RequireSame(List<Row> first, List<Row>? second, string how)
    {
        if (second is null)
        {
            return;
        }

        InvariantException.Require(first.Count == second.Count, $"{first.Count} and {second.Count} events, {how}");
        for (int i = 0; i < first.Count; i++)
        {
            string a = Text(first[i].Event);
            string b = Text(second[i].Event);
            InvariantException.Require(a == b, $"event {i} differs, {how}:\n{a}\n{b}");
            InvariantException.Require(first[i].Arguments.AsSpan().SequenceEqual(second[i].Arguments), $"arguments of event {i} differ, {how}");
            InvariantException.Require(first[i].Stack.AsSpan().SequenceEqual(second[i].Stack), $"the stack of event {i} differs, {how}");
        }
    }

    private static string Text(in TraceEvent e) =>
        string.Join(' ', e.Registers.AsReadOnlySpan().ToArray())
        + $" {e.Seq} {e.TimeNs} {e.Instructions} {e.Address:x} {e.Caller:x} {e.EntrySeq} {e.EntryTimeNs} {e.Cr2:x}"
        + $" {Convert.ToHexString(e.Comm.Bytes)} {e.Pid} {e.ProbeId} {e.ErrorCode} {e.Cpu} {e.Kind} {e.Vector} {e.Parts}";
}
