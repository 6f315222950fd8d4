using System.Diagnostics;
using System.Globalization;

namespace KprobeTrace.Tests.Report;

/// <summary>Runs kprobe-report in a process of its own, for what is a process's: its memory, SQLite's limits.</summary>
internal static class ToolProcess
{
    /// <summary>Runs it; <paramref name="heap"/> bytes are all that the runtime may take for objects, 0 is without limit.</summary>
    internal static (int Exit, string Error) Run(string[] args, long heap = 0)
    {
        ProcessStartInfo start = new("dotnet", [Path.Combine(AppContext.BaseDirectory, "kprobe-report.dll"), .. args])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        if (heap > 0)
        {
            start.Environment["DOTNET_GCHeapHardLimit"] = heap.ToString("X", CultureInfo.InvariantCulture);
        }

        using Process process = Process.Start(start)!;
        Task output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        output.Wait();
        return (process.ExitCode, error);
    }
}
