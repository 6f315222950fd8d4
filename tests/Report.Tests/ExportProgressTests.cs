using System.Buffers.Binary;
using KprobeTrace.Export;
using KprobeTrace.Store;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report;

/// <summary>What an export says of how far it is.</summary>
public sealed class ExportProgressTests : IDisposable
{
    private const int Events = 66_000;

    private readonly TraceFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Progress_is_the_share_of_events_that_are_written()
    {
        using TraceHistory history = Open(Events);

        Assert.Equal(Enumerable.Range(1, Events / 4096).Select(static n => n * 4096 / (double)Events), Told(history, "perfetto", PerfettoExport.Write));
        Assert.Equal([1.0], Told(history, "parquet", ParquetExport.Write));
        Assert.Equal(Enumerable.Range(1, 13).Select(static n => n / 13.0), Told(history, "clickhouse", ClickHouseExport.Write));
        Assert.Equal(
            [0.5 * 65536 / Events, .. Enumerable.Range(1, Events / 4096).Select(static n => 0.5 + (0.5 * n * 4096 / Events))],
            Told(history, "html", HtmlExport.Write));

        // A packet of CTF holds a megabyte of events, all of one size here; progress is told when one is full.
        double[] told = Told(history, "ctf", CtfExport.Write);
        using FileStream stream = File.OpenRead(Path.Combine(_folder["ctf"], "stream_0"));
        byte[] head = new byte[24];
        stream.ReadExactly(head);
        long packet = (long)BinaryPrimitives.ReadUInt64LittleEndian(head.AsSpan(16)) / 8;
        Assert.InRange(packet, (1 << 20) - 100, 1 << 20);
        int packets = (int)((stream.Length + packet - 1) / packet);
        long size = (stream.Length - (24 * packets)) / Events;
        Assert.Equal(2, told.Length);
        Assert.Equal(Enumerable.Range(1, 2).Select(n => n * ((packet - 24) / size) / (double)Events), told);
    }

    [Fact]
    public void Each_of_several_runs_has_its_share()
    {
        using TraceHistory history = Open(5000, 9000);

        Assert.Equal([4096 / 5000.0 / 2, (1 + (4096 / 9000.0)) / 2, (1 + (8192 / 9000.0)) / 2], Told(history, "perfetto", PerfettoExport.Write));
        Assert.Equal([5000 / 14000.0, 1.0], Told(history, "parquet", ParquetExport.Write));
    }

    [Fact]
    public void Parquet_of_more_rows_than_a_group_takes_has_several_groups()
    {
        using TraceHistory history = Open(Events);
        ParquetExport.Write(history, _folder["set"], new ExportOptions());

        using DuckDB.NET.Data.DuckDBConnection duck = new("Data Source=:memory:");
        duck.Open();
        using System.Data.Common.DbCommand command = duck.CreateCommand();
        string file = Path.Combine(_folder["set"], "run=1/name=hit/part-0.parquet");
        command.CommandText = $"""
            SELECT (SELECT string_agg(DISTINCT row_group_num_rows::VARCHAR, ' ' ORDER BY row_group_num_rows::VARCHAR) FROM parquet_metadata('{file}')) || '|' || count(*) || '|'
              || count(DISTINCT seq) || '|' || min(seq) || '|' || max(seq) || '|' || count(*) FILTER (time_ns <> seq * 10 OR pid <> 5) FROM read_parquet('{file}')
            """;
        Assert.Equal($"32768 464|{Events}|{Events}|1|{Events}|0", command.ExecuteScalar());
    }

    private double[] Told(TraceHistory history, string name, Action<TraceHistory, string, ExportOptions> export)
    {
        List<double> told = [];
        export(history, _folder[name], new ExportOptions { Progress = told.Add });
        return [.. told];
    }

    private TraceHistory Open(params int[] runs)
    {
        string[] traces = [.. runs.Select(Write)];
        _ = Tool.Good(["add", _folder["all.db"], .. traces]);
        return TraceHistory.OpenDatabase(_folder["all.db"]);
    }

    private string Write(int events, int run)
    {
        string path = _folder[$"{run}.mpk"];
        using TraceWriter writer = TraceWriter.Create(path, new TraceHeader { ImageName = "vmlinuz", ImageSha256 = new string((char)('0' + run), 64) });
        writer.WriteProbe(new TraceProbe { Id = 0, Type = 'p', Name = "hit", Symbol = "function", Address = 0x1000 });
        for (int i = 1; i <= events; i++)
        {
            TraceEvent e = new() { Address = 0x1000, TimeNs = (ulong)i * 10, Pid = 5, Comm = new TraceComm("sh"u8), Parts = TraceEventParts.Task };
            _ = writer.WriteEvent(in e, [], []);
        }

        writer.Complete(new TraceFooter { Ended = "poweroff" });
        return path;
    }
}
