using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KprobeTrace.Store.Sqlite;

/// <summary>
/// The entry points of the bundled SQLite library that this project calls, as function pointers.
/// </summary>
/// <remarks>
/// The managed wrappers cost more per column than SQLite itself does; importing and printing millions of rows
/// needs the bare calls. Those that neither block nor call back skip the runtime's transition frame.
/// </remarks>
internal static unsafe class SqliteLibrary
{
    internal const int Ok = 0;
    internal const int Permission = 3;
    internal const int Busy = 5;
    internal const int Locked = 6;
    internal const int NoMemory = 7;
    internal const int ReadOnly = 8;
    internal const int Interrupt = 9;
    internal const int IoError = 10;
    internal const int Corrupt = 11;
    internal const int Full = 13;
    internal const int CantOpen = 14;
    internal const int TooBig = 18;
    internal const int Auth = 23;
    internal const int NotADatabase = 26;
    internal const int Row = 100;
    internal const int Done = 101;

    /// <summary>The limit of a text or blob's bytes, for <see cref="Limit"/>.</summary>
    internal const int LimitLength = 0;

    internal const int OpenReadOnly = 0x1;
    internal const int OpenReadWrite = 0x2;
    internal const int OpenCreate = 0x4;
    internal const int OpenNoMutex = 0x8000;

    internal const int TypeInteger = 1;
    internal const int TypeFloat = 2;
    internal const int TypeText = 3;
    internal const int TypeBlob = 4;
    internal const int TypeNull = 5;

    internal const int Utf8 = 1;
    internal const int Deterministic = 0x800;

    /// <summary>A function without side effects, which a view may call whoever wrote the view.</summary>
    internal const int Innocuous = 0x20_0000;

    /// <summary>Tells SQLite to copy a bound or returned buffer.</summary>
    internal static readonly nint Transient = -1;

    private static readonly nint _library = NativeLibrary.Load("e_sqlite3", typeof(SqliteLibrary).Assembly, null);

    internal static readonly delegate* unmanaged[Cdecl]<byte*, nint*, int, byte*, int> OpenV2 =
        (delegate* unmanaged[Cdecl]<byte*, nint*, int, byte*, int>)Export("sqlite3_open_v2");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int> Close =
        (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_close_v2");
    internal static readonly delegate* unmanaged[Cdecl]<nint, byte*, int, nint*, byte**, int> Prepare =
        (delegate* unmanaged[Cdecl]<nint, byte*, int, nint*, byte**, int>)Export("sqlite3_prepare_v2");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int> Step =
        (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_step");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int> Reset =
        (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_reset");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int> Finalize =
        (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_finalize");
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, long, int> BindInt64 =
        (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, long, int>)Export("sqlite3_bind_int64");
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, int> BindNull =
        (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, int>)Export("sqlite3_bind_null");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int, byte*, int, nint, int> BindText =
        (delegate* unmanaged[Cdecl]<nint, int, byte*, int, nint, int>)Export("sqlite3_bind_text");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int> ParameterCount =
        (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_bind_parameter_count");
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int> ColumnCount =
        (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int>)Export("sqlite3_column_count");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int, byte*> ColumnName =
        (delegate* unmanaged[Cdecl]<nint, int, byte*>)Export("sqlite3_column_name");
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, int> ColumnType =
        (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, int>)Export("sqlite3_column_type");
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, long> ColumnInt64 =
        (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, long>)Export("sqlite3_column_int64");
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, double> ColumnDouble =
        (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, double>)Export("sqlite3_column_double");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int, byte*> ColumnText =
        (delegate* unmanaged[Cdecl]<nint, int, byte*>)Export("sqlite3_column_text");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int, byte*> ColumnBlob =
        (delegate* unmanaged[Cdecl]<nint, int, byte*>)Export("sqlite3_column_blob");
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, int> ColumnBytes =
        (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, int>)Export("sqlite3_column_bytes");
    internal static readonly delegate* unmanaged[Cdecl]<nint, byte*> ErrorMessage =
        (delegate* unmanaged[Cdecl]<nint, byte*>)Export("sqlite3_errmsg");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int> ErrorOffset =
        (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_error_offset");
    internal static readonly delegate* unmanaged[Cdecl]<nint, void> InterruptQuery =
        (delegate* unmanaged[Cdecl]<nint, void>)Export("sqlite3_interrupt");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int, int, int> Limit =
        (delegate* unmanaged[Cdecl]<nint, int, int, int>)Export("sqlite3_limit");
    internal static readonly delegate* unmanaged[Cdecl]<long, long> HardHeapLimit =
        (delegate* unmanaged[Cdecl]<long, long>)Export("sqlite3_hard_heap_limit64");
    internal static readonly delegate* unmanaged[Cdecl]<
        nint, delegate* unmanaged[Cdecl]<nint, int, byte*, byte*, byte*, byte*, int>, nint, int> SetAuthorizer =
        (delegate* unmanaged[Cdecl]<
            nint, delegate* unmanaged[Cdecl]<nint, int, byte*, byte*, byte*, byte*, int>, nint, int>)
        Export("sqlite3_set_authorizer");
    internal static readonly delegate* unmanaged[Cdecl]<
        nint, byte*, int, int, nint,
        delegate* unmanaged[Cdecl]<nint, int, nint*, void>,
        delegate* unmanaged[Cdecl]<nint, int, nint*, void>,
        delegate* unmanaged[Cdecl]<nint, void>,
        delegate* unmanaged[Cdecl]<nint, void>, int> CreateFunction =
        (delegate* unmanaged[Cdecl]<
            nint, byte*, int, int, nint,
            delegate* unmanaged[Cdecl]<nint, int, nint*, void>,
            delegate* unmanaged[Cdecl]<nint, int, nint*, void>,
            delegate* unmanaged[Cdecl]<nint, void>,
            delegate* unmanaged[Cdecl]<nint, void>, int>)
        Export("sqlite3_create_function_v2");
    internal static readonly delegate* unmanaged[Cdecl]<
        nint, byte*, int, int, nint,
        delegate* unmanaged[Cdecl]<nint, int, nint*, void>,
        delegate* unmanaged[Cdecl]<nint, void>,
        delegate* unmanaged[Cdecl]<nint, void>,
        delegate* unmanaged[Cdecl]<nint, int, nint*, void>,
        delegate* unmanaged[Cdecl]<nint, void>, int> CreateWindowFunction =
        (delegate* unmanaged[Cdecl]<
            nint, byte*, int, int, nint,
            delegate* unmanaged[Cdecl]<nint, int, nint*, void>,
            delegate* unmanaged[Cdecl]<nint, void>,
            delegate* unmanaged[Cdecl]<nint, void>,
            delegate* unmanaged[Cdecl]<nint, int, nint*, void>,
            delegate* unmanaged[Cdecl]<nint, void>, int>)
        Export("sqlite3_create_window_function");
    internal static readonly delegate* unmanaged[Cdecl]<nint, nint> DatabaseOf =
        (delegate* unmanaged[Cdecl]<nint, nint>)Export("sqlite3_context_db_handle");
    internal static readonly delegate* unmanaged[Cdecl]<byte*, ulong, byte*> Reallocate =
        (delegate* unmanaged[Cdecl]<byte*, ulong, byte*>)Export("sqlite3_realloc64");
    internal static readonly nint FreeMemory = Export("sqlite3_free");
    internal static readonly delegate* unmanaged[Cdecl]<byte*, void> Free =
        (delegate* unmanaged[Cdecl]<byte*, void>)FreeMemory;
    internal static readonly delegate* unmanaged[Cdecl]<nint, nint> UserData =
        (delegate* unmanaged[Cdecl]<nint, nint>)Export("sqlite3_user_data");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int, nint> AggregateContext =
        (delegate* unmanaged[Cdecl]<nint, int, nint>)Export("sqlite3_aggregate_context");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int> ValueType =
        (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_value_numeric_type");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int> ValueStoredType =
        (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_value_type");
    internal static readonly delegate* unmanaged[Cdecl]<nint, byte*> ValueText =
        (delegate* unmanaged[Cdecl]<nint, byte*>)Export("sqlite3_value_text");
    internal static readonly delegate* unmanaged[Cdecl]<nint, int> ValueBytes =
        (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_value_bytes");
    internal static readonly delegate* unmanaged[Cdecl]<nint, long> ValueInt64 =
        (delegate* unmanaged[Cdecl]<nint, long>)Export("sqlite3_value_int64");
    internal static readonly delegate* unmanaged[Cdecl]<nint, double> ValueDouble =
        (delegate* unmanaged[Cdecl]<nint, double>)Export("sqlite3_value_double");
    internal static readonly delegate* unmanaged[Cdecl]<nint, void> ResultNull =
        (delegate* unmanaged[Cdecl]<nint, void>)Export("sqlite3_result_null");
    internal static readonly delegate* unmanaged[Cdecl]<nint, long, void> ResultInt64 =
        (delegate* unmanaged[Cdecl]<nint, long, void>)Export("sqlite3_result_int64");
    internal static readonly delegate* unmanaged[Cdecl]<nint, double, void> ResultDouble =
        (delegate* unmanaged[Cdecl]<nint, double, void>)Export("sqlite3_result_double");
    internal static readonly delegate* unmanaged[Cdecl]<nint, byte*, int, nint, void> ResultText =
        (delegate* unmanaged[Cdecl]<nint, byte*, int, nint, void>)Export("sqlite3_result_text");
    internal static readonly delegate* unmanaged[Cdecl]<nint, byte*, int, void> ResultError =
        (delegate* unmanaged[Cdecl]<nint, byte*, int, void>)Export("sqlite3_result_error");

    internal static readonly delegate* unmanaged[Cdecl]<nint, void> ResultTooBig =
        (delegate* unmanaged[Cdecl]<nint, void>)Export("sqlite3_result_error_toobig");
    internal static readonly delegate* unmanaged[Cdecl]<nint, void> ResultNoMemory =
        (delegate* unmanaged[Cdecl]<nint, void>)Export("sqlite3_result_error_nomem");

    /// <summary>The text SQLite returned, or an empty string where it returned none.</summary>
    internal static string Text(byte* text) =>
        text is null ? "" : Marshal.PtrToStringUTF8((nint)text) ?? "";

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint Export(string name) => NativeLibrary.GetExport(_library, name);
}
