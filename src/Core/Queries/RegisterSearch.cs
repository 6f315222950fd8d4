using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>Finds events that held a value in any register.</summary>
public static class RegisterSearch
{
    /// <summary>Hands every event that held <paramref name="value"/> to <paramref name="found"/>, in order.</summary>
    /// <param name="history">The database.</param>
    /// <param name="value">The value.</param>
    /// <param name="registers">Names of the registers to look in; all without any.</param>
    /// <param name="run">The run, 0 for all.</param>
    /// <param name="found">Told the run, the sequence number and the registers; returns false to stop.</param>
    /// <param name="cancellation">Ends the search.</param>
    /// <returns>How many events were found.</returns>
    /// <exception cref="KprobeTraceException">There is no such register.</exception>
    public static long Find(
        TraceHistory history,
        ulong value,
        IReadOnlyList<string> registers,
        long run,
        Func<long, long, string, bool> found,
        CancellationToken cancellation = default)
    {
        SqliteDatabase database = history.Database;
        using CancellationTokenRegistration registration = cancellation.Register(database.Interrupt);
        EventSelection.RequireRun(database, run);
        string[] names = registers.Count == 0 ? TraceRegisters.Names.ToArray() : [.. registers.Select(Known).Distinct()];
        long count = 0;
        try
        {
            using SqliteStatement statement = database.Prepare(Sql(names));
            _ = statement.Bind(1, value).Bind(2, run);
            while (statement.Step())
            {
                count++;
                string list = string.Join(',', names.Where((_, i) => statement.UInt64(i + 2) == value));
                if (!found(statement.Int64(0), statement.Int64(1), list))
                {
                    break;
                }
            }
        }
        catch (DatabaseException e) when (e.IsInterrupt)
        {
            cancellation.ThrowIfCancellationRequested();
            throw;
        }

        return count;
    }

    /// <summary>Looks in the kept registers first, so that their rows are read once and not for each event.</summary>
    private static string Sql(string[] names)
    {
        // Comparisons one by one are faster than IN, which collects the columns first.
        ILookup<bool, string> byTable = names.ToLookup(static n => RegisterColumns.IsKept(TraceRegisters.Names.IndexOf(n)), static n => n + " = ?1");
        List<string> conditions = [.. byTable[false]];
        if (byTable.Contains(true))
        {
            conditions.Add($"g.kept IN (SELECT kept FROM kt_kept WHERE {string.Join(" OR ", byTable[true])})");
        }

        return $"SELECT g.run, g.seq, {string.Join(", ", names)} FROM kt_reg g CROSS JOIN kt_kept k ON k.kept = g.kept " +
            $"WHERE (?2 = 0 OR g.run = ?2) AND ({string.Join(" OR ", conditions)}) ORDER BY g.run, g.seq";
    }

    private static string Known(string name)
    {
        string plain = name.TrimStart('%');
        return TraceRegisters.Names.Contains(plain)
            ? plain
            : throw new KprobeTraceException(
                $"'{name}' is no register; there are {string.Join(", ", TraceRegisters.Names.ToArray())}");
    }
}
