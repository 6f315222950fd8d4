using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace KprobeTrace.Store.Sqlite;

/// <summary>An open SQLite database. Not for use from several threads at once.</summary>
/// <remarks>
/// Microsoft.Data.Sqlite opens and closes it; statements are SQLitePCLRaw's, on the connection's handle: rows are read without an object for
/// each value, errors keep their place in the SQL, and who waits for a lock waits in SQLite.
/// </remarks>
internal sealed class SqliteDatabase : IDisposable
{
    private const int BusyMilliseconds = 5000;

    /// <summary>A switch of the process: nothing in it uses one connection from several threads, so that SQLite need not take locks.</summary>
    private const string OneThreadSwitch = "KprobeTrace.Sqlite.OneThreadPerConnection";

    private readonly SqliteConnection _connection;
    private readonly bool _writes;

    static SqliteDatabase()
    {
        if (AppContext.TryGetSwitch(OneThreadSwitch, out bool oneThread) && oneThread)
        {
            Batteries_V2.Init();
            _ = raw.sqlite3_config(raw.SQLITE_CONFIG_MULTITHREAD);
        }
    }

    private SqliteDatabase(SqliteConnection connection, string path, bool writes)
    {
        _connection = connection;
        _writes = writes;
        Path = path;
        Handle = connection.Handle!;
        MostBytes = raw.sqlite3_limit(Handle, raw.SQLITE_LIMIT_LENGTH, -1);
    }

    /// <summary>The file, as given to <see cref="Open"/>.</summary>
    internal string Path { get; }

    internal sqlite3 Handle { get; }

    /// <summary>The bytes that a text or blob has at most.</summary>
    internal int MostBytes { get; private set; }

    /// <summary>Opens <paramref name="path"/>.</summary>
    /// <exception cref="DatabaseException">The file cannot be opened.</exception>
    internal static SqliteDatabase Open(string path, bool write = false, bool create = false)
    {
        SqliteConnectionStringBuilder options = new()
        {
            // What begins with "file:" would be taken for a URI.
            DataSource = path.StartsWith("file:", StringComparison.OrdinalIgnoreCase) ? "./" + path : path,
            Mode = create ? SqliteOpenMode.ReadWriteCreate : write ? SqliteOpenMode.ReadWrite : SqliteOpenMode.ReadOnly,

            // A file is let go of when it is closed.
            Pooling = false,
        };
        SqliteConnection connection = new(options.ConnectionString);
        try
        {
            connection.Open();
        }
        catch (SqliteException e)
        {
            connection.Dispose();
            throw new DatabaseException($"{path}: {raw.sqlite3_errstr(e.SqliteExtendedErrorCode).utf8_to_string()}", e.SqliteExtendedErrorCode, -1);
        }

        // Another tool's commit is waited for; who holds a lock for longer is reported.
        _ = raw.sqlite3_busy_timeout(connection.Handle, BusyMilliseconds);
        return new SqliteDatabase(connection, path, write || create);
    }

    /// <summary>Opens a database for reading, once what an interrupted writer left half done is undone.</summary>
    /// <exception cref="DatabaseException">The file cannot be opened.</exception>
    internal static SqliteDatabase OpenToRead(string path)
    {
        const string Touch = "SELECT count(*) FROM sqlite_schema";
        SqliteDatabase database = Open(path);
        try
        {
            _ = database.ScalarInt64(Touch);
            return database;
        }
        catch (DatabaseException e) when (e.Code is raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN && File.Exists(path + "-journal"))
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
        int code = raw.sqlite3_prepare_v2(Handle, Encoding.UTF8.GetBytes(sql + "\0"), out sqlite3_stmt statement, out ReadOnlySpan<byte> tail);
        if (code != raw.SQLITE_OK)
        {
            throw Error(code);
        }

        rest = tail.IsEmpty ? "" : Encoding.UTF8.GetString(tail[..^1]);
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
    internal void LimitValues(int bytes)
    {
        _ = raw.sqlite3_limit(Handle, raw.SQLITE_LIMIT_LENGTH, bytes);
        MostBytes = raw.sqlite3_limit(Handle, raw.SQLITE_LIMIT_LENGTH, -1);
    }

    /// <summary>Ends whatever statement is running, from any thread.</summary>
    internal void Interrupt()
    {
        try
        {
            raw.sqlite3_interrupt(Handle);
        }
        catch (ObjectDisposedException)
        {
            // Nothing runs any more.
        }
    }

    internal DatabaseException Error(int code)
    {
        string message = raw.sqlite3_errmsg(Handle).utf8_to_string();
        int offset = SqliteLibrary.ErrorOffset(Handle);
        message = (code & 0xFF) switch
        {
            raw.SQLITE_NOTADB => $"{Path}: not a SQLite database",
            raw.SQLITE_CORRUPT => $"{Path}: the database is damaged ({message}); delete it to import the trace again",
            raw.SQLITE_FULL when !_writes => "the disk is full that temporary files lie on; set TMPDIR to another folder, or choose less at once",
            raw.SQLITE_FULL => $"{Path}: the disk is full",
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => $"{Path}: another program has locked it; try again when that has finished",
            raw.SQLITE_CANTOPEN => $"{Path}: cannot be opened: it, its folder or a file beside it may not be read or written",
            raw.SQLITE_READONLY or raw.SQLITE_PERM => $"{Path}: may not be written",
            raw.SQLITE_IOERR => $"{Path}: cannot be read or written ({message})",
            raw.SQLITE_AUTH => $"{message}: queries may only read this database",
            raw.SQLITE_INTERRUPT => "interrupted",
            raw.SQLITE_NOMEM => OutOfMemory(),
            raw.SQLITE_TOOBIG => string.Create(
                CultureInfo.InvariantCulture,
                $"a value of more than {MostBytes:N0} bytes; ask for less at once, or give the query more with --memory"),
            _ => message,
        };
        return new DatabaseException(message, code, offset);
    }

    private static string OutOfMemory()
    {
        long limit = raw.sqlite3_hard_heap_limit64(-1);
        return limit > 0
            ? string.Create(
                CultureInfo.InvariantCulture, $"it needs more than {limit >> 20:N0} MiB of memory; ask for less at once, or give it more with --memory")
            : "out of memory";
    }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();
}
