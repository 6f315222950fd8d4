using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SQLitePCL;

namespace KprobeTrace.Store.Sqlite;

/// <summary>A function of the values of many rows, which may be a window function.</summary>
/// <remarks>
/// SQLitePCLRaw's aggregates end the process where SQLite has no memory for a group, which is what a query's limit of memory leads to; and
/// it has no window functions.
/// </remarks>
internal abstract unsafe class SqliteAggregate : SqliteFunction
{
    private readonly int _stateBytes;

    /// <param name="stateBytes">Bytes of memory for a group.</param>
    protected SqliteAggregate(int stateBytes) => _stateBytes = stateBytes;

    /// <summary>Makes the function known to a connection, as one that is no window function.</summary>
    internal void Register(SqliteDatabase database, string name, int arguments) =>
        _ = SqliteLibrary.CreateFunction(
            database.Handle, name, arguments, raw.SQLITE_UTF8 | raw.SQLITE_DETERMINISTIC, Keep(), null, &OnAdd, &OnFinish, &OnDestroy);

    /// <summary>Makes the function known to a connection, as one that is a window function, too, and that views may call.</summary>
    internal void RegisterWindow(SqliteDatabase database, string name, int arguments) =>
        _ = SqliteLibrary.CreateWindowFunction(
            database.Handle, name, arguments, raw.SQLITE_UTF8 | raw.SQLITE_DETERMINISTIC | SqliteLibrary.Innocuous, Keep(),
            &OnAdd, &OnFinish, &OnCurrent, &OnLeave, &OnDestroy);

    /// <summary>Takes the values of one row.</summary>
    protected abstract void Add(FunctionContext context, void* state, ReadOnlySpan<nint> values);

    /// <summary>Returns what the group comes to, and lets go of what its state holds; that is null where there was no row.</summary>
    protected abstract void Finish(FunctionContext context, void* state);

    /// <summary>Returns what the rows in the window come to.</summary>
    protected virtual void Current(FunctionContext context, void* state)
    {
    }

    /// <summary>Takes the values of the first row out of the window.</summary>
    protected virtual void Leave(FunctionContext context, void* state, ReadOnlySpan<nint> values)
    {
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnAdd(nint context, int count, nint* values)
    {
        SqliteAggregate function = Of<SqliteAggregate>(context, out FunctionContext call);
        void* state = SqliteLibrary.AggregateContext(context, function._stateBytes);
        if (state is null)
        {
            raw.sqlite3_result_error_nomem(call);
        }
        else
        {
            function.Add(call, state, new ReadOnlySpan<nint>(values, count));
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnFinish(nint context) =>
        Of<SqliteAggregate>(context, out FunctionContext call).Finish(call, SqliteLibrary.AggregateContext(context, 0));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnCurrent(nint context) =>
        Of<SqliteAggregate>(context, out FunctionContext call).Current(call, SqliteLibrary.AggregateContext(context, 0));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnLeave(nint context, int count, nint* values)
    {
        SqliteAggregate function = Of<SqliteAggregate>(context, out FunctionContext call);
        void* state = SqliteLibrary.AggregateContext(context, 0);
        if (state is not null)
        {
            function.Leave(call, state, new ReadOnlySpan<nint>(values, count));
        }
    }
}
