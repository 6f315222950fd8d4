using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Queries;

/// <summary>Refuses every action of a statement but reading.</summary>
/// <remarks>Action codes: https://www.sqlite.org/c3ref/c_alter_table.html.</remarks>
internal static unsafe class ReadOnlyAuthorizer
{
    private const int Allow = 0;
    private const int Deny = 1;
    private const int Pragma = 19;
    private const int Read = 20;
    private const int Select = 21;
    private const int Function = 31;
    private const int Recursive = 33;

    private static readonly string[] _pragmas =
    [
        "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "function_list",
        "compile_options", "database_list", "page_count", "page_size", "user_version", "application_id",
        "integrity_check", "quick_check", "encoding", "collation_list", "pragma_list",
    ];

    /// <summary>Pragmas whose argument names a table or an index instead of a new value.</summary>
    private static readonly string[] _pragmasWithName =
        ["table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"];

    internal static void Install(SqliteDatabase database) =>
        _ = SqliteLibrary.SetAuthorizer(database.Handle, &Authorize, 0);

    internal static void Remove(SqliteDatabase database) =>
        _ = SqliteLibrary.SetAuthorizer(database.Handle, null, 0);

    // SAFETY: called by SQLite with NUL-terminated strings or null pointers; no exception leaves it.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Authorize(nint data, int action, byte* first, byte* second, byte* database, byte* trigger)
    {
        try
        {
            return action switch
            {
                Read or Select or Recursive => Allow,
                Function => Is(second, "load_extension") ? Deny : Allow,
                Pragma => IsHarmless(first, second) ? Allow : Deny,
                _ => Deny,
            };
        }
        catch (OutOfMemoryException)
        {
            return Deny;
        }
    }

    private static bool IsHarmless(byte* name, byte* value)
    {
        string pragma = SqliteLibrary.Text(name).ToLowerInvariant();
        return Array.IndexOf(value is null ? _pragmas : _pragmasWithName, pragma) >= 0;
    }

    private static bool Is(byte* text, string name) =>
        string.Equals(SqliteLibrary.Text(text), name, StringComparison.OrdinalIgnoreCase);
}
