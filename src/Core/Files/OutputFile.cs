namespace KprobeTrace.Files;

/// <summary>Checks the places that a user names for results, before anything is written to them.</summary>
internal static class OutputFile
{
    /// <summary>How standard output is named where it can be written to.</summary>
    public const string StandardOutput = "-";

    // The last byte a lock can stand on: no file has it.
    private const long LockByte = long.MaxValue - 1;

    private const int TryAgain = 11;
    private const int AccessDenied = 13;

    /// <summary>The file that is written where a path is a symbolic link: the one at the link's end, though it need not exist.</summary>
    /// <remarks>A pipe or device is reached by its link only: that of <c>/dev/stdout</c> names no file.</remarks>
    /// <exception cref="KprobeTraceException">The link leads nowhere.</exception>
    public static string Follow(string path)
    {
        if (FileStatus.TryRead(path, out FileStatus status) && status.Type is FileStatus.Fifo or FileStatus.CharacterDevice or FileStatus.Socket)
        {
            return path;
        }

        try
        {
            return new FileInfo(path) is { LinkTarget: not null } link ? link.ResolveLinkTarget(returnFinalTarget: true)!.FullName : path;
        }
        catch (IOException e)
        {
            throw new KprobeTraceException($"{path}: is a symbolic link that leads nowhere or in a circle; name another file", e);
        }
    }

    /// <summary>Refuses <c>-</c> where results cannot go to standard output, rather than write a file of that name.</summary>
    /// <param name="path">Where results go.</param>
    /// <param name="option">The option that says so, for the message.</param>
    /// <param name="remedy">Why not, and what to do.</param>
    /// <exception cref="KprobeTraceException">It is <c>-</c>.</exception>
    public static void RefuseStandardOutput(string? path, string option, string remedy)
    {
        if (path == StandardOutput)
        {
            throw new KprobeTraceException($"{option} -: {remedy} (a file of that name is written ./-)");
        }
    }

    /// <summary>Refuses to write over a file that is read in the same call; standard output is none.</summary>
    /// <param name="path">Where results go.</param>
    /// <param name="option">The option that says so, for the message.</param>
    /// <param name="others">Files that are read or written otherwise, and what they are; paths may be null.</param>
    /// <exception cref="KprobeTraceException">It is one of them, under whatever name.</exception>
    public static void Distinct(string path, string option, params IEnumerable<(string? Path, string What)> others)
    {
        ArgumentNullException.ThrowIfNull(others);
        FileName.Require(path, "file of " + option);
        if (path == StandardOutput)
        {
            return;
        }

        foreach ((string? other, string what) in others)
        {
            if (!string.IsNullOrEmpty(other) && AreSame(path, other))
            {
                throw new KprobeTraceException($"{path}: is the {what}; name another file with {option}");
            }
        }
    }

    /// <summary>True where an ordinary file, or none, stands at a path: devices and pipes are written to as they are.</summary>
    public static bool IsOrdinary(string path) =>
        !path.StartsWith("/dev/", StringComparison.Ordinal) && (!FileStatus.TryRead(path, out FileStatus status) || status.Type == FileStatus.Ordinary);

    /// <summary>Marks a file as being written, until it is closed; false where another process has marked it.</summary>
    public static bool TryMark(FileStream file) => TryLock(file);

    /// <summary>True where another process writes a file that it marked.</summary>
    internal static bool IsBeingWritten(FileStream file)
    {
        if (!TryLock(file))
        {
            return true;
        }

        if (!OperatingSystem.IsMacOS())
        {
            file.Unlock(LockByte, 1);
        }

        return false;
    }

    private static bool TryLock(FileStream file)
    {
        if (OperatingSystem.IsMacOS())
        {
            return true;
        }

        try
        {
            file.Lock(LockByte, 1);
            return true;
        }
        catch (IOException e) when ((e.HResult & 0xFFFF) is TryAgain or AccessDenied or 33)
        {
            return false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            // A file system without locks.
            return true;
        }
    }

    private static bool AreSame(string a, string b)
    {
        if (FileStatus.TryRead(a, out FileStatus first) && FileStatus.TryRead(b, out FileStatus second))
        {
            return first.Type == FileStatus.Ordinary && first == second;
        }

        return Path.GetFullPath(a) == Path.GetFullPath(b) && !a.StartsWith("/dev/", StringComparison.Ordinal);
    }
}
