using KprobeTrace.Files;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;
using SQLitePCL;

namespace KprobeTrace.Store;

/// <summary>A history database, open for questions and nothing else.</summary>
/// <remarks>docs/schema.md describes its views.</remarks>
public sealed class TraceHistory : IDisposable
{
    private TraceHistory(SqliteDatabase database) => Database = database;

    /// <summary>Path of the database file.</summary>
    public string Path => Database.Path;

    internal SqliteDatabase Database { get; }

    /// <summary>The database that a trace is imported into unless another is named: <c>TRACE.db</c>.</summary>
    public static string DefaultDatabase(string trace) => trace + ".db";

    /// <summary>
    /// Opens a trace or a database. A trace is imported first, into <paramref name="database"/> or
    /// <see cref="DefaultDatabase"/>, unless that already holds it as it is now.
    /// </summary>
    /// <param name="source">A trace file or a history database.</param>
    /// <param name="database">Where to import a trace; null for the default.</param>
    /// <param name="options">Progress and cancellation of an import.</param>
    /// <param name="remark">Told in one line what a user may want to know, such as why an import was needed.</param>
    /// <exception cref="KprobeTraceException">The file is missing, damaged or of another kind.</exception>
    public static TraceHistory Open(
        string source, string? database = null, ImportOptions? options = null, Action<string>? remark = null)
    {
        SourceFile file = SourceFile.Of(source);
        if (SourceFile.IsDatabase(source))
        {
            return database is null
                ? OpenDatabase(source)
                : throw new KprobeTraceException($"{source}: is a database already; --db goes with a trace");
        }

        string named = database ?? DefaultDatabase(source);
        FileName.Require(named, "database");
        OutputFile.RefuseStandardOutput(database, "--db", "a database is no stream; name a file");
        string target = OutputFile.Follow(named);
        if (!IsUpToDate(file, target, remark) && !HistoryWriter.Create(file, target, options ?? new ImportOptions()))
        {
            remark?.Invoke($"{source}: is still being written; this is what was there");
        }

        TraceHistory history = OpenDatabase(target);
        history.TellOfSecondTrace(source, 0, remark);
        return history;
    }

    /// <summary>Opens an existing database.</summary>
    /// <exception cref="KprobeTraceException">It is none of ours, or of another version of the tool.</exception>
    public static TraceHistory OpenDatabase(string path)
    {
        SqliteDatabase database = SqliteDatabase.OpenToRead(path);
        try
        {
            long version = VersionOf(database);
            if (version == 0)
            {
                throw new KprobeTraceException($"{path}: a SQLite database, but no history of kprobe-report");
            }

            if (version != Schema.Version)
            {
                throw new KprobeTraceException(version < Schema.Version
                    ? $"{path}: written by an older kprobe-report (schema {version}, now {Schema.Version}); " +
                      "import its traces again"
                    : $"{path}: written by a newer kprobe-report (schema {version}); this one knows up to {Schema.Version}");
            }

            if (database.ScalarText("PRAGMA encoding") != "UTF-8")
            {
                throw new KprobeTraceException($"{path}: its texts are not UTF-8, and kprobe-report writes no others; import its traces again");
            }

            database.Execute("PRAGMA cache_size = -65536; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF");
            return new TraceHistory(database);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Imports a trace as a further run of a database, which is created where it does not exist.</summary>
    /// <param name="database">The database.</param>
    /// <param name="trace">The trace.</param>
    /// <param name="options">Progress and cancellation of the import.</param>
    /// <param name="remark">Told in one line that the file goes on with another trace.</param>
    /// <returns>The number of the run, and whether it was there already.</returns>
    /// <exception cref="KprobeTraceException">A file is missing, damaged or of another kind.</exception>
    public static (long Run, bool AlreadyThere) Add(
        string database, string trace, ImportOptions? options = null, Action<string>? remark = null)
    {
        (long Run, bool AlreadyThere) added = AddRun(database, trace, options ?? new ImportOptions());
        using TraceHistory history = OpenDatabase(OutputFile.Follow(database));
        history.TellOfSecondTrace(trace, added.Run, remark);
        return added;
    }

    private static (long Run, bool AlreadyThere) AddRun(string database, string trace, ImportOptions options)
    {
        FileName.Require(database, "database");
        OutputFile.RefuseStandardOutput(database, "add", "a database is no stream; name a file");
        SourceFile file = SourceFile.Of(trace);
        if (SourceFile.IsDatabase(trace))
        {
            throw new KprobeTraceException($"{trace}: is a database; add takes traces");
        }

        database = OutputFile.Follow(database);
        if (!File.Exists(database) && HistoryWriter.TryCreateNew(file, database, options))
        {
            return (1, false);
        }

        if (!SourceFile.IsDatabase(database))
        {
            throw new KprobeTraceException($"{database}: exists and is no SQLite database; name the database first");
        }

        while (true)
        {
            using (TraceHistory history = OpenDatabase(database))
            {
                long run = file.RunIn(history.Database, trustTime: false);
                if (run != 0)
                {
                    return (run, true);
                }
            }

            // Another tool may add a run meanwhile; then this one is imported again behind it.
            if (HistoryWriter.TryAppend(file, database, options, out long added))
            {
                return (added, false);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Database.Dispose();

    /// <summary>Says that a run, or any for 0, was imported from a file that goes on with another trace.</summary>
    private void TellOfSecondTrace(string source, long run, Action<string>? remark)
    {
        using SqliteStatement statement = Database.Prepare(
            "SELECT reason FROM kt_damage WHERE (?1 = 0 OR run = ?1) AND substr(reason, 1, length(?2)) = ?2 LIMIT 1");
        if (statement.Bind(1, run).Bind(2, TraceDamage.SecondTrace).Step())
        {
            remark?.Invoke($"{source}: {statement.Text(0)}");
        }
    }

    private static bool IsUpToDate(SourceFile source, string target, Action<string>? remark)
    {
        if (!File.Exists(target) || new FileInfo(target).Length == 0)
        {
            return false;
        }

        if (!SourceFile.IsDatabase(target))
        {
            throw new KprobeTraceException(
                $"{target}: exists and is no SQLite database; move it away or choose another place with --db");
        }

        try
        {
            using SqliteDatabase database = SqliteDatabase.OpenToRead(target);
            long version = VersionOf(database);
            if (version == 0)
            {
                throw new KprobeTraceException(
                    $"{target}: exists and is another tool's database; move it away or choose another place with --db");
            }

            if (version != Schema.Version)
            {
                remark?.Invoke(
                    $"{target}: has schema {version}, this kprobe-report writes {Schema.Version}; importing again");
                return false;
            }

            if (source.RunIn(database, trustTime: true) != 0)
            {
                return true;
            }

            if (database.ScalarInt64("SELECT count(*) FROM kt_run") > 1)
            {
                throw new KprobeTraceException(
                    $"{target}: holds several runs but not this trace as it is now; choose another place with --db, " +
                    $"or add it: kprobe-report add {target} {source.Path}");
            }
        }
        catch (DatabaseException e) when (e.Code is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB)
        {
            remark?.Invoke($"{target}: is damaged; importing again");
            return false;
        }

        remark?.Invoke($"{source.Path}: has changed since it was imported; importing again");
        return false;
    }

    private static long VersionOf(SqliteDatabase database) =>
        database.ScalarInt64("PRAGMA application_id") == Schema.ApplicationId
            ? Math.Max(1, database.ScalarInt64("PRAGMA user_version"))
            : 0;
}
