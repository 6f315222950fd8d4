using System.Diagnostics;
using System.Text;
using KprobeTrace.Queries;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using SQLitePCL;

namespace KprobeTrace.Bench;

/// <summary>What SQLitePCLRaw adds to each row where this project calls SQLite itself: both ways in turn, the least of many rounds.</summary>
internal static class CallCost
{
    private const int Rounds = 60;
    private const int Rows = 20_000;

    internal static void Print(TraceHistory history)
    {
        SqlFunctions.Register(history);
        SqliteDatabase database = history.Database;
        _ = raw.sqlite3_create_function(database.Handle, "raw_hex64", 1, raw.SQLITE_DETERMINISTIC, null, static (context, _, values) =>
            raw.sqlite3_result_text(context, Encoding.UTF8.GetBytes($"0x{raw.sqlite3_value_int64(values[0]):x}")));
        _ = raw.sqlite3_create_function(database.Handle, "raw_bucket", 1, raw.SQLITE_DETERMINISTIC, null, static (context, _, values) =>
            raw.sqlite3_result_int64(context, SqlFunctions.PowerOfTwo(raw.sqlite3_value_int64(values[0]))));

        Console.WriteLine("nanoseconds a row                here   SQLitePCLRaw");
        string columns = $"SELECT seq, time_ns, cpu, kind, probe, pid, comm, caller, address, args FROM kt_event WHERE run = 1 LIMIT {Rows}";
        Compare("columns of an event", () => Own(database, columns), () => ThroughRaw(database, columns));
        foreach (string name in (string[])["hex64", "bucket"])
        {
            Compare(name, () => Own(database, Calls(name)), () => Own(database, Calls("raw_" + name)));
        }

        static string Calls(string name) => $"SELECT count({name}(time_ns)) FROM (SELECT time_ns FROM kt_event WHERE run = 1 LIMIT {Rows})";
    }

    private static void Compare(string what, Func<long> here, Func<long> throughRaw)
    {
        (double ours, double theirs) = (double.MaxValue, double.MaxValue);
        for (int round = 0; round < Rounds; round++)
        {
            ours = Math.Min(ours, Time(here));
            theirs = Math.Min(theirs, Time(throughRaw));
        }

        Console.WriteLine($"{what,-28}{ours,9:0}{theirs,15:0}   {(theirs / ours) - 1:+0 %;-0 %}");
    }

    private static double Time(Func<long> read)
    {
        long start = Stopwatch.GetTimestamp();
        _ = read();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Rows;
    }

    private static long Own(SqliteDatabase database, string sql)
    {
        using SqliteStatement row = database.Prepare(sql);
        int columns = row.ColumnCount;
        long sum = 0;
        while (row.Step())
        {
            for (int i = 0; i < columns; i++)
            {
                sum += row.Type(i) == raw.SQLITE_TEXT ? row.Utf8(i).Length : row.Int64(i);
            }
        }

        return sum;
    }

    private static long ThroughRaw(SqliteDatabase database, string sql)
    {
        _ = raw.sqlite3_prepare_v2(database.Handle, sql, out sqlite3_stmt row);
        using (row)
        {
            int columns = raw.sqlite3_column_count(row);
            long sum = 0;
            while (raw.sqlite3_step(row) == raw.SQLITE_ROW)
            {
                for (int i = 0; i < columns; i++)
                {
                    sum += raw.sqlite3_column_type(row, i) == raw.SQLITE_TEXT ? raw.sqlite3_column_blob(row, i).Length : raw.sqlite3_column_int64(row, i);
                }
            }

            return sum;
        }
    }
}
