using System.Runtime.CompilerServices;
using System.Text;
using SQLitePCL;

namespace KprobeTrace.Store.Sqlite;

/// <summary>A compiled statement: bind, step, read columns.</summary>
internal sealed class SqliteStatement : IDisposable
{
    private readonly SqliteDatabase _database;
    private readonly sqlite3_stmt _handle;

    /// <summary>The same, for what is asked of every row; 0 once the statement is disposed of.</summary>
    private nint _pointer;

    internal SqliteStatement(SqliteDatabase database, sqlite3_stmt handle)
    {
        _database = database;
        _handle = handle;
        _pointer = handle.DangerousGetHandle();

        // A statement that nobody disposed of goes with its connection, not at some time on another thread.
#pragma warning disable CA1816 // It is not this object that would be finalized.
        GC.SuppressFinalize(handle);
#pragma warning restore CA1816
    }

    /// <summary>True where the text held only blanks and comments.</summary>
    internal bool IsEmpty => _handle.IsInvalid;

    internal int ColumnCount => raw.sqlite3_column_count(_handle);

    internal int ParameterCount => raw.sqlite3_bind_parameter_count(_handle);

    internal string ColumnName(int column) => raw.sqlite3_column_name(_handle, column).utf8_to_string() ?? "";

    /// <summary>Binds an integer to parameter <paramref name="index"/>, counted from 1.</summary>
    internal SqliteStatement Bind(int index, long value)
    {
        Check(raw.sqlite3_bind_int64(_handle, index, value));
        return this;
    }

    internal SqliteStatement Bind(int index, ulong value) => Bind(index, unchecked((long)value));

    internal SqliteStatement Bind(int index, int value) => Bind(index, (long)value);

    internal SqliteStatement BindNull(int index)
    {
        Check(raw.sqlite3_bind_null(_handle, index));
        return this;
    }

    /// <summary>Binds text, or NULL, to parameter <paramref name="index"/>, counted from 1.</summary>
    internal SqliteStatement Bind(int index, string? value) =>
        value is null ? BindNull(index) : Bind(index, Encoding.UTF8.GetBytes(value));

    /// <summary>Binds UTF-8 text to parameter <paramref name="index"/>, counted from 1.</summary>
    internal SqliteStatement Bind(int index, ReadOnlySpan<byte> utf8)
    {
        Check(raw.sqlite3_bind_text(_handle, index, utf8));
        return this;
    }

    /// <summary>Advances to the next row; false at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Step()
    {
        int code = raw.sqlite3_step(_handle);
        if (code == raw.SQLITE_ROW)
        {
            return true;
        }

        if (code != raw.SQLITE_DONE)
        {
            ThrowError(code);
        }

        return false;
    }

    /// <summary>Runs a statement that returns no row and makes it ready to run again.</summary>
    internal void Run()
    {
        while (Step())
        {
        }

        Reset();
    }

    internal void Reset() => _ = raw.sqlite3_reset(_handle);

    internal int Type(int column) => SqliteLibrary.ColumnType(_pointer, column);

    internal bool IsNull(int column) => Type(column) == raw.SQLITE_NULL;

    internal long Int64(int column) => SqliteLibrary.ColumnInt64(_pointer, column);

    internal int Int32(int column) => (int)SqliteLibrary.ColumnInt64(_pointer, column);

    internal ulong UInt64(int column) => unchecked((ulong)SqliteLibrary.ColumnInt64(_pointer, column));

    internal double Double(int column) => raw.sqlite3_column_double(_handle, column);

    internal string Text(int column) => Encoding.UTF8.GetString(Utf8(column));

    internal string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    /// <summary>The column as UTF-8 text, valid until the next step.</summary>
    /// <remarks>A text's bytes in a database of UTF-8 are its text. Asked for as text, SQLitePCLRaw ends them at the first NUL.</remarks>
    internal ReadOnlySpan<byte> Utf8(int column) => raw.sqlite3_column_blob(_handle, column);

    /// <summary>The column's bytes, valid until the next step.</summary>
    internal ReadOnlySpan<byte> Blob(int column) => raw.sqlite3_column_blob(_handle, column);

    /// <inheritdoc/>
    public void Dispose()
    {
        _pointer = 0;
        _handle.Dispose();
    }

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK)
        {
            ThrowError(code);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ThrowError(int code)
    {
        DatabaseException error = _database.Error(code);
        Reset();
        throw error;
    }
}
