using System.Globalization;
using System.Text;

namespace KprobeTrace.Store.Sqlite;

/// <summary>An open SQLite database. Not for use from several threads at once.</summary>
internal sealed unsafe class SqliteDatabase : IDisposable
{
    private nint _handle;

    private readonly bool _writes;

    private SqliteDatabase(nint handle, string path, bool writes)
    {
        _handle = handle;
        _writes = writes;
        Path = path;
    }

    /// <summary>The file, as given to <see cref="Open"/>.</summary>
    internal string Path { get; }

    internal nint Handle => _handle;

    /// <summary>Opens <paramref name="path"/>.</summary>
    /// <exception cref="SqliteException">The file cannot be opened.</exception>
    internal static SqliteDatabase Open(string path, bool write = false, bool create = false)
    {
        int flags = SqliteLibrary.OpenNoMutex
            | (write || create ? SqliteLibrary.OpenReadWrite : SqliteLibrary.OpenReadOnly)
            | (create ? SqliteLibrary.OpenCreate : 0);
        nint handle;
        int code;

        // SAFETY: the buffer is NUL-terminated and outlives the call.
        fixed (byte* name = Encoding.UTF8.GetBytes(path + "\0"))
        {
            code = SqliteLibrary.OpenV2(name, &handle, flags, null);
        }

        SqliteDatabase database = new(handle, path, write || create);
        if (code != SqliteLibrary.Ok)
        {
            string reason = handle == 0 ? "out of memory" : SqliteLibrary.Text(SqliteLibrary.ErrorMessage(handle));
            database.Dispose();
            throw new SqliteException($"{path}: {reason}", code, -1);
        }

        // Another tool's commit is waited for; who holds a lock for longer is reported.
        database.Execute("PRAGMA busy_timeout = 5000");
        return database;
    }

    /// <summary>Opens a database for reading, once what an interrupted writer left half done is undone.</summary>
    /// <exception cref="SqliteException">The file cannot be opened.</exception>
    internal static SqliteDatabase OpenToRead(string path)
    {
        const string Touch = "SELECT count(*) FROM sqlite_schema";
        SqliteDatabase database = Open(path);
        try
        {
            _ = database.ScalarInt64(Touch);
            return database;
        }
        catch (SqliteException e) when ((e.Code & 0xFF) is SqliteLibrary.ReadOnly or SqliteLibrary.CantOpen && File.Exists(path + "-journal"))
        {
            // A journal is played back by who may write.
            database.Dispose();
            using (SqliteDatabase writer = Open(path, write: true))
            {
                _ = writer.ScalarInt64(Touch);
            }

            return Open(path);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Compiles one statement; whatever follows it is ignored.</summary>
    internal SqliteStatement Prepare(string sql) => Prepare(sql, out _);

    /// <summary>Compiles one statement and returns the text that follows it.</summary>
    internal SqliteStatement Prepare(string sql, out string rest)
    {
        byte[] text = Encoding.UTF8.GetBytes(sql + "\0");
        nint statement;
        int code;

        // SAFETY: the buffer is NUL-terminated and outlives the call; the tail points into it.
        fixed (byte* start = text)
        {
            byte* tail;
            code = SqliteLibrary.Prepare(_handle, start, text.Length, &statement, &tail);
            rest = code == SqliteLibrary.Ok
                ? Encoding.UTF8.GetString(text, (int)(tail - start), Math.Max(0, text.Length - 1 - (int)(tail - start)))
                : "";
        }

        if (code != SqliteLibrary.Ok)
        {
            throw Error(code);
        }

        return new SqliteStatement(this, statement);
    }

    /// <summary>Runs every statement in <paramref name="sql"/>, ignoring the rows.</summary>
    internal void Execute(string sql)
    {
        while (!string.IsNullOrWhiteSpace(sql))
        {
            using SqliteStatement statement = Prepare(sql, out sql);
            while (statement.Step())
            {
            }
        }
    }

    /// <summary>The first column of the first row, or <paramref name="none"/> where there is no row.</summary>
    internal long ScalarInt64(string sql, long none = 0)
    {
        using SqliteStatement statement = Prepare(sql);
        return statement.Step() ? statement.Int64(0) : none;
    }

    /// <summary>The first column of the first row, or null where there is no row.</summary>
    internal string? ScalarText(string sql)
    {
        using SqliteStatement statement = Prepare(sql);
        return statement.Step() && !statement.IsNull(0) ? statement.Text(0) : null;
    }

    /// <summary>Limits the bytes of one text or blob of this connection.</summary>
    internal void LimitValues(int bytes) => _ = SqliteLibrary.Limit(_handle, SqliteLibrary.LimitLength, bytes);

    /// <summary>Ends whatever statement is running, from any thread.</summary>
    internal void Interrupt()
    {
        nint handle = _handle;
        if (handle != 0)
        {
            SqliteLibrary.InterruptQuery(handle);
        }
    }

    internal SqliteException Error(int code)
    {
        string message = SqliteLibrary.Text(SqliteLibrary.ErrorMessage(_handle));
        int offset = SqliteLibrary.ErrorOffset(_handle);
        message = (code & 0xFF) switch
        {
            SqliteLibrary.NotADatabase => $"{Path}: not a SQLite database",
            SqliteLibrary.Corrupt => $"{Path}: the database is damaged ({message}); delete it to import the trace again",
            SqliteLibrary.Full when !_writes => "the disk is full that temporary files lie on; set TMPDIR to another folder, or choose less at once",
            SqliteLibrary.Full => $"{Path}: the disk is full",
            SqliteLibrary.Busy or SqliteLibrary.Locked => $"{Path}: another program has locked it; try again when that has finished",
            SqliteLibrary.CantOpen => $"{Path}: cannot be opened: it, its folder or a file beside it may not be read or written",
            SqliteLibrary.ReadOnly or SqliteLibrary.Permission => $"{Path}: may not be written",
            SqliteLibrary.IoError => $"{Path}: cannot be read or written ({message})",
            SqliteLibrary.Auth => $"{message}: queries may only read this database",
            SqliteLibrary.Interrupt => "interrupted",
            SqliteLibrary.NoMemory => OutOfMemory(),
            SqliteLibrary.TooBig => string.Create(
                CultureInfo.InvariantCulture,
                $"a value of more than {SqliteLibrary.Limit(_handle, SqliteLibrary.LimitLength, -1):N0} bytes; ask for less at once, or give the query more with --memory"),
            _ => message,
        };
        return new SqliteException(message, code, offset);
    }

    private static string OutOfMemory()
    {
        long limit = SqliteLibrary.HardHeapLimit(-1);
        return limit > 0
            ? string.Create(
                CultureInfo.InvariantCulture, $"it needs more than {limit >> 20:N0} MiB of memory; ask for less at once, or give it more with --memory")
            : "out of memory";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        nint handle = Interlocked.Exchange(ref _handle, 0);
        if (handle != 0)
        {
            _ = SqliteLibrary.Close(handle);
        }
    }
}
