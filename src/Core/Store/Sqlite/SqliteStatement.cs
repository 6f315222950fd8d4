using System.Runtime.CompilerServices;
using System.Text;

namespace KprobeTrace.Store.Sqlite;

/// <summary>A compiled statement: bind, step, read columns.</summary>
internal sealed unsafe class SqliteStatement : IDisposable
{
    private readonly SqliteDatabase _database;
    private nint _handle;

    internal SqliteStatement(SqliteDatabase database, nint handle)
    {
        _database = database;
        _handle = handle;
    }

    /// <summary>True where the text held only blanks and comments.</summary>
    internal bool IsEmpty => _handle == 0;

    internal int ColumnCount => SqliteLibrary.ColumnCount(_handle);

    internal int ParameterCount => SqliteLibrary.ParameterCount(_handle);

    internal string ColumnName(int column) => SqliteLibrary.Text(SqliteLibrary.ColumnName(_handle, column));

    /// <summary>Binds an integer to parameter <paramref name="index"/>, counted from 1.</summary>
    internal SqliteStatement Bind(int index, long value)
    {
        Check(SqliteLibrary.BindInt64(_handle, index, value));
        return this;
    }

    internal SqliteStatement Bind(int index, ulong value) => Bind(index, unchecked((long)value));

    internal SqliteStatement Bind(int index, int value) => Bind(index, (long)value);

    internal SqliteStatement BindNull(int index)
    {
        Check(SqliteLibrary.BindNull(_handle, index));
        return this;
    }

    /// <summary>Binds text, or NULL, to parameter <paramref name="index"/>, counted from 1.</summary>
    internal SqliteStatement Bind(int index, string? value) =>
        value is null ? BindNull(index) : Bind(index, Encoding.UTF8.GetBytes(value));

    /// <summary>Binds UTF-8 text to parameter <paramref name="index"/>, counted from 1.</summary>
    internal SqliteStatement Bind(int index, ReadOnlySpan<byte> utf8)
    {
        // SAFETY: SQLite copies the bytes before the call returns; a non-null pointer is passed even for no bytes.
        byte none;
        fixed (byte* text = utf8)
        {
            Check(SqliteLibrary.BindText(
                _handle, index, utf8.IsEmpty ? &none : text, utf8.Length, SqliteLibrary.Transient));
        }

        return this;
    }

    /// <summary>Advances to the next row; false at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Step()
    {
        int code = SqliteLibrary.Step(_handle);
        if (code == SqliteLibrary.Row)
        {
            return true;
        }

        if (code != SqliteLibrary.Done)
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

    internal void Reset() => _ = SqliteLibrary.Reset(_handle);

    internal int Type(int column) => SqliteLibrary.ColumnType(_handle, column);

    internal bool IsNull(int column) => Type(column) == SqliteLibrary.TypeNull;

    internal long Int64(int column) => SqliteLibrary.ColumnInt64(_handle, column);

    internal int Int32(int column) => (int)SqliteLibrary.ColumnInt64(_handle, column);

    internal ulong UInt64(int column) => unchecked((ulong)SqliteLibrary.ColumnInt64(_handle, column));

    internal double Double(int column) => SqliteLibrary.ColumnDouble(_handle, column);

    internal string Text(int column) => Encoding.UTF8.GetString(Utf8(column));

    internal string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    /// <summary>The column as UTF-8 text, valid until the next step.</summary>
    internal ReadOnlySpan<byte> Utf8(int column)
    {
        byte* text = SqliteLibrary.ColumnText(_handle, column);
        // SAFETY: the length is asked after the conversion, as SQLite requires; it owns the bytes until the next step.
        return text is null ? default : new ReadOnlySpan<byte>(text, SqliteLibrary.ColumnBytes(_handle, column));
    }

    /// <summary>The column's bytes, valid until the next step.</summary>
    internal ReadOnlySpan<byte> Blob(int column)
    {
        byte* bytes = SqliteLibrary.ColumnBlob(_handle, column);
        // SAFETY: SQLite owns the bytes until the next step.
        return bytes is null ? default : new ReadOnlySpan<byte>(bytes, SqliteLibrary.ColumnBytes(_handle, column));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        nint handle = _handle;
        _handle = 0;
        if (handle != 0)
        {
            _ = SqliteLibrary.Finalize(handle);
        }
    }

    private void Check(int code)
    {
        if (code != SqliteLibrary.Ok)
        {
            ThrowError(code);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ThrowError(int code)
    {
        SqliteException error = _database.Error(code);
        Reset();
        throw error;
    }
}
