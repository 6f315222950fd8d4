using System.Globalization;
using KprobeTrace;
using KprobeTrace.Bench;

// Trace writer and reader: events a CPU second, bytes an event, beside plain MessagePack rows of the same events.
//   TraceBench [EVENTS]         synthetic kernel events, 2,000,000 unless given
//   TraceBench TRACE.mpk        the events of a trace, read and written again
// Prints a name and a figure a line, which bench/trace.sh holds to its bars.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string path = Path.Combine(Path.GetTempPath(), $"kprobetrace-bench-{Environment.ProcessId}.mpk");
bool recorded = args.Length > 0 && !int.TryParse(args[0], NumberStyles.None, CultureInfo.InvariantCulture, out _);
try
{
    HitPool pool = recorded ? HitPool.FromTrace(args[0], 1 << 18) : HitPool.Synthetic(1 << 15);
    int events = args.Length > 0 && !recorded ? int.Parse(args[0], CultureInfo.InvariantCulture) : Math.Max(2_000_000, pool.Count);
    TraceBenchmarks.Of(pool, events, path);
    Dictionary<string, (double Seconds, long Allocated)> measured = MicroBenchmark.Run<TraceBenchmarks>(iterations: 5);
    Print("events", events);
    Print("write", events / measured[nameof(TraceBenchmarks.Write)].Seconds / 1e6);
    Print("read", events / measured[nameof(TraceBenchmarks.Read)].Seconds / 1e6);
    Print("peer_write", events / measured[nameof(TraceBenchmarks.WritePeer)].Seconds / 1e6);
    Print("bytes", (double)new FileInfo(path).Length / events);
    Print("peer_bytes", (double)TraceBenchmarks.PeerBytes / events);
    Print("allocated", (double)measured[nameof(TraceBenchmarks.Write)].Allocated / events);
    return 0;
}
catch (KprobeTraceException e)
{
    Console.Error.WriteLine($"TraceBench: {e.Message}");
    return 1;
}
finally
{
    File.Delete(path);
    File.Delete(path + ".old");
}

static void Print(string name, double figure) => Console.WriteLine($"{name} {figure:0.000}");
