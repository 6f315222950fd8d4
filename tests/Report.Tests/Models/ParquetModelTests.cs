using System.Globalization;
using System.Text.RegularExpressions;
using DuckDB.NET.Data;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Parquet, read by DuckDB, against what was written into the traces.</summary>
[Collection(HistoryBatchSet.Name)]
public sealed class ParquetModelTests(HistoryBatch batch)
{
    private const string Columns = "run, name, seq, time_ns, insn, cpu, probe, pid, address, kind, symbol, comm, caller";

    [Fact]
    public void Every_column_of_every_event_is_that_of_the_trace()
    {
        string folder = batch.Export("parquet", "set");
        using DuckDBConnection duck = new("DataSource=:memory:");
        duck.Open();

        int files = 0;
        foreach (IGrouping<(long Run, string Name), HistoryRow> events in batch.Database.Runs.SelectMany(static r => r.Rows).GroupBy(static r => (r.Run, r.Name)))
        {
            string[] arguments = [.. events.SelectMany(static e => e.Event.Probe.Definition.Arguments).Select(static a => a.Name).Distinct()];
            string path = $"{folder}/run={events.Key.Run}/name={Escaped(events.Key.Name)}/part-0.parquet";
            using DuckDBCommand command = duck.CreateCommand();
            command.CommandText = $"""
                SELECT {Columns}, {string.Join(", ", TraceRegisters.Names)}{string.Concat(arguments.Select(static a => $", arg_{a}"))}
                FROM read_parquet('{path}', hive_partitioning = true, hive_types_autocast = false) ORDER BY seq
                """;
            using DuckDBDataReader rows = command.ExecuteReader();
            List<string> found = [];
            while (rows.Read())
            {
                found.Add(string.Join(" ¦ ", Enumerable.Range(0, rows.FieldCount).Select(i => rows.IsDBNull(i) ? "NULL" : Shown(rows.GetValue(i)))));
            }

            HistoryBatch.AssertLines(path, events.Select(e => Expected(e, arguments)), found);
            files++;
        }

        // And no file but these.
        Assert.Equal(files, Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Count());
    }

    private static string Expected(HistoryRow e, string[] arguments) => string.Join(" ¦ ", ((object?[])
        [
            e.Run, e.Name, e.Seq, e.TimeNs, e.Insn, e.Cpu, e.Probe, e.Pid, (ulong)e.Address, e.Kind, e.Symbol, e.Comm, e.Caller,
            .. Enumerable.Range(0, TraceRegisters.Count).Select(i => (object?)e.Event.Registers?[i]), .. arguments.Select(a => Argument(e, a)),
        ]).Select(static c => c is null ? "NULL" : Shown(c)));

    /// <summary>Numbers of 64 unsigned bits stay unsigned; all else is as SQL sees it.</summary>
    private static object? Argument(HistoryRow e, string name)
    {
        object? value = e.Argument(name);
        string type = e.Event.Probe.Definition.Arguments.FirstOrDefault(a => a.Name == name)?.Type ?? "";
        return value is long number && type is "" or "u64" or "x64" or "symbol" ? (ulong)number : value;
    }

    private static string Shown(object value) => Convert.ToString(value, CultureInfo.InvariantCulture)!;

    /// <summary>As Hive names folders.</summary>
    private static string Escaped(string name) => string.Concat(System.Text.Encoding.UTF8.GetBytes(name).Select(static b =>
        Regex.IsMatch(((char)b).ToString(), @"\A[A-Za-z0-9_.-]\z") ? ((char)b).ToString() : $"%{b:X2}"));
}
