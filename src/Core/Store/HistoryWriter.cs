using System.Globalization;
using System.Text.Json;
using KprobeTrace.Files;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>Writes history databases: a new one from a trace, or another trace into an existing one.</summary>
/// <remarks>
/// A new database is written beside its final place and renamed when it is whole: an import that is interrupted
/// leaves what was there before. A further run is imported the same way and then copied in one transaction.
/// </remarks>
internal static class HistoryWriter
{
    private const string TemporarySuffix = ".importing";

    /// <summary>Imports <paramref name="source"/> into a new database that replaces <paramref name="target"/>.</summary>
    /// <returns>False where the trace is still being written, so that what was imported is not all of it.</returns>
    internal static bool Create(SourceFile source, string target, ImportOptions options)
    {
        TemporaryNeighbour.RemoveLeftovers(target, TemporarySuffix);
        string temporary = TemporaryNeighbour.Name(target, TemporarySuffix);
        try
        {
            bool whole = Write(source, temporary, new ImportNumbers(1), options);
            Sync(temporary);
            File.Move(temporary, target, overwrite: true);
            return whole;
        }
        catch (Exception e)
        {
            TemporaryNeighbour.Remove(temporary);
            throw Explain(e, target, "choose another place with --db");
        }
    }

    /// <summary>Imports <paramref name="source"/> into a new database; false where another tool made one meanwhile.</summary>
    internal static bool TryCreateNew(SourceFile source, string target, ImportOptions options)
    {
        TemporaryNeighbour.RemoveLeftovers(target, TemporarySuffix);
        string temporary = TemporaryNeighbour.Name(target, TemporarySuffix);
        try
        {
            RequireWhole(source, Write(source, temporary, new ImportNumbers(1), options));
            Sync(temporary);
            File.Move(temporary, target, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(target))
        {
            return false;
        }
        catch (Exception e)
        {
            throw Explain(e, target, "choose another place for the database");
        }
        finally
        {
            TemporaryNeighbour.Remove(temporary);
        }
    }

    /// <summary>Imports <paramref name="source"/> as a further run of the database <paramref name="target"/>.</summary>
    /// <returns>False where another tool added a run meanwhile, so that nothing was changed.</returns>
    internal static bool TryAppend(SourceFile source, string target, ImportOptions options, out long run)
    {
        TemporaryNeighbour.RemoveLeftovers(target, TemporarySuffix);
        string temporary = TemporaryNeighbour.Name(target, TemporarySuffix);
        try
        {
            using SqliteDatabase database = SqliteDatabase.Open(target, write: true);
            ImportNumbers numbers = NumbersIn(database);
            RequireWhole(source, Write(source, temporary, numbers, options));
            run = numbers.Run;
            return TryCopy(database, temporary, numbers);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw Explain(e, target, "choose another place for the database");
        }
        finally
        {
            TemporaryNeighbour.Remove(temporary);
        }
    }

    private static ImportNumbers NumbersIn(SqliteDatabase database) => new(
        database.ScalarInt64("SELECT coalesce(max(run), 0) + 1 FROM kt_run"),
        database.ScalarInt64("SELECT coalesce(max(place), 0) FROM kt_place"),
        database.ScalarInt64("SELECT coalesce(max(comm), 0) FROM kt_comm"),
        database.ScalarInt64("SELECT coalesce(max(kept), 0) FROM kt_kept"));

    private static void RequireWhole(SourceFile source, bool whole)
    {
        if (!whole)
        {
            throw new KprobeTraceException($"{source.Path}: is still being written; add it when its recording has ended");
        }
    }

    private static bool TryCopy(SqliteDatabase database, string temporary, ImportNumbers numbers)
    {
        using (SqliteStatement attach = database.Prepare("ATTACH ?1 AS fresh"))
        {
            attach.Bind(1, temporary).Run();
        }

        List<string> tables = [];
        using (SqliteStatement names = database.Prepare(
            "SELECT name FROM fresh.sqlite_schema WHERE type = 'table' AND name LIKE 'kt\\_%' ESCAPE '\\' ORDER BY name"))
        {
            while (names.Step())
            {
                tables.Add(names.Text(0));
            }
        }

        database.Execute("BEGIN IMMEDIATE");
        if (NumbersIn(database) != numbers)
        {
            database.Execute("ROLLBACK; DETACH fresh");
            return false;
        }

        foreach (string table in tables)
        {
            database.Execute($"INSERT INTO main.{table} SELECT * FROM fresh.{table}");
        }

        EventViews.Create(database);
        Statistics.Write(database);
        database.Execute("COMMIT; DETACH fresh");
        return true;
    }

    /// <returns>False where the trace changed while it was read, or goes on being recorded.</returns>
    private static bool Write(SourceFile named, string path, ImportNumbers numbers, ImportOptions options)
    {
        using FileStream file = SourceFile.OpenRead(named.Path);
        SourceFile source = SourceFile.Of(named.Path, file);
        bool whole;
        using TraceReader trace = new(file, named.Path);
        using (SqliteDatabase database = SqliteDatabase.Open(path, create: true))
        {
            database.Execute(string.Create(CultureInfo.InvariantCulture, $"""
                PRAGMA page_size = {Schema.PageSize};
                PRAGMA journal_mode = OFF;
                PRAGMA synchronous = OFF;
                PRAGMA application_id = {Schema.ApplicationId};
                PRAGMA user_version = {Schema.Version};
                BEGIN;
                {Schema.Tables}
                COMMIT;
                """));
        }

        using SequenceSpool spool = new(path + ".spool");
        TraceImporter importer;
        using (Loaders loaders = new(path))
        {
            importer = new TraceImporter(trace, loaders, spool, numbers, options);
            importer.Read();
            loaders.Finish();
        }

        using (SqliteDatabase database = SqliteDatabase.Open(path, write: true))
        {
            database.Execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32000; BEGIN");
            if (!importer.TimeRises)
            {
                database.Execute(
                    "DROP INDEX kt_event_time; CREATE INDEX kt_event_time ON kt_event(run, time_ns, seq, probe)");
            }

            whole = !source.IsChanging(file);
            WriteRun(database, trace, importer, source, numbers.Run, whole);
            WriteProbes(database, importer, numbers.Run);
            WriteTallies(database, importer, numbers.Run);
            WriteDamage(database, trace, numbers.Run);
            database.Execute(Schema.Indexes);
            database.Execute(Schema.Views);
            EventViews.Create(database);
            Statistics.Write(database);
            database.Execute("COMMIT");
        }

        return whole;
    }

    private static void WriteRun(
        SqliteDatabase database, TraceReader trace, TraceImporter importer, SourceFile source, long run, bool whole)
    {
        TraceHeader header = trace.Header;
        TraceFooter? footer = trace.Footer;
        bool lost = footer is not null && footer.Events != (ulong)importer.Events;
        bool complete = footer is not null && trace.Damage.Count == 0 && !lost;
        using SqliteStatement statement = database.Prepare("""
            INSERT INTO kt_run(run, image, image_sha256, initrd_sha256, kernel, command_line, memory, cpus, producer,
              options, instructions, time_ns, ended, exit_code, complete, events, first_seq, last_seq, source,
              source_bytes, source_time, source_sha256, time_rises)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)
            """);
        statement.Bind(1, run)
            .Bind(2, header.ImageName)
            .Bind(3, header.ImageSha256)
            .Bind(4, header.InitrdSha256)
            .Bind(5, header.Kernel)
            .Bind(6, header.CommandLine)
            .Bind(7, header.MemoryBytes)
            .Bind(8, header.Cpus)
            .Bind(9, header.Producer)
            .Bind(10, JsonSerializer.Serialize(header.Options))
            .Bind(11, footer?.Instructions ?? importer.LastInstructions)
            .Bind(12, footer?.TimeNs ?? importer.LastTimeNs)
            .Bind(13, footer?.Ended ?? "cut-off")
            .Bind(14, footer?.ExitCode ?? 0)
            .Bind(15, complete ? 1 : 0)
            .Bind(16, importer.Events)
            .Bind(17, importer.FirstSeq)
            .Bind(18, importer.LastSeq)
            .Bind(19, Path.GetFileName(source.Path))
            .Bind(20, source.Bytes)
            .Bind(21, whole ? source.Time : 0)
            .Bind(22, whole ? source.Sha256 : "")
            .Bind(23, importer.TimeRises ? 1 : 0)
            .Run();
    }

    private static void WriteProbes(SqliteDatabase database, TraceImporter importer, long run)
    {
        using SqliteStatement probe = database.Prepare("""
            INSERT INTO kt_probe(run, probe, grp, name, type, symbol, offset, address, module, definition, filter, hits,
              nmissed, state, event_address)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
            """);
        using SqliteStatement argument = database.Prepare(
            "INSERT INTO kt_argument(run, probe, position, name, type) VALUES(?1, ?2, ?3, ?4, ?5)");
        Dictionary<int, long> events = [];
        foreach ((ulong key, long count) in importer.Tallies)
        {
            if ((TraceEventKind)TraceImporter.TallyKind(key) is TraceEventKind.Pre or TraceEventKind.Return)
            {
                int id = TraceImporter.TallyProbe(key);
                events[id] = events.GetValueOrDefault(id) + count;
            }
        }

        bool counted = importer.HasFooter;
        foreach ((int id, ImportedProbe imported) in importer.Probes)
        {
            TraceProbe definition = imported.Definition;
            probe.Bind(1, run)
                .Bind(2, id)
                .Bind(3, definition.Group)
                .Bind(4, definition.Name)
                .Bind(5, definition.Type.ToString())
                .Bind(6, definition.Symbol)
                .Bind(7, definition.Offset)
                .Bind(8, definition.Address != 0 ? definition.Address : imported.EventAddress)
                .Bind(9, definition.Module)
                .Bind(10, definition.Definition)
                .Bind(11, definition.Filter)
                .Bind(12, counted ? imported.HitCount : (ulong)events.GetValueOrDefault(id))
                .Bind(13, imported.Missed)
                .Bind(14, imported.State ?? definition.State)
                .Bind(15, imported.EventAddress != 0 ? imported.EventAddress : definition.Address)
                .Run();
            for (int i = 0; i < imported.Arguments.Count; i++)
            {
                argument.Bind(1, run)
                    .Bind(2, id)
                    .Bind(3, i)
                    .Bind(4, imported.Arguments[i].Name)
                    .Bind(5, imported.Arguments[i].Type)
                    .Run();
            }
        }
    }

    private static void WriteTallies(SqliteDatabase database, TraceImporter importer, long run)
    {
        using SqliteStatement statement = database.Prepare(
            "INSERT INTO kt_tally(run, probe, kind, comm, events) VALUES(?1, ?2, ?3, ?4, ?5)");
        foreach ((ulong key, long count) in importer.Tallies)
        {
            statement.Bind(1, run).Bind(2, TraceImporter.TallyProbe(key)).Bind(3, TraceImporter.TallyKind(key));
            long comm = TraceImporter.TallyComm(key);
            _ = comm == 0 ? statement.BindNull(4) : statement.Bind(4, comm);
            statement.Bind(5, count).Run();
        }
    }

    private static void WriteDamage(SqliteDatabase database, TraceReader trace, long run)
    {
        using SqliteStatement statement = database.Prepare(
            "INSERT INTO kt_damage(run, offset, length, reason) VALUES(?1, ?2, ?3, ?4)");
        foreach (TraceDamage part in trace.Damage)
        {
            statement.Bind(1, run).Bind(2, part.Offset).Bind(3, part.Length).Bind(4, part.Reason).Run();
        }
    }

    private static void Sync(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.ReadWrite);
        stream.Flush(flushToDisk: true);
    }

    /// <summary>What a user is told of a failure; what is no failure of files or has been told already stays as it is.</summary>
    internal static Exception Explain(Exception e, string target, string remedy) => e switch
    {
        _ when FileErrors.IsDiskFull(e) || e is SqliteException { Code: SqliteLibrary.Full } => new KprobeTraceException(
            $"{target}: the disk is full; nothing was changed. Free some space, or {remedy}", e),
        SqliteException { Code: int code } when (code & 0xFF) is SqliteLibrary.CantOpen or SqliteLibrary.ReadOnly or SqliteLibrary.Permission =>
            new KprobeTraceException($"{target}: cannot be written: {WhyNot(target)}; {remedy}", e),
        KprobeTraceException or OperationCanceledException => e,
        IOException or UnauthorizedAccessException => new KprobeTraceException(
            $"{target}: cannot be written: {WhyNot(target)}; {remedy}", e),
        _ => e,
    };

    private static string WhyNot(string target)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(target))!;
        return TemporaryNeighbour.IsNameTooLong(target) ? "its name is longer than the 255 bytes that a file's name may have"
            : !Directory.Exists(folder) ? $"there is no folder {folder}"
            : Directory.Exists(target) ? "it is a directory"
            : "it or its folder may not be written";
    }
}
