using System.Diagnostics;
using System.Globalization;

namespace KprobeTrace.Bench;

/// <summary>The peers: SQLite's own INSERT through its C API, and its shell.</summary>
internal static class ImportPeer
{
    /// <summary>True where the sqlite3 shell is installed.</summary>
    internal static bool HasShell { get; } = File.Exists("/usr/bin/sqlite3");

    /// <summary>Runs a statement in the shell and returns the CPU seconds it says the statement took.</summary>
    internal static double Shell(string database, string sql)
    {
        ProcessStartInfo start = new("sqlite3") { RedirectStandardOutput = true, RedirectStandardInput = true };
        start.ArgumentList.Add("-readonly");
        start.ArgumentList.Add(database);
        using Process process = Process.Start(start)!;
        process.StandardInput.Write($".timer on\n{sql};\n");
        process.StandardInput.Close();
        string[] words = process.StandardOutput.ReadToEnd().TrimEnd().Split('\n')[^1].Split(' ');
        process.WaitForExit();
        double user = double.Parse(words[Array.IndexOf(words, "user") + 1], CultureInfo.InvariantCulture);
        return user + double.Parse(words[Array.IndexOf(words, "sys") + 1], CultureInfo.InvariantCulture);
    }

    /// <summary>CPU seconds that inserting all rows of a database into an empty one takes, by the better order of
    /// rows and indexes.</summary>
    /// <param name="program">The compiled <c>insert_peer.c</c>.</param>
    /// <param name="database">The database whose rows are taken.</param>
    internal static double InsertSeconds(string program, string database) =>
        Math.Min(InsertSeconds(program, database, "before"), InsertSeconds(program, database, "after"));

    private static double InsertSeconds(string program, string database, string indexes)
    {
        string target = database + ".peer";
        try
        {
            ProcessStartInfo start = new(program, [database, target, indexes]) { RedirectStandardOutput = true };
            using Process process = Process.Start(start)!;
            string[] words = process.StandardOutput.ReadToEnd().Split(' ');
            process.WaitForExit();
            return process.ExitCode == 0
                ? double.Parse(words[1], CultureInfo.InvariantCulture)
                : throw new InvalidOperationException($"{program} ended with status {process.ExitCode}");
        }
        finally
        {
            File.Delete(target);
        }
    }
}
