using System.Text;
using KprobeTrace.Files;

namespace KprobeTrace.Export;

/// <summary>Writes to a temporary neighbour and takes the final name only when everything is written.</summary>
internal static class ExportTarget
{
    private const string TemporarySuffix = ".partial";

    /// <summary>Writes a file, or into a device or pipe, or for <c>-</c> to standard output.</summary>
    internal static void File(string path, ExportOptions options, Action<Stream> write)
    {
        if (path == OutputFile.StandardOutput && options.StandardOutput is { } output)
        {
            write(output);
            return;
        }

        FileName.Require(path, "export");
        if (Directory.Exists(path))
        {
            throw new KprobeTraceException($"{path}: is a directory; name a file with -o");
        }

        try
        {
            WholeFile.Write(path, TemporarySuffix, write);
        }
        catch (Exception e)
        {
            throw Explain(e, path);
        }
    }

    /// <summary>Writes a folder, which must not exist or be empty.</summary>
    internal static void Folder(string path, Action<string> write)
    {
        FileName.Require(path, "export");
        OutputFile.RefuseStandardOutput(path, "-o", "this format is a folder; name one");
        if (System.IO.File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
        {
            throw new KprobeTraceException($"{path}: exists; name a new folder with -o");
        }

        TemporaryNeighbour.RemoveLeftovers(path, TemporarySuffix);
        string temporary = TemporaryNeighbour.Name(path, TemporarySuffix);
        try
        {
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
            TemporaryNeighbour.Remove(temporary);
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

    private static Exception Explain(Exception e, string path) => e switch
    {
        KprobeTraceException or OperationCanceledException => e,
        IOException when FileErrors.IsDiskFull(e) => new KprobeTraceException(
            $"{path}: the disk is full; nothing was written", e),
        IOException or UnauthorizedAccessException => new KprobeTraceException(
            $"{path}: cannot be written: {(TemporaryNeighbour.IsNameTooLong(path) ? "its name is longer than the 255 bytes that a file's name may have" : FileErrors.Reason(e))}; name another place with -o", e),
        _ => e,
    };
}
