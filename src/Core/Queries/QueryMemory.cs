using KprobeTrace.Store;
using SQLitePCL;

namespace KprobeTrace.Queries;

/// <summary>What a user's SQL may take of memory.</summary>
internal static class QueryMemory
{
    /// <summary>What a query may take unless it is given more or less, in bytes.</summary>
    public const long Default = 256L << 20;

    /// <summary>The least that a query can be given, in bytes.</summary>
    public const long Least = 8L << 20;

    /// <summary>
    /// Limits SQLite's memory in this process to <paramref name="bytes"/>, and one value of <paramref name="history"/>'s
    /// queries to a quarter of that. What needs more fails with a message that says so.
    /// </summary>
    public static void Limit(TraceHistory history, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, Least);
        _ = raw.sqlite3_hard_heap_limit64(bytes);
        history.Database.LimitValues((int)Math.Min(bytes / 4, int.MaxValue));
    }
}
