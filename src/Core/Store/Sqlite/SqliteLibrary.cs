using System.Runtime.InteropServices;
using SQLitePCL;

namespace KprobeTrace.Store.Sqlite;

/// <summary>
/// Entry points of SQLite that SQLitePCLRaw does not have, or that cost too much through it (docs/performance.md says how much).
/// </summary>
/// <remarks>All else goes through <see cref="raw"/>; a test holds the sources to this list.</remarks>
internal static unsafe partial class SqliteLibrary
{
    /// <summary>A function without side effects, which a view may call whoever wrote the view.</summary>
    internal const int Innocuous = 0x20_0000;

    private const string Library = "e_sqlite3";

    /// <summary>Where in the statement the last error is, in bytes.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_error_offset")]
    internal static partial int ErrorOffset(sqlite3 database);

    /// <summary>Registers a function, or an aggregate where the last two are given.</summary>
    /// <remarks>SQLitePCLRaw makes an array and three objects for each call, and forgets to look whether there is memory for a group.</remarks>
    [LibraryImport(Library, EntryPoint = "sqlite3_create_function_v2", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int CreateFunction(
        sqlite3 database,
        string name,
        int arguments,
        int flags,
        nint data,
        delegate* unmanaged[Cdecl]<nint, int, nint*, void> call,
        delegate* unmanaged[Cdecl]<nint, int, nint*, void> add,
        delegate* unmanaged[Cdecl]<nint, void> finish,
        delegate* unmanaged[Cdecl]<nint, void> destroy);

    /// <summary>Registers an aggregate that is a window function as well. SQLitePCLRaw has none.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_create_window_function", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int CreateWindowFunction(
        sqlite3 database,
        string name,
        int arguments,
        int flags,
        nint data,
        delegate* unmanaged[Cdecl]<nint, int, nint*, void> add,
        delegate* unmanaged[Cdecl]<nint, void> finish,
        delegate* unmanaged[Cdecl]<nint, void> current,
        delegate* unmanaged[Cdecl]<nint, int, nint*, void> leave,
        delegate* unmanaged[Cdecl]<nint, void> destroy);

    /// <summary>What a function was registered with. SQLitePCLRaw knows it of those that it registers.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_user_data")]
    [SuppressGCTransition]
    internal static partial nint UserData(nint context);

    /// <summary>The memory of one group, zeros at first; null where there is none. SQLitePCLRaw keeps it to itself.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_aggregate_context")]
    internal static partial void* AggregateContext(nint context, int bytes);

    /// <summary>The type of an argument; a text that is a number becomes one. SQLitePCLRaw does not have it.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_value_numeric_type")]
    internal static partial int NumericType(nint value);

    /// <summary>Memory that counts against SQLite's limit. SQLitePCLRaw has no way to make it longer.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_realloc64")]
    internal static partial byte* Reallocate(byte* memory, ulong bytes);

    /// <summary>Returns a text without copying it, which SQLitePCLRaw would do.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_result_text")]
    internal static partial void ResultText(nint context, byte* text, int bytes, delegate* unmanaged[Cdecl]<nint, void> destroy);

    /// <summary>The type of a column's value.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_column_type")]
    [SuppressGCTransition]
    internal static partial int ColumnType(nint statement, int column);

    /// <summary>A column's value as an integer.</summary>
    [LibraryImport(Library, EntryPoint = "sqlite3_column_int64")]
    [SuppressGCTransition]
    internal static partial long ColumnInt64(nint statement, int column);
}
