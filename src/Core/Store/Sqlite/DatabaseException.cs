using SQLitePCL;

namespace KprobeTrace.Store.Sqlite;

/// <summary>An error that SQLite reported, with its message in one line.</summary>
internal sealed class DatabaseException : KprobeTraceException
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">The line a user will read.</param>
    /// <param name="code">SQLite's result code, extended or not.</param>
    /// <param name="offset">Byte offset in the statement that is at fault, or -1 where there is none.</param>
    public DatabaseException(string message, int code, int offset)
        : base(message)
    {
        Code = code & 0xFF;
        Offset = offset;
    }

    /// <summary>SQLite's primary result code.</summary>
    public int Code { get; }

    /// <summary>Byte offset in the statement that is at fault, or -1 where there is none.</summary>
    public int Offset { get; }

    /// <summary>True where somebody ended the statement.</summary>
    public bool IsInterrupt => Code == raw.SQLITE_INTERRUPT;
}
