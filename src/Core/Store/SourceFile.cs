using System.Security.Cryptography;
using KprobeTrace.Files;
using KprobeTrace.Store.Sqlite;

namespace KprobeTrace.Store;

/// <summary>What identifies a trace file: its length, its time of change and its SHA-256.</summary>
/// <remarks>They are those of the file that was opened, links followed, whatever becomes of its name meanwhile.</remarks>
internal sealed class SourceFile
{
    private readonly FileStream? _file;
    private string? _sha256;

    private SourceFile(string path, FileStream file, bool keep)
    {
        if (!file.CanSeek)
        {
            throw new KprobeTraceException($"{path}: a trace is read from a file, not from a pipe or terminal");
        }

        Path = path;
        Bytes = RandomAccess.GetLength(file.SafeFileHandle);
        Time = File.GetLastWriteTimeUtc(file.SafeFileHandle).Ticks;
        _file = keep ? file : null;
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
                using FileStream? opened = _file is null ? OpenRead(Path) : null;
                _sha256 = HashOf((opened ?? _file)!);
            }

            return _sha256;
        }
    }

    /// <exception cref="KprobeTraceException">There is no such file.</exception>
    internal static SourceFile Of(string path)
    {
        using FileStream file = OpenRead(path);
        return new SourceFile(path, file, keep: false);
    }

    /// <summary>What an open file is now; it is hashed through <paramref name="file"/>.</summary>
    internal static SourceFile Of(string path, FileStream file) => new(path, file, keep: true);

    /// <summary>True where an open file is no longer what it was, or goes on being recorded.</summary>
    internal bool IsChanging(FileStream file) =>
        OutputFile.IsBeingWritten(file) || Bytes != RandomAccess.GetLength(file.SafeFileHandle)
        || Time != File.GetLastWriteTimeUtc(file.SafeFileHandle).Ticks;

    /// <summary>Opens a file that may be written and replaced meanwhile.</summary>
    internal static FileStream OpenRead(string path) => InputFile.Open(path, "trace or database");

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

    private string HashOf(FileStream file)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 18];
        long at = 0;
        while (at < Bytes)
        {
            int got = RandomAccess.Read(file.SafeFileHandle, buffer.AsSpan(0, (int)Math.Min(buffer.Length, Bytes - at)), at);
            if (got == 0)
            {
                break;
            }

            hash.AppendData(buffer, 0, got);
            at += got;
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
