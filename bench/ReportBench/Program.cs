using System.Diagnostics;
using System.Globalization;
using KprobeTrace.Bench;
using KprobeTrace.Export;
using KprobeTrace.Queries;
using KprobeTrace.Store;

// Imports a trace and asks the report tool's questions of it, each beside the same question asked by the sqlite3 shell.
//   dotnet run -c Release --project bench/ReportBench [EVENTS | TRACE]
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string folder = Directory.CreateTempSubdirectory("report-bench-").FullName;
string trace = Path.Combine(folder, "bench.mpk");
if (args.Length > 0 && File.Exists(args[0]))
{
    File.Copy(args[0], trace);
}
else
{
    SyntheticTrace.Write(trace, args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 2_000_000);
}

try
{
    string database = trace + ".db";
    double import = double.MaxValue;
    for (int round = 0; round < 3; round++)
    {
        File.Delete(database);
        Stopwatch watch = Stopwatch.StartNew();
        TraceHistory.Open(trace).Dispose();
        import = Math.Min(import, watch.Elapsed.TotalSeconds);
    }

    using TraceHistory history = TraceHistory.Open(trace);
    long events = Number("SELECT sum(events) FROM runs");
    long bytes = new FileInfo(database).Length;
    Console.WriteLine($"events                          {events:N0}, trace {(double)new FileInfo(trace).Length / events:0.0} bytes an event");
    Console.WriteLine($"import                          {events / import / 1e6:0.00} M events/s");
    Console.WriteLine($"database                        {(double)bytes / events:0.0} bytes an event with its indexes");

    using Utf8Output nowhere = new(Stream.Null);
    double lines = Best(3, () => new EventLines(history).Write(new EventFilter(), nowhere));
    Console.WriteLine($"events                          {events / lines / 1e3:0} k lines/s");

    long middle = Number("SELECT max(seq) / 2 FROM hits");
    long from = Number($"SELECT time_ns FROM events WHERE seq = {middle}");
    long to = Number($"SELECT time_ns FROM events WHERE seq = {middle + (events / 100)}");
    string name = Text("SELECT name FROM counts GROUP BY probe ORDER BY sum(events) LIMIT 1");
    long value = Number($"SELECT di FROM regs WHERE seq = {middle}");
    Console.WriteLine("question                           here    sqlite3 shell");
    Ask("count by symbol", "SELECT symbol, count(*) FROM events GROUP BY symbol");
    Ask("count by symbol, counts", "SELECT symbol, sum(events) FROM counts GROUP BY symbol");
    Compare(
        "latency histogram",
        () => new HistogramQuery { Key = "duration_ns", Log2 = true }.Read(history).Count,
        "SELECT CAST(log2(max(duration_ns, 1)) AS INTEGER) AS k, count(*) FROM calls GROUP BY k");
    Compare(
        "latency percentiles",
        () => LatencyQuery.Read(history, []).Count,
        "SELECT name, count(*), min(duration_ns), avg(duration_ns), max(duration_ns) FROM calls GROUP BY name");
    Ask("1 % time range, hits", $"SELECT count(*) FROM hits WHERE time_ns BETWEEN {from} AND {to}");
    Ask("1 % time range", $"SELECT count(*) FROM events WHERE time_ns BETWEEN {from} AND {to}");
    string hit =
        $"SELECT max(seq) FROM hits WHERE run = 1 AND seq < {middle} AND probe = (SELECT probe FROM probes WHERE run = 1 AND name = '{name}')";
    Ask("last hit before an event", hit);
    Compare(
        "  of every probe, and its task",
        () => BeforeQuery.OfEvent(history, 1, middle).LastHits.Count,
        $"SELECT probe, max(seq) FROM hits WHERE run = 1 AND seq < {middle} GROUP BY probe");
    Compare(
        "register search",
        () => (int)RegisterSearch.Find(history, unchecked((ulong)value), [], 0, static (_, _, _) => true),
        $"SELECT count(*) FROM regs WHERE {value} IN (ax, bx, cx, dx, si, di, bp, sp, r8, r9, r10, r11, r12, r13, r14, r15, ip, flags, cr3)");
    Console.WriteLine($"peak memory                     {Process.GetCurrentProcess().PeakWorkingSet64 >> 20} MB (all of the above in one process)");
    double peerEvents = ImportPeer.RowsPerSecond(history, Path.Combine(folder, "peer.db"), out long peerRows) * events / peerRows;
    Console.WriteLine($"import of the same rows by prepared INSERT, no index, one transaction: {peerEvents / 1e6:0.00} M events/s; ratio {events / import / peerEvents:0.00}");

    long Number(string sql) => long.Parse(Text(sql), CultureInfo.InvariantCulture);

    string Text(string sql)
    {
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            SqlQuery.Run(history, sql, new CsvRows(output));
        }

        return System.Text.Encoding.UTF8.GetString(stream.ToArray()).Split("\r\n")[1];
    }

    void Ask(string what, string sql) => Compare(what, () => Text(sql).Length, sql);

    void Compare(string what, Func<int> here, string sql)
    {
        double ours = Best(5, () => here());
        string shell = "not installed";
        if (ImportPeer.HasShell)
        {
            // The shell's own start is not the question's cost.
            double start = Best(5, () => ImportPeer.Shell(database, "SELECT 1"));
            double there = Best(3, () => ImportPeer.Shell(database, sql)) - start;
            shell = $"{Math.Max(0, there) * 1e3,10:0.00} ms";
        }

        Console.WriteLine($"{what,-30}{ours * 1e3,8:0.00} ms {shell}");
    }
}
finally
{
    Directory.Delete(folder, recursive: true);
}

return 0;

static double Best(int rounds, Action work)
{
    double best = double.MaxValue;
    for (int i = 0; i < rounds; i++)
    {
        Stopwatch watch = Stopwatch.StartNew();
        work();
        best = Math.Min(best, watch.Elapsed.TotalSeconds);
    }

    return best;
}
