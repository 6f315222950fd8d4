using System.Globalization;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Store;
using KprobeTrace.Tracing;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>Trace files to the importer, which must take every event that the reader delivers; then every verb.</summary>
internal sealed class ImportTarget : IFuzzTarget
{
    private readonly string _folder = WorkFolder.Create();
    private int _round;

    public string Name => "import";

    public string Summary => "odd and damaged traces imported, no event lost, every verb run on the result";

    public byte[] Generate(FuzzRandom random) => OddTrace.Generate(random);

    public void Run(byte[] input)
    {
        string trace = Path.Combine(_folder, "t.mpk");
        string database = trace + ".db";
        File.WriteAllBytes(trace, input);
        WorkFolder.Remove(database);
        bool readable = Count(input, out long events);
        try
        {
            using TraceHistory history = TraceHistory.Open(trace);
            InvariantException.Require(readable, "the importer takes what the reader refuses");
            long imported = history.Database.ScalarInt64("SELECT count(*) FROM kt_event");
            InvariantException.Require(imported == events, $"{imported} events imported, the reader has {events}");
            InvariantException.Require(history.Database.ScalarInt64("SELECT count(*) FROM events") == events, "the view events has another number of events");
        }
        catch (KprobeTraceException) when (!readable)
        {
            return;
        }

        foreach (string[] verb in Verbs(trace, Path.Combine(_folder, "u.mpk")))
        {
            ReportRun.Run(verb);
        }

        // The next input is compared with this one.
        File.Move(trace, Path.Combine(_folder, "u.mpk"), overwrite: true);
        File.Move(database, Path.Combine(_folder, "u.mpk.db"), overwrite: true);
    }

    private static bool Count(byte[] input, out long events)
    {
        events = 0;
        try
        {
            using TraceReader reader = new(new MemoryStream(input), "memory");
            while (reader.ReadChunk())
            {
                events += reader.Events.Length;
            }

            return true;
        }
        catch (KprobeTraceException)
        {
            return false;
        }
    }

    private IEnumerable<string[]> Verbs(string trace, string other)
    {
        string seq = (_round % 50).ToString(CultureInfo.InvariantCulture);
        yield return [trace];
        yield return ["check", trace];
        switch (_round++ % 8)
        {
            case 0:
                yield return ["events", trace];
                break;
            case 1:
                yield return ["events", trace, "--format", "jsonl"];
                yield return ["stacks", trace, "--folded"];
                break;
            case 2:
                yield return ["latency", trace];
                yield return ["stacks", trace];
                break;
            case 3:
                yield return ["hist", trace, "--key", "comm"];
                yield return ["hist", trace, "--key", "name", "--value", "duration_ns", "--log2"];
                break;
            case 4:
                yield return ["before", trace, "--seq", seq];
                yield return ["before", trace, "--fault", "1"];
                break;
            case 5:
                yield return ["who", trace, "--register", "ax", "--value", "0"];
                break;
            case 6 when File.Exists(other):
                yield return ["diff", trace, other];
                break;
            default:
                yield return ["query", trace, "select * from regs limit 20", "--format", "json"];
                break;
        }
    }
}
