using System.Diagnostics;
using System.Globalization;
using KprobeTrace.Tracing;

namespace KprobeTrace.Bench;

/// <summary>Measures writer, reader and peer on the same events and prints the figures with their bars.</summary>
internal sealed class Measurement(HitPool pool, int events, string path)
{
    private const double WriteBar = 4e6;
    private const double BytesBar = 18;

    private double _write;
    private double _read;
    private double _peerWrite;
    private double _bytes;
    private double _peerBytes;
    private long _allocated;

    internal bool BarsHold => _write >= WriteBar && _bytes <= BytesBar;

    internal void Run(int rounds)
    {
        for (int round = 0; round < rounds; round++)
        {
            _write = Math.Max(_write, Rate(Write));
            _peerWrite = Math.Max(_peerWrite, Rate(WritePeer));
            _read = Math.Max(_read, Rate(Read));
        }

        _bytes = (double)new FileInfo(path).Length / events;
    }

    internal void Print(string what)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        Console.WriteLine(string.Create(culture, $"{events} events ({what}), best of the rounds, per CPU second"));
        Console.WriteLine(string.Create(culture, $"  write {_write / 1e6,8:f2} M events/s   bar: at least {WriteBar / 1e6:f0}   {Verdict(_write >= WriteBar)}"));
        Console.WriteLine(string.Create(culture, $"  size  {_bytes,8:f2} bytes/event  bar: at most {BytesBar:f0}   {Verdict(_bytes <= BytesBar)}"));
        Console.WriteLine(string.Create(culture, $"  read  {_read / 1e6,8:f2} M events/s"));
        Console.WriteLine(string.Create(culture, $"  allocated while writing {(double)_allocated / events:f2} bytes/event"));
        Console.WriteLine(string.Create(culture, $"  peer: one MessagePack array an event, zstd level 1 on blocks of 1 MiB"));
        Console.WriteLine(string.Create(culture, $"  write {_peerWrite / 1e6,8:f2} M events/s   ours is {_write / _peerWrite:f2} times as fast"));
        Console.WriteLine(string.Create(culture, $"  size  {_peerBytes,8:f2} bytes/event  ours is {_bytes / _peerBytes:f2} of it"));
    }

    private static string Verdict(bool holds) => holds ? "holds" : "MISSED";

    private double Rate(Action work)
    {
        using Process process = Process.GetCurrentProcess();
        TimeSpan before = process.TotalProcessorTime;
        work();
        process.Refresh();
        return events / (process.TotalProcessorTime - before).TotalSeconds;
    }

    private void Write()
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        using (TraceWriter writer = TraceWriter.Create(path, SyntheticTrace.Header))
        {
            pool.Write(writer, events);
        }

        _allocated = GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private void WritePeer()
    {
        using PlainRows rows = new();
        pool.ForEach(events, rows.Write);
        _peerBytes = (double)rows.Finish() / events;
    }

    private void Read()
    {
        using TraceReader reader = TraceReader.Open(path);
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

        GC.KeepAlive(sum);
        if (seen != (ulong)events || reader.Damage.Count > 0)
        {
            throw new InvalidOperationException($"read {seen} of {events} events");
        }
    }
}
