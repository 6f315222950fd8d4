using System.Globalization;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Store;

/// <summary>Tells SQLite's planner how many rows the large tables hold and how selective their keys are.</summary>
/// <remarks>
/// ANALYZE would read every index; all it could find is known from the row counts. With these rows a stock shell
/// plans the same queries. Format: https://www.sqlite.org/fileformat2.html, section 2.6.2.
/// </remarks>
internal static class Statistics
{
    internal static void Write(SqliteDatabase database)
    {
        long runs = Math.Max(1, database.ScalarInt64("SELECT count(*) FROM kt_run"));
        long events = database.ScalarInt64("SELECT sum(events) FROM kt_run");
        long probes = Math.Max(1, database.ScalarInt64("SELECT count(*) FROM kt_probe"));
        long symbols = database.ScalarInt64("SELECT max(rowid) FROM kt_symbol");
        long calls = events / 4;

        // An empty table makes ANALYZE create sqlite_stat1 without reading anything.
        database.Execute("CREATE TABLE kt_none(a); ANALYZE kt_none; DROP TABLE kt_none; DELETE FROM sqlite_stat1");
        using SqliteStatement statement = database.Prepare("INSERT INTO sqlite_stat1(tbl, idx, stat) VALUES(?1, ?2, ?3)");
        Add("kt_event", "kt_event", events, events / runs, 1);

        // Four times what an even spread would give: a question about all events then reads them in their order, and
        // only one about few probes goes through the index of probes.
        Add("kt_event", "kt_event_probe", events, events / runs, 4 * events / probes, 1, 1);
        Add("kt_event", "kt_event_time", events, events / runs, 1, 1, 1);
        Add("kt_reg", "kt_reg", events, events / runs, 1);
        Add("kt_call", "kt_call", calls, calls / runs, 1);
        Add("kt_probe", "kt_probe", probes, probes / runs, 1);
        Add("kt_probe", "kt_probe_symbol", probes, 2, 1, 1);
        Add("kt_symbol", "kt_symbol_address", symbols, symbols / runs, 1);
        database.Execute("ANALYZE sqlite_schema");

        void Add(string table, string index, params long[] rows)
        {
            string text = string.Join(
                ' ', rows.Select(static r => Math.Max(1, r).ToString(CultureInfo.InvariantCulture)));
            statement.Bind(1, table).Bind(2, index).Bind(3, text).Run();
        }
    }
}
