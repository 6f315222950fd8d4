namespace KprobeTrace.Store.Sqlite;

/// <summary>An error that SQLite reported, with its message in one line.</summary>
internal sealed class SqliteException : KprobeTraceException
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">The line a user will read.</param>
    /// <param name="code">SQLite's extended result code.</param>
    /// <param name="offset">Byte offset in the statement that is at fault, or -1 where there is none.</param>
    public SqliteException(string message, int code, int offset)
        : base(message)
    {
        Code = code;
        Offset = offset;
    }

    /// <summary>SQLite's extended result code.</summary>
    public int Code { get; }

    /// <summary>Byte offset in the statement that is at fault, or -1 where there is none.</summary>
    public int Offset { get; }
}
