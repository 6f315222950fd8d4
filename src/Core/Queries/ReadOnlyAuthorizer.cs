using KprobeTrace.Store.Sqlite;
using SQLitePCL;

namespace KprobeTrace.Queries;

/// <summary>Refuses every action of a statement but reading.</summary>
/// <remarks>Action codes: https://www.sqlite.org/c3ref/c_alter_table.html.</remarks>
internal static class ReadOnlyAuthorizer
{
    private const int Allow = 0;
    private const int Deny = 1;

    private static readonly strdelegate_authorizer _authorize = Authorize;

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
        _ = raw.sqlite3_set_authorizer(database.Handle, _authorize, null);

    internal static void Remove(SqliteDatabase database) =>
        _ = raw.sqlite3_set_authorizer(database.Handle, (strdelegate_authorizer?)null, null);

    private static int Authorize(object data, int action, string? first, string? second, string? database, string? trigger) => action switch
    {
        raw.SQLITE_READ or raw.SQLITE_SELECT or raw.SQLITE_RECURSIVE => Allow,
        raw.SQLITE_FUNCTION => string.Equals(second, "load_extension", StringComparison.OrdinalIgnoreCase) ? Deny : Allow,
        raw.SQLITE_PRAGMA => IsHarmless(first, second) ? Allow : Deny,
        _ => Deny,
    };

    private static bool IsHarmless(string? name, string? value) =>
        (value is null ? _pragmas : _pragmasWithName).Contains(name, StringComparer.OrdinalIgnoreCase);
}
