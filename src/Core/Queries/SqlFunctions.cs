using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using SQLitePCL;

namespace KprobeTrace.Queries;

/// <summary>The functions that <c>query</c> adds to SQLite's own.</summary>
/// <remarks>
/// <list type="table">
/// <item><term><c>hex64(x)</c></term><description>the integer as <c>0x…</c></description></item>
/// <item><term><c>sym(x [, run])</c></term><description>the code or data address as <c>symbol+0xoffset</c></description></item>
/// <item><term><c>bucket(x)</c></term><description>the largest power of two not above x; 0 for 0; -bucket(-x) below 0</description></item>
/// <item><term><c>percentile(x, p)</c>, <c>median(x)</c>, <c>p50 p90 p95 p99 (x)</c></term>
/// <description>aggregates: the smallest value that at least p per cent of the values do not exceed</description></item>
/// </list>
/// <c>log2(x)</c> and the other mathematical functions are SQLite's own.
/// </remarks>
internal static class SqlFunctions
{
    private static readonly ConditionalWeakTable<TraceHistory, object> _registered = [];

    /// <summary>Makes the functions known to the connection, once.</summary>
    internal static void Register(TraceHistory history)
    {
        if (_registered.TryGetValue(history, out _))
        {
            return;
        }

        SqliteDatabase database = history.Database;
        SymbolLookup symbols = new(history);
        new SqliteScalar(Hex64, Fail).Register(database, "hex64", 1);
        new SqliteScalar(Bucket, Fail).Register(database, "bucket", 1);
        SqliteScalar sym = new((context, values) => Sym(context, symbols, values), Fail);
        sym.Register(database, "sym", 1);
        sym.Register(database, "sym", 2);
        ConcatFunction.Register(database);
        PercentileBudget budget = new();
        new PercentileFunction(0, budget).Register(database, "percentile", 2);
        PercentileFunction median = new(50, budget);
        median.Register(database, "median", 1);
        median.Register(database, "p50", 1);
        new PercentileFunction(90, budget).Register(database, "p90", 1);
        new PercentileFunction(95, budget).Register(database, "p95", 1);
        new PercentileFunction(99, budget).Register(database, "p99", 1);
        _registered.Add(history, symbols);
    }

    private static void Hex64(FunctionContext context, ReadOnlySpan<nint> values)
    {
        if (SqliteLibrary.NumericType(values[0]) == raw.SQLITE_INTEGER)
        {
            Result(context, $"0x{Integer(values[0]):x}");
        }
        else
        {
            raw.sqlite3_result_null(context);
        }
    }

    private static void Bucket(FunctionContext context, ReadOnlySpan<nint> values)
    {
        if (SqliteLibrary.NumericType(values[0]) is raw.SQLITE_INTEGER or raw.SQLITE_FLOAT)
        {
            raw.sqlite3_result_int64(context, PowerOfTwo(Integer(values[0])));
        }
        else
        {
            raw.sqlite3_result_null(context);
        }
    }

    private static void Sym(FunctionContext context, SymbolLookup symbols, ReadOnlySpan<nint> values)
    {
        if (SqliteLibrary.NumericType(values[0]) == raw.SQLITE_INTEGER)
        {
            Result(context, symbols.Name(unchecked((ulong)Integer(values[0])), values.Length > 1 ? Integer(values[1]) : 0));
        }
        else
        {
            raw.sqlite3_result_null(context);
        }
    }

    private static long Integer(nint value) => raw.sqlite3_value_int64(new sqlite3_value(value));

    private static void Result(FunctionContext context, string text) => raw.sqlite3_result_text(context, Encoding.UTF8.GetBytes(text));

    internal static long PowerOfTwo(long value) => value switch
    {
        0 => 0,
        < 0 => value == long.MinValue ? long.MinValue : -PowerOfTwo(-value),
        _ => 1L << BitOperations.Log2((ulong)value),
    };

    /// <summary>What went wrong in a callback becomes the query's error.</summary>
    internal static void Fail(sqlite3_context context, Exception e) => raw.sqlite3_result_error(context, e switch
    {
        KprobeTraceException => e.Message,
        OutOfMemoryException => "out of memory",
        IOException or UnauthorizedAccessException =>
            $"a percentile of so many values needs room in {Path.GetTempPath()}: {FileErrors.Reason(e)}; set TMPDIR to another folder",
        _ => $"a function of the query failed by a mistake of its own ({e.GetType().Name}); please report it with the SQL",
    });
}
