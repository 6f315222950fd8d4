using System.Diagnostics;
using System.Globalization;
using KprobeTrace.Bench;
using KprobeTrace.Tracing;

// Writes and reads a synthetic trace and prints events a second and bytes an event.
//   dotnet run -c Release --project bench/TraceBench [EVENTS [FILE]]
int events = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 2_000_000;
string path = args.Length > 1 ? args[1] : Path.Combine(Path.GetTempPath(), "kprobetrace-bench.mpk");
HitPool pool = new(1 << 17);
double write = 0;
long allocated = 0;
for (int round = 0; round < 4; round++)
{
    Stopwatch watch = Stopwatch.StartNew();
    allocated = GC.GetAllocatedBytesForCurrentThread();
    using (TraceWriter writer = TraceWriter.Create(path, SyntheticTrace.Header))
    {
        pool.Write(writer, events);
    }

    allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
    write = Math.Max(write, events / watch.Elapsed.TotalSeconds);
}

double read = 0;
ulong sum = 0;
for (int round = 0; round < 4; round++)
{
    Stopwatch watch = Stopwatch.StartNew();
    using TraceReader reader = TraceReader.Open(path);
    int seen = 0;
    while (reader.ReadChunk())
    {
        foreach (ref readonly TraceEvent e in reader.Events)
        {
            sum += e.Registers.Ax + e.Seq;
        }

        seen += reader.Events.Length;
    }

    if (seen != events || reader.Footer is null)
    {
        Console.Error.WriteLine($"read {seen} of {events} events");
        return 1;
    }

    read = Math.Max(read, events / watch.Elapsed.TotalSeconds);
}

long bytes = new FileInfo(path).Length;
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
    events                 {events}
    file                   {bytes} bytes, {(double)bytes / events:f2} an event (16 registers, ip, flags, cr3, task, arguments, 1 in 16 with a stack)
    write                  {write / 1e6:f2} M events/s, {(double)allocated / events:f3} bytes allocated an event
    read                   {read / 1e6:f2} M events/s
    """));
GC.KeepAlive(sum);
if (args.Length < 2)
{
    File.Delete(path);
    File.Delete(path + ".old");
}

return 0;
