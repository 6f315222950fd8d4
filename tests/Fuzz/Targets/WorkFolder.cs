namespace KprobeTrace.Fuzz.Targets;

/// <summary>A folder of a process's own, in memory where the host has such a place; a later process clears those of dead ones.</summary>
internal static class WorkFolder
{
    private const string Prefix = "kprobetrace-fuzz-";

    public static string Create()
    {
        string parent = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        foreach (string old in Directory.EnumerateDirectories(parent, Prefix + "*"))
        {
            string number = Path.GetFileName(old)[Prefix.Length..];
            if (!Directory.Exists("/proc/" + number))
            {
                Try(() => Directory.Delete(old, recursive: true));
            }
        }

        string folder = Path.Combine(parent, Prefix + Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture));
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Try(() => Directory.Delete(folder, recursive: true));
        return Directory.CreateDirectory(folder).FullName;
    }

    /// <summary>Removes a file or folder if it is there.</summary>
    public static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }

        File.Delete(path);
    }

    private static void Try(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another process was faster.
        }
    }
}
