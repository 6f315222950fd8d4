using System.Diagnostics;
using System.Globalization;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Bench;

/// <summary>The peers: SQLite's own INSERT through its C API, and its shell.</summary>
internal static class ImportPeer
{
    private const int MaxRows = 400_000;

    /// <summary>True where the sqlite3 shell is installed.</summary>
    internal static bool HasShell { get; } = File.Exists("/usr/bin/sqlite3");

    /// <summary>Runs a statement in the shell and returns the CPU seconds it says the statement took.</summary>
    internal static double Shell(string database, string sql)
    {
        ProcessStartInfo start = new("sqlite3") { RedirectStandardOutput = true, RedirectStandardInput = true };
        start.ArgumentList.Add("-readonly");
        start.ArgumentList.Add(database);
        using Process process = Process.Start(start)!;
        process.StandardInput.Write($".timer on\n{sql};\n");
        process.StandardInput.Close();
        string[] words = process.StandardOutput.ReadToEnd().TrimEnd().Split('\n')[^1].Split(' ');
        process.WaitForExit();
        double user = double.Parse(words[Array.IndexOf(words, "user") + 1], CultureInfo.InvariantCulture);
        return user + double.Parse(words[Array.IndexOf(words, "sys") + 1], CultureInfo.InvariantCulture);
    }

    /// <summary>Rows a second of the large tables through prepared statements, bound value by value.</summary>
    internal static double RowsPerSecond(TraceHistory history, string path, out long allRows)
    {
        using SqliteDatabase peer = SqliteDatabase.Open(path, create: true);
        peer.Execute("PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536");
        double seconds = 0;
        long rows = 0;
        allRows = 0;
        foreach (string table in (string[])["kt_event", "kt_reg", "kt_call"])
        {
            string schema = history.Database.ScalarText($"SELECT sql FROM sqlite_schema WHERE name = '{table}'")!;
            peer.Execute(schema);
            allRows += history.Database.ScalarInt64($"SELECT count(*) FROM {table}");
            List<object?[]> values = [];
            using SqliteStatement source = history.Database.Prepare($"SELECT * FROM {table} LIMIT {MaxRows}");
            int columns = source.ColumnCount;
            while (source.Step())
            {
                object?[] row = new object?[columns];
                for (int i = 0; i < columns; i++)
                {
                    row[i] = source.IsNull(i)
                        ? null
                        : source.Type(i) == SqliteLibrary.TypeInteger ? source.Int64(i) : source.Utf8(i).ToArray();
                }

                values.Add(row);
            }

            using SqliteStatement insert = peer.Prepare(
                $"INSERT INTO {table} VALUES({string.Join(',', Enumerable.Repeat('?', columns))})");
            TimeSpan before = Environment.CpuUsage.TotalTime;
            peer.Execute("BEGIN");
            foreach (object?[] row in values)
            {
                for (int i = 0; i < columns; i++)
                {
                    _ = row[i] switch
                    {
                        null => insert.BindNull(i + 1),
                        long number => insert.Bind(i + 1, number),
                        byte[] text => insert.Bind(i + 1, text),
                        _ => insert,
                    };
                }

                insert.Run();
            }

            peer.Execute("COMMIT");
            seconds += (Environment.CpuUsage.TotalTime - before).TotalSeconds;
            rows += values.Count;
        }

        return rows / seconds;
    }
}
