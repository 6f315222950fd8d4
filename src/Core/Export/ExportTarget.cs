using System.Text;

namespace KprobeTrace.Export;

/// <summary>Writes to a temporary neighbour and takes the final name only when everything is written.</summary>
internal static class ExportTarget
{
    /// <summary>Writes a file.</summary>
    internal static void File(string path, Action<Stream> write)
    {
        FileName.Require(path, "export");
        if (Directory.Exists(path))
        {
            throw new KprobeTraceException($"{path}: is a directory; name a file with -o");
        }

        string temporary = path + ".partial";
        try
        {
            using (FileStream stream = new(temporary, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
            {
                write(stream);
            }

            System.IO.File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e)
        {
            Remove(() => System.IO.File.Delete(temporary));
            throw Explain(e, path);
        }
    }

    /// <summary>Writes a folder, which must not exist or be empty.</summary>
    internal static void Folder(string path, Action<string> write)
    {
        FileName.Require(path, "export");
        if (System.IO.File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
        {
            throw new KprobeTraceException($"{path}: exists; name a new folder with -o");
        }

        string temporary = path.TrimEnd('/') + ".partial";
        try
        {
            if (Directory.Exists(temporary))
            {
                Directory.Delete(temporary, recursive: true);
            }

            _ = Directory.CreateDirectory(temporary);
            write(temporary);
            if (Directory.Exists(path))
            {
                Directory.Delete(path);
            }

            Directory.Move(temporary, path);
        }
        catch (Exception e)
        {
            Remove(() => Directory.Delete(temporary, recursive: true));
            throw Explain(e, path);
        }
    }

    /// <summary>Writes a text into a file of a folder that is being written.</summary>
    /// <remarks>The runtime's own way asks for the space first and has words of its own for a full disk.</remarks>
    internal static void Text(string path, string text)
    {
        using FileStream stream = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        stream.Write(Encoding.UTF8.GetBytes(text));
    }

    private static void Remove(Action delete)
    {
        try
        {
            delete();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The error that led here is the one to report.
        }
    }

    private static Exception Explain(Exception e, string path) => e switch
    {
        KprobeTraceException or OperationCanceledException => e,
        IOException when FileErrors.IsDiskFull(e) => new KprobeTraceException(
            $"{path}: the disk is full; nothing was written", e),
        IOException or UnauthorizedAccessException => new KprobeTraceException(
            $"{path}: cannot be written: {e.Message}", e),
        _ => e,
    };
}
