using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

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
internal static unsafe class SqlFunctions
{
    private static readonly ConditionalWeakTable<TraceHistory, object> _registered = [];

    /// <summary>Makes the functions known to the connection, once.</summary>
    internal static void Register(TraceHistory history)
    {
        if (_registered.TryGetValue(history, out _))
        {
            return;
        }

        nint database = history.Database.Handle;
        SymbolLookup symbols = new(history);
        nint data = GCHandle.ToIntPtr(GCHandle.Alloc(symbols));
        Scalar(database, "hex64", 1, 0, &Hex64);
        Scalar(database, "bucket", 1, 0, &Bucket);
        Scalar(database, "sym", 1, data, &Sym);

        // The second registration owns the handle: SQLite frees it when the connection closes.
        Create(database, "sym", 2, data, &Sym, null, null, &Free);
        ConcatFunction.Register(database);
        PercentileBudget budget = new();
        Aggregate(database, "percentile", 2, 0, budget);
        Aggregate(database, "median", 1, 50, budget);
        Aggregate(database, "p50", 1, 50, budget);
        Aggregate(database, "p90", 1, 90, budget);
        Aggregate(database, "p95", 1, 95, budget);
        Aggregate(database, "p99", 1, 99, budget);
        _registered.Add(history, symbols);
    }

    private static void Scalar(
        nint database, string name, int arguments, nint data, delegate* unmanaged[Cdecl]<nint, int, nint*, void> call) =>
        Create(database, name, arguments, data, call, null, null, null);

    private static void Aggregate(nint database, string name, int arguments, int percent, PercentileBudget budget)
    {
        nint data = GCHandle.ToIntPtr(GCHandle.Alloc(new PercentileSettings(percent, budget)));
        Create(database, name, arguments, data, null, &Collect, &Percentile, &Free);
    }

    private static void Create(
        nint database,
        string name,
        int arguments,
        nint data,
        delegate* unmanaged[Cdecl]<nint, int, nint*, void> call,
        delegate* unmanaged[Cdecl]<nint, int, nint*, void> step,
        delegate* unmanaged[Cdecl]<nint, void> final,
        delegate* unmanaged[Cdecl]<nint, void> destroy)
    {
        // SAFETY: the name is NUL-terminated and copied by SQLite; the functions are static.
        fixed (byte* text = Encoding.UTF8.GetBytes(name + "\0"))
        {
            _ = SqliteLibrary.CreateFunction(
                database, text, arguments, SqliteLibrary.Utf8 | SqliteLibrary.Deterministic, data, call, step, final, destroy);
        }
    }

    // SAFETY (all callbacks): SQLite passes valid value pointers and keeps them alive during the call; no exception
    // leaves a callback, since the native frames above it could not be unwound.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Hex64(nint context, int count, nint* values)
    {
        try
        {
            if (SqliteLibrary.ValueType(values[0]) != SqliteLibrary.TypeInteger)
            {
                SqliteLibrary.ResultNull(context);
                return;
            }

            Result(context, $"0x{SqliteLibrary.ValueInt64(values[0]):x}");
        }
        catch (Exception e)
        {
            Fail(context, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Bucket(nint context, int count, nint* values)
    {
        int type = SqliteLibrary.ValueType(values[0]);
        if (type is not (SqliteLibrary.TypeInteger or SqliteLibrary.TypeFloat))
        {
            SqliteLibrary.ResultNull(context);
            return;
        }

        SqliteLibrary.ResultInt64(context, PowerOfTwo(SqliteLibrary.ValueInt64(values[0])));
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Sym(nint context, int count, nint* values)
    {
        try
        {
            if (SqliteLibrary.ValueType(values[0]) != SqliteLibrary.TypeInteger)
            {
                SqliteLibrary.ResultNull(context);
                return;
            }

            SymbolLookup symbols = (SymbolLookup)GCHandle.FromIntPtr(SqliteLibrary.UserData(context)).Target!;
            long run = count > 1 ? SqliteLibrary.ValueInt64(values[1]) : 0;
            Result(context, symbols.Name(unchecked((ulong)SqliteLibrary.ValueInt64(values[0])), run));
        }
        catch (Exception e)
        {
            Fail(context, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Collect(nint context, int count, nint* values)
    {
        try
        {
            int type = SqliteLibrary.ValueType(values[0]);
            if (type is not (SqliteLibrary.TypeInteger or SqliteLibrary.TypeFloat))
            {
                return;
            }

            nint* slot = (nint*)SqliteLibrary.AggregateContext(context, sizeof(nint));
            if (slot is null)
            {
                return;
            }

            PercentileSettings settings = (PercentileSettings)GCHandle.FromIntPtr(SqliteLibrary.UserData(context)).Target!;
            if (*slot == 0)
            {
                double percent = count > 1 ? Percent(values[1]) : settings.Percent;
                *slot = GCHandle.ToIntPtr(GCHandle.Alloc(new PercentileState(percent, settings.Budget)));
            }

            PercentileState state = (PercentileState)GCHandle.FromIntPtr(*slot).Target!;
            if (type == SqliteLibrary.TypeInteger)
            {
                state.Add(SqliteLibrary.ValueInt64(values[0]));
            }
            else
            {
                state.Add(SqliteLibrary.ValueDouble(values[0]));
            }
        }
        catch (Exception e)
        {
            Fail(context, e);
        }
    }

    /// <summary>No number, which is refused, for a text that SQLite would take for 0.</summary>
    private static double Percent(nint value) =>
        SqliteLibrary.ValueType(value) is SqliteLibrary.TypeInteger or SqliteLibrary.TypeFloat ? SqliteLibrary.ValueDouble(value) : double.NaN;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Percentile(nint context)
    {
        try
        {
            nint* slot = (nint*)SqliteLibrary.AggregateContext(context, 0);
            if (slot is null || *slot == 0)
            {
                SqliteLibrary.ResultNull(context);
                return;
            }

            GCHandle handle = GCHandle.FromIntPtr(*slot);
            using PercentileState state = (PercentileState)handle.Target!;
            handle.Free();
            if (state.Percent is not (>= 0 and <= 100))
            {
                Fail(context, "percentile: the second argument goes from 0 to 100");
            }
            else if (state.Count == 0)
            {
                // Its first value could not be kept, and the query ended there.
                SqliteLibrary.ResultNull(context);
            }
            else if (state.Integers)
            {
                SqliteLibrary.ResultInt64(context, state.Integer());
            }
            else
            {
                SqliteLibrary.ResultDouble(context, state.Real());
            }
        }
        catch (Exception e)
        {
            Fail(context, e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Free(nint data) => GCHandle.FromIntPtr(data).Free();

    internal static long PowerOfTwo(long value) => value switch
    {
        0 => 0,
        < 0 => value == long.MinValue ? long.MinValue : -PowerOfTwo(-value),
        _ => 1L << BitOperations.Log2((ulong)value),
    };

    private static void Result(nint context, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        fixed (byte* bytes = utf8)
        {
            SqliteLibrary.ResultText(context, bytes, utf8.Length, SqliteLibrary.Transient);
        }
    }

    /// <summary>What went wrong in a callback becomes the query's error.</summary>
    private static void Fail(nint context, Exception e) => Fail(context, e switch
    {
        KprobeTraceException => e.Message,
        OutOfMemoryException => "out of memory",
        IOException or UnauthorizedAccessException =>
            $"a percentile of so many values needs room in {Path.GetTempPath()}: {FileErrors.Reason(e)}; set TMPDIR to another folder",
        _ => $"a function of the query failed by a mistake of its own ({e.GetType().Name}); please report it with the SQL",
    });

    private static void Fail(nint context, string message)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(message);
        fixed (byte* bytes = utf8)
        {
            SqliteLibrary.ResultError(context, bytes, utf8.Length);
        }
    }
}
