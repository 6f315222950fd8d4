using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Runs programs, each with all that it starts as a process group of its own, of which nothing is left behind.</summary>
internal static partial class Shell
{
    private const int Kill = 9;
    private static readonly Lock _starting = new();
    private static bool _closed;
    private static readonly ConcurrentDictionary<int, bool> _running = [];

    // A fault that writes for ever must not fill the disk: blocks of 512 bytes.
    private static readonly string[] _alone = ["sh", "-c", "ulimit -f 33554432; exec \"$@\"", "sh"];

    /// <summary>What a program printed and how it ended. What it left running is killed. One that runs longer than allowed is, too; its status is null.</summary>
    public static (int? Status, string Output) Run(string folder, TimeSpan limit, IReadOnlyDictionary<string, string> environment, string program, params string[] arguments)
    {
        ProcessStartInfo start = new("setsid") { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string argument in (string[])[.. _alone, program, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Start(start);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        _ = process.StandardError.ReadToEndAsync();
        bool ended = process.WaitForExit(limit);
        KillGroup(process.Id);
        _running.TryRemove(process.Id, out _);
        process.WaitForExit();
        string printed = output.Wait(TimeSpan.FromSeconds(10)) ? output.Result : "";
        return ended ? (process.ExitCode, printed) : (null, printed);
    }

    /// <summary>Ends all that runs; nothing is started any more.</summary>
    public static void Close()
    {
        lock (_starting)
        {
            _closed = true;
        }

        foreach (int group in _running.Keys)
        {
            KillGroup(group);
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        lock (_starting)
        {
            if (_closed)
            {
                throw new OperationCanceledException();
            }

            Process process = Process.Start(start)!;
            _running[process.Id] = true;
            return process;
        }
    }

    private static void KillGroup(int group) => _ = SendSignal(-group, Kill);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}
