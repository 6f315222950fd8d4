using SQLitePCL;

namespace KprobeTrace.Store.Sqlite;

/// <summary>A call of a function that SQLitePCLRaw has not registered, as SQLitePCLRaw wants it.</summary>
internal sealed class FunctionContext : sqlite3_context
{
    internal FunctionContext()
        : base(null)
    {
    }

    /// <summary>SQLite's pointer.</summary>
    internal nint Handle { get; private set; }

    internal void Set(nint handle)
    {
        Handle = handle;
        set_context_ptr(handle);
    }
}
