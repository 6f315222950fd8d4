using System.Security.Cryptography;
using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using Xunit;

namespace KprobeTrace.Tests.Store;

public sealed class SourceFileTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), "source-" + Guid.NewGuid().ToString("N"));

    public void Dispose() => File.Delete(_path);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData((1 << 18) - 1)]
    [InlineData(1 << 18)]
    [InlineData((1 << 18) + 1)]
    [InlineData(700_000)]
    public void A_file_is_known_by_length_time_and_checksum(int length)
    {
        byte[] bytes = Random(length);
        File.WriteAllBytes(_path, bytes);
        File.SetLastWriteTimeUtc(_path, new DateTime(2020, 1, 2, 3, 4, 5, DateTimeKind.Utc));
        using FileStream file = SourceFile.OpenRead(_path);
        foreach (SourceFile source in (SourceFile[])[SourceFile.Of(_path), SourceFile.Of(_path, file)])
        {
            Assert.Equal((_path, length, new DateTime(2020, 1, 2, 3, 4, 5).Ticks), (source.Path, source.Bytes, source.Time));
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), source.Sha256);
        }
    }

    [Fact]
    public void An_open_file_is_hashed_whatever_becomes_of_its_name()
    {
        File.WriteAllBytes(_path, [1, 2, 3]);
        using FileStream file = SourceFile.OpenRead(_path);
        SourceFile opened = SourceFile.Of(_path, file);
        SourceFile named = SourceFile.Of(_path);
        File.Delete(_path);
        File.WriteAllBytes(_path, [4, 5, 6]);

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData([1, 2, 3])), opened.Sha256);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData([4, 5, 6])), named.Sha256);
    }

    [Fact]
    public void Of_a_file_that_grew_what_was_there_is_hashed_and_of_one_that_shrank_what_is_left()
    {
        byte[] bytes = Random(300_000);
        File.WriteAllBytes(_path, bytes[..200_000]);
        SourceFile grew = SourceFile.Of(_path);
        File.WriteAllBytes(_path, bytes);
        SourceFile shrank = SourceFile.Of(_path);

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes.AsSpan(0, 200_000))), grew.Sha256);
        File.WriteAllBytes(_path, bytes[..270_000]);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes.AsSpan(0, 270_000))), shrank.Sha256);
    }

    [Fact]
    public void A_file_changes_with_its_length_and_with_its_time()
    {
        File.WriteAllBytes(_path, new byte[10]);
        DateTime time = new(2021, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(_path, time);
        using FileStream file = SourceFile.OpenRead(_path);
        SourceFile source = SourceFile.Of(_path, file);

        Assert.False(source.IsChanging(file));
        File.SetLastWriteTimeUtc(_path, time.AddTicks(10));
        Assert.True(source.IsChanging(file));
        File.WriteAllBytes(_path, new byte[11]);
        File.SetLastWriteTimeUtc(_path, time);
        Assert.True(source.IsChanging(file));
        File.WriteAllBytes(_path, new byte[10]);
        File.SetLastWriteTimeUtc(_path, time);
        Assert.False(source.IsChanging(file));
    }

    [Theory]
    [InlineData("SQLite format 3\0", true)]
    [InlineData("SQLite format 3\0 and more", true)]
    [InlineData("SQLite format 3", false)]
    [InlineData("SQLite format 4\0", false)]
    [InlineData("sQLite format 3\0", false)]
    [InlineData("", false)]
    public void A_database_begins_as_SQLite_says(string start, bool isDatabase)
    {
        File.WriteAllText(_path, start);

        Assert.Equal(isDatabase, SourceFile.IsDatabase(_path));
    }

    [Theory]
    [InlineData("(7, 3, 0, 'SUM')", true, 7)] // by its checksum
    [InlineData("(7, 3, 0, 'SUM')", false, 7)]
    [InlineData("(7, 3, TIME, '')", true, 7)] // by its time, where that is trusted
    [InlineData("(7, 3, TIME, '')", false, 0)]
    [InlineData("(7, 4, TIME, 'SUM')", true, 0)] // never where the length is another
    [InlineData("(7, 3, 0, '')", true, 0)]
    [InlineData("(5, 3, 0, ''), (6, 3, 0, 'SUM'), (7, 3, TIME, '')", true, 6)]
    [InlineData("(5, 3, 0, ''), (6, 2, 0, 'SUM'), (7, 3, TIME, '')", true, 7)]
    public void A_file_is_the_run_that_has_its_length_and_its_checksum_or_its_time(string rows, bool trustTime, long run)
    {
        File.WriteAllBytes(_path, [1, 2, 3]);
        SourceFile source = SourceFile.Of(_path);
        using SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        string values = rows.Replace("SUM", source.Sha256, StringComparison.Ordinal).Replace("TIME", $"{source.Time}", StringComparison.Ordinal);
        database.Execute($"CREATE TABLE kt_run(run, source_bytes, source_time, source_sha256); INSERT INTO kt_run VALUES {values}");

        Assert.Equal(run, source.RunIn(database, trustTime));
    }

    private static byte[] Random(int length)
    {
        byte[] bytes = new byte[length];
        new Random(1).NextBytes(bytes);
        return bytes;
    }
}
