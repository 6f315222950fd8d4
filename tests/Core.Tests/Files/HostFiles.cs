using System.Diagnostics;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Files;

/// <summary>The table host-files.txt, and the files that its commands make.</summary>
internal static class HostFiles
{
    /// <summary>The rows of the table.</summary>
    public static IReadOnlyList<(string[] Tools, string Commands, string Said)> Rows { get; } = [.. Read()];

    public static bool IsInstalled(string tool) =>
        ((string[])[.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'), "/usr/sbin", "/sbin"])
        .Any(folder => File.Exists(Path.Combine(folder, tool)));

    /// <summary>Makes the file of a row.</summary>
    public static byte[] Make(string commands)
    {
        string folder = Directory.CreateTempSubdirectory("host-file-").FullName;
        try
        {
            ProcessStartInfo start = new("/bin/sh") { WorkingDirectory = folder, RedirectStandardError = true, RedirectStandardOutput = true };
            start.ArgumentList.Add("-ec");
            start.ArgumentList.Add("PATH=$PATH:/usr/sbin:/sbin; export LC_ALL=C; " + commands);
            using Process shell = Process.Start(start)!;
            Task<string> said = shell.StandardError.ReadToEndAsync();
            _ = shell.StandardOutput.ReadToEnd();
            shell.WaitForExit();
            Assert.True(shell.ExitCode == 0, $"{commands}: {said.Result}");
            return File.ReadAllBytes(Path.Combine(folder, "file"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static IEnumerable<(string[] Tools, string Commands, string Said)> Read()
    {
        foreach (string line in File.ReadLines(Repository.PathOf("tests/Core.Tests/Files/host-files.txt")))
        {
            if (line.Length > 0 && line[0] != '#')
            {
                // Commands have pipes of their own.
                int first = line.IndexOf(" | ", StringComparison.Ordinal);
                int last = line.LastIndexOf(" | ", StringComparison.Ordinal);
                yield return (line[..first].Split(' ', StringSplitOptions.RemoveEmptyEntries), line[(first + 3)..last].Trim(), line[(last + 3)..].Trim());
            }
        }
    }
}
