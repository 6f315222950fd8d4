using System.Security.Cryptography;
using KprobeTrace.Files;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Store;

/// <summary>What identifies a trace file: its length, its time of change and its SHA-256.</summary>
internal sealed class SourceFile
{
    private string? _sha256;

    private SourceFile(string path, FileInfo file)
    {
        Path = path;
        Bytes = file.Length;
        Time = file.LastWriteTimeUtc.Ticks;
    }

    internal string Path { get; }

    internal long Bytes { get; }

    /// <summary>Time of the last change, in ticks of 100 ns.</summary>
    internal long Time { get; }

    /// <summary>SHA-256 of the file, read when first asked for.</summary>
    internal string Sha256
    {
        get
        {
            if (_sha256 is null)
            {
                using FileStream stream = OpenRead(Path);
                _sha256 = Convert.ToHexStringLower(SHA256.HashData(stream));
            }

            return _sha256;
        }
    }

    /// <exception cref="KprobeTraceException">There is no such file.</exception>
    internal static SourceFile Of(string path)
    {
        InputFile.Require(path, "trace or database");
        FileInfo file = new(path);
        return new SourceFile(path, file);
    }

    /// <summary>True where the file begins as a SQLite database does.</summary>
    internal static bool IsDatabase(string path)
    {
        Span<byte> magic = stackalloc byte[16];
        using FileStream stream = OpenRead(path);
        return stream.ReadAtLeast(magic, 16, throwOnEndOfStream: false) == 16
            && magic.SequenceEqual("SQLite format 3\0"u8);
    }

    /// <summary>The number of the run that was imported from this file as it is now, or 0.</summary>
    /// <param name="database">Where to look.</param>
    /// <param name="trustTime">
    /// Take length and time of change for the same content. Not for files of any name: several may be written within the
    /// grain of a file system's clock.
    /// </param>
    internal long RunIn(SqliteDatabase database, bool trustTime)
    {
        using SqliteStatement statement = database.Prepare(
            "SELECT run, source_time, source_sha256 FROM kt_run WHERE source_bytes = ?1");
        _ = statement.Bind(1, Bytes);
        while (statement.Step())
        {
            if ((trustTime && statement.Int64(1) == Time) || statement.Text(2) == Sha256)
            {
                return statement.Int64(0);
            }
        }

        return 0;
    }

    private static FileStream OpenRead(string path) => InputFile.Open(path, "trace or database");
}
