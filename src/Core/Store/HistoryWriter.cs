using System.Globalization;
using System.Text.Json;
using KprobeTrace.Files;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;
using SQLitePCL;

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
        HistoryTable table = HistoryTables.Run;
        using SqliteStatement statement = database.Prepare(table.Insert);
        statement.Bind(At("run"), run)
            .Bind(At("image"), header.ImageName)
            .Bind(At("image_sha256"), header.ImageSha256)
            .Bind(At("initrd_sha256"), header.InitrdSha256)
            .Bind(At("kernel"), header.Kernel)
            .Bind(At("command_line"), header.CommandLine)
            .Bind(At("memory"), header.MemoryBytes)
            .Bind(At("cpus"), header.Cpus)
            .Bind(At("producer"), header.Producer)
            .Bind(At("options"), JsonSerializer.Serialize(header.Options))
            .Bind(At("instructions"), footer?.Instructions ?? importer.LastInstructions)
            .Bind(At("time_ns"), footer?.TimeNs ?? importer.LastTimeNs)
            .Bind(At("ended"), footer?.Ended ?? "cut-off")
            .Bind(At("exit_code"), footer?.ExitCode ?? 0)
            .Bind(At("complete"), complete ? 1 : 0)
            .Bind(At("events"), importer.Events)
            .Bind(At("first_seq"), importer.FirstSeq)
            .Bind(At("last_seq"), importer.LastSeq)
            .Bind(At("source"), Path.GetFileName(source.Path))
            .Bind(At("source_bytes"), source.Bytes)
            .Bind(At("source_time"), whole ? source.Time : 0)
            .Bind(At("source_sha256"), whole ? source.Sha256 : "")
            .Bind(At("time_rises"), importer.TimeRises ? 1 : 0)
            .Run();

        int At(string column) => table[column] + 1;
    }

    private static void WriteProbes(SqliteDatabase database, TraceImporter importer, long run)
    {
        HistoryTable table = HistoryTables.Probe;
        using SqliteStatement probe = database.Prepare(table.Insert);
        using SqliteStatement argument = database.Prepare(HistoryTables.Argument.Insert);
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
            probe.Bind(At("run"), run)
                .Bind(At("probe"), id)
                .Bind(At("grp"), definition.Group)
                .Bind(At("name"), definition.Name)
                .Bind(At("type"), definition.Type.ToString())
                .Bind(At("symbol"), definition.Symbol)
                .Bind(At("offset"), definition.Offset)
                .Bind(At("address"), definition.Address != 0 ? definition.Address : imported.EventAddress)
                .Bind(At("module"), definition.Module)
                .Bind(At("definition"), definition.Definition)
                .Bind(At("filter"), definition.Filter)
                .Bind(At("hits"), counted ? imported.HitCount : (ulong)events.GetValueOrDefault(id))
                .Bind(At("nmissed"), imported.Missed)
                .Bind(At("state"), imported.State ?? definition.State)
                .Bind(At("event_address"), imported.EventAddress != 0 ? imported.EventAddress : definition.Address)
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

        int At(string column) => table[column] + 1;
    }

    private static void WriteTallies(SqliteDatabase database, TraceImporter importer, long run)
    {
        using SqliteStatement statement = database.Prepare(HistoryTables.Tally.Insert);
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
        using SqliteStatement statement = database.Prepare(HistoryTables.Damage.Insert);
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
        _ when FileErrors.IsDiskFull(e) || e is DatabaseException { Code: raw.SQLITE_FULL } => new KprobeTraceException(
            $"{target}: the disk is full; nothing was changed. Free some space, or {remedy}", e),
        DatabaseException { Code: int code } when (code & 0xFF) is raw.SQLITE_CANTOPEN or raw.SQLITE_READONLY or raw.SQLITE_PERM =>
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
