using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SQLitePCL;

namespace KprobeTrace.Store.Sqlite;

/// <summary>A function of the values of one row.</summary>
internal sealed unsafe class SqliteScalar : SqliteFunction
{
    private readonly ScalarCall _call;
    private readonly Action<sqlite3_context, Exception> _fail;

    /// <param name="call">Returns the value for some arguments.</param>
    /// <param name="fail">Returns an error for what <paramref name="call"/> threw.</param>
    internal SqliteScalar(ScalarCall call, Action<sqlite3_context, Exception> fail)
    {
        _call = call;
        _fail = fail;
    }

    /// <summary>Makes the function known to a connection.</summary>
    internal void Register(SqliteDatabase database, string name, int arguments) =>
        _ = SqliteLibrary.CreateFunction(
            database.Handle, name, arguments, raw.SQLITE_UTF8 | raw.SQLITE_DETERMINISTIC, Keep(), &OnCall, null, null, &OnDestroy);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnCall(nint context, int count, nint* values)
    {
        SqliteScalar function = Of<SqliteScalar>(context, out FunctionContext call);
        try
        {
            function._call(call, new ReadOnlySpan<nint>(values, count));
        }
        catch (Exception e)
        {
            function._fail(call, e);
        }
    }
}
