using KprobeTrace.Bench;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using Xunit;

namespace KprobeTrace.Tests.Store;

/// <summary>How a database takes its place, and what is said where it cannot.</summary>
public sealed class HistoryWriterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("history-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Failures by errno(3) or by SQLite's result codes, and whether the disk or the place is to blame, or nothing is explained.</summary>
    public static TheoryData<Exception, string?> Failures => new()
    {
        { new IOException("x", 28), "full" },
        { new IOException("x", 112), "full" },
        { new DatabaseException("x", 13, -1), "full" },
        { new DatabaseException("x", 14, -1), "place" },
        { new DatabaseException("x", 14 | (2 << 8), -1), "place" },
        { new DatabaseException("x", 8, -1), "place" },
        { new DatabaseException("x", 8 | (6 << 8), -1), "place" },
        { new DatabaseException("x", 3, -1), "place" },
        { new DatabaseException("x", 1, -1), null },
        { new DatabaseException("x", 11, -1), null },
        { new IOException("x", 13), "place" },
        { new IOException("x", 27), "place" },
        { new DirectoryNotFoundException("x"), "place" },
        { new UnauthorizedAccessException("x"), "place" },
        { new KprobeTraceException("x"), null },
        { new OperationCanceledException("x"), null },
        { new InvalidOperationException("x"), null },
    };

    [Theory]
    [MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public void A_failure_is_explained_by_the_disk_by_the_place_or_not_at_all(Exception failure, string? blamed)
    {
        string target = Path.Combine(_folder, "h.db");

        Exception told = HistoryWriter.Explain(failure, target, "do that");

        if (blamed is null)
        {
            Assert.Same(failure, told);
            return;
        }

        Assert.IsType<KprobeTraceException>(told);
        Assert.Same(failure, told.InnerException);
        Assert.Equal(
            blamed == "full"
                ? target + ": the disk is full; nothing was changed. Free some space, or do that"
                : target + ": cannot be written: it or its folder may not be written; do that",
            told.Message);
    }

    [Fact]
    public void A_place_that_cannot_be_written_is_said_to_be_what_it_is()
    {
        string longest = Path.Combine(_folder, new string('n', 255));
        string missing = Path.Combine(_folder, "none", "h.db");

        Assert.Contains(": it or its folder may not be written;", Told(longest), StringComparison.Ordinal);
        Assert.Contains(": its name is longer than the 255 bytes", Told(longest + "n"), StringComparison.Ordinal);
        Assert.Contains($": there is no folder {Path.Combine(_folder, "none")};", Told(missing), StringComparison.Ordinal);
        Assert.Contains(": it is a directory;", Told(_folder), StringComparison.Ordinal);

        static string Told(string target) => HistoryWriter.Explain(new UnauthorizedAccessException(), target, "do that").Message;
    }

    [Fact]
    public void A_database_that_another_tool_made_meanwhile_stays_and_is_told_of()
    {
        string target = Path.Combine(_folder, "h.db");

        bool created = HistoryWriter.TryCreateNew(Trace(), target, new ImportOptions { Progress = _ => File.WriteAllText(target, "another's") });

        Assert.False(created);
        Assert.Equal("another's", File.ReadAllText(target));
        Assert.Equal(["h.db", "t.kpt"], Names());
    }

    [Fact]
    public void A_new_database_takes_its_place_whole_and_leaves_nothing_beside_it()
    {
        string target = Path.Combine(_folder, "h.db");
        File.WriteAllText(target + ".2147483646.1.importing", "of a process that was killed");

        Assert.True(HistoryWriter.TryCreateNew(Trace(), target, new ImportOptions()));

        Assert.Equal(["h.db", "t.kpt"], Names());
        using SqliteDatabase database = SqliteDatabase.Open(target);
        Assert.Equal(50, database.ScalarInt64("SELECT events FROM kt_run WHERE run = 1 AND complete = 1"));
    }

    [Fact]
    public void A_place_in_no_folder_fails_and_leaves_nothing()
    {
        SourceFile trace = Trace();
        string target = Path.Combine(_folder, "none", "h.db");

        foreach (Action create in (Action[])[() => HistoryWriter.TryCreateNew(trace, target, new ImportOptions()), () => HistoryWriter.Create(trace, target, new ImportOptions())])
        {
            KprobeTraceException error = Assert.Throws<KprobeTraceException>(create);
            Assert.StartsWith($"{target}: cannot be written: there is no folder ", error.Message, StringComparison.Ordinal);
        }

        Assert.Equal(["t.kpt"], Names());
    }

    private SourceFile Trace()
    {
        string path = Path.Combine(_folder, "t.kpt");
        SyntheticTrace.Write(path, 50);
        return SourceFile.Of(path);
    }

    private IEnumerable<string?> Names() => Directory.EnumerateFileSystemEntries(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal);
}
