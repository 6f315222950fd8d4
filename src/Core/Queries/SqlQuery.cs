using System.Text;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Queries;

/// <summary>Runs a user's SQL against a history. It can read and nothing else.</summary>
/// <remarks>
/// The database is open for reading only, and an authoriser refuses every action but reading: no ATTACH, no PRAGMA
/// that changes anything, no extension. docs/schema.md lists the functions added to SQLite's own.
/// </remarks>
public static class SqlQuery
{
    /// <summary>Runs one statement.</summary>
    /// <param name="history">The database.</param>
    /// <param name="sql">One SELECT (or VALUES, WITH, EXPLAIN) statement.</param>
    /// <param name="sink">Takes the rows.</param>
    /// <param name="cancellation">Ends the query.</param>
    /// <exception cref="KprobeTraceException">The SQL is wrong; the message gives line and column.</exception>
    public static void Run(TraceHistory history, string sql, IRowSink sink, CancellationToken cancellation = default)
    {
        SqliteDatabase database = history.Database;
        SqlFunctions.Register(history);
        ReadOnlyAuthorizer.Install(database);
        try
        {
            using CancellationTokenRegistration registration = cancellation.Register(database.Interrupt);
            using SqliteStatement statement = Prepare(database, sql);
            QueryRow row = new(statement);
            sink.Begin(row.Names);
            while (statement.Step())
            {
                sink.Row(row);
            }

            sink.Finish();
        }
        catch (DatabaseException e) when (e.IsInterrupt)
        {
            cancellation.ThrowIfCancellationRequested();
            throw;
        }
        catch (DatabaseException e)
        {
            throw Locate(database, e, sql);
        }
        finally
        {
            ReadOnlyAuthorizer.Remove(database);
        }
    }

    /// <summary>Adds line and column to an error that points into <paramref name="sql"/>.</summary>
    private static KprobeTraceException Locate(SqliteDatabase database, DatabaseException e, string sql)
    {
        string message = SqlErrors.Explain(database, e, sql);
        if (e.Offset < 0)
        {
            return new KprobeTraceException("SQL: " + message, e);
        }

        byte[] bytes = Encoding.UTF8.GetBytes(sql);
        string before = Encoding.UTF8.GetString(bytes, 0, Math.Min(e.Offset, bytes.Length));
        int line = before.Count(static c => c == '\n') + 1;
        int column = before.Length - before.LastIndexOf('\n');
        return new KprobeTraceException($"SQL, line {line}, column {column}: {message}", e);
    }

    private static SqliteStatement Prepare(SqliteDatabase database, string sql)
    {
        SqliteStatement statement = database.Prepare(sql, out string rest);
        try
        {
            if (statement.IsEmpty)
            {
                throw new KprobeTraceException("SQL: there is no statement in it");
            }

            if (statement.ParameterCount > 0)
            {
                throw new KprobeTraceException("SQL: parameters (?) have no value here; write the value itself");
            }

            using SqliteStatement next = database.Prepare(rest, out _);
            if (!next.IsEmpty)
            {
                throw new KprobeTraceException("SQL: one statement at a time");
            }

            return statement;
        }
        catch
        {
            statement.Dispose();
            throw;
        }
    }
}
