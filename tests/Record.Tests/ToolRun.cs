using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>One run of a tool as a process of its own, as a user starts it.</summary>
internal sealed class ToolRun : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(10);
    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _error;

    private ToolRun(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.RedirectStandardInput = true;
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _output = _process.StandardOutput.ReadToEndAsync();
        _error = _process.StandardError.ReadToEndAsync();
    }

    /// <summary>The exit status, once the process has ended.</summary>
    public int Exit
    {
        get
        {
            if (!_process.WaitForExit(_patience))
            {
                _process.Kill(entireProcessTree: true);
                Assert.Fail($"the tool still ran after {_patience.TotalMinutes} minutes");
            }

            return _process.ExitCode;
        }
    }

    /// <summary>All of standard output.</summary>
    public string Output => Exit >= 0 ? _output.GetAwaiter().GetResult() : "";

    /// <summary>All of standard error.</summary>
    public string Error => Exit >= 0 ? _error.GetAwaiter().GetResult() : "";

    /// <summary>Standard error line by line.</summary>
    public string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The guest's console with plain line ends.</summary>
    public string Console => Output.Replace("\r", "", StringComparison.Ordinal);

    public bool Ended => _process.HasExited;

    public static ToolRun Record(string folder, params string[] arguments) => Start("kprobe-record", folder, arguments);

    public static ToolRun Report(string folder, params string[] arguments) => Start("kprobe-report", folder, arguments);

    /// <summary>Runs kprobe-record with settings in its environment, each NAME=VALUE.</summary>
    public static ToolRun RecordWith(string folder, IEnumerable<string> environment, params string[] arguments)
    {
        ProcessStartInfo start = StartInfo("kprobe-record", folder, arguments);
        foreach (string setting in environment)
        {
            int equals = setting.IndexOf('=', StringComparison.Ordinal);
            start.Environment[setting[..equals]] = setting[(equals + 1)..];
        }

        return new ToolRun(start);
    }

    /// <summary>Runs kprobe-record behind a shell command that sets limits.</summary>
    public static ToolRun RecordLimited(string folder, string limits, params string[] arguments) =>
        Shell(folder, limits + "; exec \"$@\"", "kprobe-record", arguments);

    /// <summary>Runs a shell script, in which "$@" is the tool with its arguments.</summary>
    public static ToolRun Shell(string folder, string script, string tool, params string[] arguments)
    {
        ProcessStartInfo start = new("/bin/sh") { WorkingDirectory = folder };
        string[] command = ["-c", script, "sh", "dotnet", PathOf(tool), .. arguments];
        foreach (string word in command)
        {
            start.ArgumentList.Add(word);
        }

        // Its second mapping of generated code is a file, which a limit on the size of files would forbid as well.
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        return new ToolRun(start);
    }

    /// <summary>Runs a command of bash; <c>$0</c> is kprobe-record's assembly.</summary>
    public static ToolRun Bash(string folder, string command, params string[] arguments)
    {
        ProcessStartInfo start = new("/bin/bash") { WorkingDirectory = folder };
        string[] words = ["-c", command, PathOf("kprobe-record"), .. arguments];
        foreach (string word in words)
        {
            start.ArgumentList.Add(word);
        }

        return new ToolRun(start);
    }

    /// <summary>Sends a signal.</summary>
    public void Signal(PosixSignal signal)
    {
        string name = "-" + signal.ToString()[3..];
        using Process kill = Process.Start("kill", [name, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Ends the process without any notice to it.</summary>
    public void Kill() => _process.Kill();

    /// <summary>The run must have ended well.</summary>
    public ToolRun Good()
    {
        Assert.True(Exit == 0, $"status {Exit}: {Error}");
        return this;
    }

    public void Dispose()
    {
        try
        {
            if (!_process.HasExited)
            {
                _process.Kill(entireProcessTree: true);
            }
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It ended between the question and the deed.
        }

        _process.Dispose();
    }

    private static ToolRun Start(string tool, string folder, string[] arguments) => new(StartInfo(tool, folder, arguments));

    private static ProcessStartInfo StartInfo(string tool, string folder, string[] arguments)
    {
        ProcessStartInfo start = new("dotnet") { WorkingDirectory = folder };
        if (OperatingSystem.IsLinux())
        {
            // Whoever started the tests may ignore signals (nohup does, and so does a script for what it runs behind itself).
            start.FileName = "env";
            start.ArgumentList.Add("--default-signal=HUP,INT,QUIT,TERM");
            start.ArgumentList.Add("dotnet");
        }

        start.ArgumentList.Add(PathOf(tool));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }

    private static string PathOf(string tool) => Path.Combine(AppContext.BaseDirectory, tool + ".dll");
}
