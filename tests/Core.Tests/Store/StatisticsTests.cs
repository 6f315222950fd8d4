using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using Xunit;

namespace KprobeTrace.Tests.Store;

/// <summary>What SQLite's planner is told: rows of a table, then rows for each value of the first columns of its index.</summary>
public sealed class StatisticsTests
{
    [Theory]
    [InlineData("", 0, 0, "kt_event 1 1 1|kt_event_probe 1 1 1 1 1|kt_event_time 1 1 1 1 1|kt_reg 1 1 1|kt_call 1 1 1|kt_probe 1 1 1|kt_probe_symbol 1 2 1 1|kt_symbol_address 1 1 1")]
    [InlineData("(1, 6000)", 5, 30, "kt_event 6000 6000 1|kt_event_probe 6000 6000 4800 1 1|kt_event_time 6000 6000 1 1 1|kt_reg 6000 6000 1|kt_call 1500 1500 1|kt_probe 5 5 1|kt_probe_symbol 5 2 1 1|kt_symbol_address 30 30 1")]
    [InlineData("(1, 6000), (2, 2000)", 10, 30, "kt_event 8000 4000 1|kt_event_probe 8000 4000 3200 1 1|kt_event_time 8000 4000 1 1 1|kt_reg 8000 4000 1|kt_call 2000 1000 1|kt_probe 10 5 1|kt_probe_symbol 10 2 1 1|kt_symbol_address 30 15 1")]
    public void Planner_knows_how_many_rows_there_are(string runs, int probes, int symbols, string expected)
    {
        using SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        database.Execute(Schema.Tables);
        database.Execute(Schema.Indexes);
        database.Execute(runs.Length > 0 ? $"INSERT INTO kt_run(run, events) VALUES {runs}" : "");
        database.Execute($"WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {probes}) INSERT INTO kt_probe(run, probe) SELECT 1, x FROM n WHERE {probes} > 0");
        database.Execute($"WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {symbols}) INSERT INTO kt_symbol(run, address) SELECT 1, x FROM n WHERE {symbols} > 0");

        Statistics.Write(database);
        Statistics.Write(database);

        Assert.Equal(expected, database.ScalarText("SELECT group_concat(idx || ' ' || stat, '|' ORDER BY rowid) FROM sqlite_stat1"));
        Assert.Equal(0, database.ScalarInt64("SELECT count(*) FROM sqlite_schema WHERE name = 'kt_none'"));
        foreach (string table in (string[])["kt_event", "kt_reg", "kt_call", "kt_probe", "kt_symbol"])
        {
            Assert.Equal(0, database.ScalarInt64($"SELECT count(*) FROM sqlite_stat1 WHERE idx LIKE '{table}%' AND tbl <> '{table}'"));
        }
    }
}
