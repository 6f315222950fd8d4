using BenchmarkDotNet.Attributes;
using KprobeTrace.Tracing;

namespace KprobeTrace.Bench;

/// <summary>Writer, reader and peer on the same events.</summary>
public class TraceBenchmarks
{
    private static (HitPool Pool, int Events, string Path) _given;
    private readonly HitPool _pool = _given.Pool;
    private readonly int _events = _given.Events;
    private readonly string _path = _given.Path;

    internal static long PeerBytes { get; private set; }

    /// <summary>Says what is measured: BenchmarkDotNet makes the instances.</summary>
    internal static void Of(HitPool pool, int events, string path) => _given = (pool, events, path);

    /// <summary>Reading needs a file, whichever benchmark goes first.</summary>
    [GlobalSetup(Target = nameof(Read))]
    public void WriteWhatIsRead() => Write();

    /// <summary>The writer, with the file.</summary>
    [Benchmark]
    public void Write()
    {
        using TraceWriter writer = TraceWriter.Create(_path, SyntheticTrace.Header);
        _pool.Write(writer, _events);
    }

    /// <summary>The peer, into memory.</summary>
    [Benchmark]
    public void WritePeer()
    {
        using PlainRows rows = new();
        _pool.ForEach(_events, rows.Write);
        PeerBytes = rows.Finish();
    }

    /// <summary>The reader; what it gives keeps the compiler from leaving the work out.</summary>
    [Benchmark]
    public ulong Read()
    {
        using TraceReader reader = TraceReader.Open(_path);
        ulong seen = 0;
        ulong sum = 0;
        while (reader.ReadChunk())
        {
            foreach (ref readonly TraceEvent e in reader.Events)
            {
                sum += e.Registers.Ax + e.Seq;
            }

            seen += (ulong)reader.Events.Length;
        }

        return seen == (ulong)_events && reader.Damage.Count == 0
            ? sum
            : throw new InvalidOperationException($"read {seen} of {_events} events");
    }
}
