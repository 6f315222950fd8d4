using System.Globalization;
using KprobeTrace;
using KprobeTrace.Bench;

// Trace writer and reader: events a CPU second, bytes an event, beside plain MessagePack rows of the same events.
//   bench/trace.sh [EVENTS]         synthetic kernel events, 2,000,000 unless given
//   bench/trace.sh TRACE.mpk        the events of a trace, read and written again
string path = Path.Combine(Path.GetTempPath(), $"kprobetrace-bench-{Environment.ProcessId}.mpk");
bool recorded = args.Length > 0 && !int.TryParse(args[0], NumberStyles.None, CultureInfo.InvariantCulture, out _);
HitPool pool = recorded ? HitPool.FromTrace(args[0], 1 << 18) : HitPool.Synthetic(1 << 15);
int events = args.Length > 0 && !recorded ? int.Parse(args[0], CultureInfo.InvariantCulture) : Math.Max(2_000_000, pool.Count);
try
{
    Measurement measured = new(pool, events, path);
    measured.Run(rounds: 5);
    measured.Print(recorded ? Path.GetFileName(args[0]) : "synthetic kernel");
    return measured.BarsHold ? 0 : 1;
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
