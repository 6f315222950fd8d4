using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace KprobeTrace.Files;

/// <summary>Names for what is written beside a file or folder and takes its name when it is whole.</summary>
/// <remarks>The process is part of the name, so that two of them do not write one file, and one that was killed is known.</remarks>
internal static class TemporaryNeighbour
{
    private const int MaxNameBytes = 255;
    private const int RoomBesideName = 50;

    private static int _count;

    /// <summary>True where a name is longer than a file's name may be.</summary>
    internal static bool IsNameTooLong(string target) => Encoding.UTF8.GetByteCount(Path.GetFileName(target)) > MaxNameBytes;

    /// <summary>A path in the target's folder that nobody else writes.</summary>
    internal static string Name(string target, string suffix) => Path.Combine(
        Path.GetDirectoryName(Path.GetFullPath(target))!,
        string.Create(CultureInfo.InvariantCulture, $"{Stem(target)}.{Environment.ProcessId}.{Interlocked.Increment(ref _count)}{suffix}"));

    /// <summary>Deletes what processes left behind that were killed.</summary>
    internal static void RemoveLeftovers(string target, string suffix)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(target))!;
        string prefix = Stem(target) + ".";
        try
        {
            foreach (string path in Directory.EnumerateFileSystemEntries(folder, "*" + suffix + "*"))
            {
                string name = Path.GetFileName(path);
                if (name.StartsWith(prefix, StringComparison.Ordinal)
                    && int.TryParse(name[prefix.Length..].Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int process)
                    && !IsAlive(process))
                {
                    Remove(path);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Leftovers are an inconvenience; who writes next will say what is wrong with the folder.
        }
    }

    /// <summary>Deletes a file or folder, or leaves it where that fails: the error that led here is the one to report.</summary>
    internal static void Remove(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
            else
            {
                File.Delete(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    /// <summary>The target's name, cut so that a longer one beside it is no longer than a file's name may be.</summary>
    private static string Stem(string target)
    {
        string name = Path.GetFileName(target.TrimEnd(Path.DirectorySeparatorChar));
        while (Encoding.UTF8.GetByteCount(name) > MaxNameBytes - RoomBesideName)
        {
            name = name[..^1];
        }

        return name;
    }

    private static bool IsAlive(int process)
    {
        try
        {
            using Process found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
