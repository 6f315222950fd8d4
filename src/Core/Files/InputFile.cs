namespace KprobeTrace.Files;

/// <summary>Opens and reads the files that a user names, and says what they are where they are not what was wanted.</summary>
internal static class InputFile
{
    private const long MaxSize = 1L << 30;

    /// <summary>Opens a file for reading.</summary>
    /// <param name="path">The file.</param>
    /// <param name="what">What it should be, for messages: <c>image</c>.</param>
    /// <exception cref="KprobeTraceException">It is not there, no file, or may not be read.</exception>
    public static FileStream Open(string path, string what)
    {
        if (Refusal(path, what) is KprobeTraceException refusal)
        {
            throw refusal;
        }

        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (IsOrdinary(e))
        {
            throw Unreadable(path, what, e);
        }
    }

    /// <summary>Reads a whole file, which may be a pipe of the shell.</summary>
    /// <param name="path">The file.</param>
    /// <param name="what">What it should be, for messages: <c>image</c>.</param>
    /// <param name="mayBeEmpty">An empty file is one like others.</param>
    /// <param name="most">Bytes it may have.</param>
    /// <exception cref="KprobeTraceException">It is not there, no file, empty, too large, or may not be read.</exception>
    public static byte[] ReadAll(string path, string what, bool mayBeEmpty = false, long most = MaxSize)
    {
        using FileStream file = Open(path, what);
        try
        {
            long expected = file.CanSeek ? file.Length : 0;
            if (expected > most)
            {
                throw TooLarge(path, what, most);
            }

            using MemoryStream bytes = new((int)expected);
            byte[] buffer = new byte[1 << 20];
            int got;
            while ((got = file.Read(buffer)) > 0)
            {
                bytes.Write(buffer, 0, got);
                if (bytes.Length > most)
                {
                    throw TooLarge(path, what, most);
                }
            }

            if (bytes.Length == 0 && !mayBeEmpty)
            {
                throw new KprobeTraceException($"{path}: the {what} is empty; get the file again");
            }

            return bytes.Length == bytes.Capacity ? bytes.GetBuffer() : bytes.ToArray();
        }
        catch (Exception e) when (IsOrdinary(e))
        {
            throw Unreadable(path, what, e);
        }
    }

    /// <summary>Why a path names nothing that can be read as a file; null where it does.</summary>
    private static KprobeTraceException? Refusal(string path, string what)
    {
        FileName.Require(path, what);
        if (Directory.Exists(path))
        {
            return new($"{path}: is a directory; give the {what} itself");
        }

        return (FileStatus.TryRead(path, out FileStatus status) ? status.Type : 0) switch
        {
            // A pipe that the shell made and that has a writer; opening another one may wait for ever.
            FileStatus.Fifo when path.StartsWith("/dev/fd/", StringComparison.Ordinal)
                || path.StartsWith("/proc/", StringComparison.Ordinal) || path == "/dev/stdin" => null,
            FileStatus.Fifo => new($"{path}: is a named pipe (FIFO); give the {what} as a file"),
            FileStatus.CharacterDevice => new($"{path}: is a device; give the {what} as a file"),
            FileStatus.BlockDevice => new($"{path}: is a disk; give the {what} as a file"),
            FileStatus.Socket => new($"{path}: is a socket; give the {what} as a file"),
            _ => null,
        };
    }

    private static bool IsOrdinary(Exception e) =>
        e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException;

    private static KprobeTraceException TooLarge(string path, string what, long most) =>
        new($"{path}: the {what} has more than the {most} bytes that are accepted");

    private static KprobeTraceException Unreadable(string path, string what, Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => NoSuchFile(path, what, e),
        UnauthorizedAccessException => new($"{path}: you may not read the {what}; its permissions forbid it", e),
        _ => new($"{path}: cannot read the {what}: {FileErrors.Reason(e)}", e),
    };

    private static KprobeTraceException NoSuchFile(string path, string what, Exception e) => new(
        IsBrokenLink(path)
            ? $"{path}: is a symbolic link to a file that is not there; give the {what} itself"
            : $"{path}: no such file; give the path of the {what}",
        e);

    private static bool IsBrokenLink(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget is not null;
        }
        catch (Exception e) when (IsOrdinary(e))
        {
            return false;
        }
    }
}
