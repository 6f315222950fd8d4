using System.Diagnostics;

namespace KprobeTrace.Fuzz.Engine;

/// <summary>Starts this program again as a child.</summary>
internal static class FuzzChild
{
    /// <summary>Starts a child; its standard output is the caller's to read, its error output is dropped or kept.</summary>
    public static Process Start(params IEnumerable<string> args)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.ArgumentList.Add(typeof(FuzzChild).Assembly.Location);
        foreach (string arg in args)
        {
            start.ArgumentList.Add(arg);
        }

        start.Environment["DOTNET_GCHeapHardLimit"] = FuzzLimits.HeapLimit;
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        Process child = Process.Start(start)!;
        child.StandardInput.Close();
        return child;
    }

    /// <summary>Runs an input in a process of its own; null when it passes.</summary>
    public static Outcome? Replay(string target, string file)
    {
        using Process child = Start("replay-one", target, Path.GetFullPath(file));
        Task<string> output = child.StandardOutput.ReadToEndAsync();
        Task<string> error = child.StandardError.ReadToEndAsync();
        if (!child.WaitForExit(FuzzLimits.Time + TimeSpan.FromSeconds(30)))
        {
            child.Kill();
            return new Outcome("hang", "hang", $"not done after {FuzzLimits.Time.TotalSeconds} s");
        }

        return output.Result.Split('\n').Select(FuzzWorker.Parse).FirstOrDefault(f => f is not null)?.Outcome
            ?? (child.ExitCode == 0 ? null : new Outcome("crash", "crash", $"exit status {child.ExitCode}: {FirstLine(error.Result)}"));
    }

    /// <summary>The other side of <see cref="Replay"/>.</summary>
    public static int ReplayOne(string name, string file)
    {
        byte[] input = File.ReadAllBytes(file);
        IFuzzTarget target = FuzzTargets.Create(name);
        using TextWriter reports = FuzzWorker.ReportsOnly();
        Watchdog watchdog = new(() =>
        {
            reports.WriteLine(FuzzWorker.Format(0, new Outcome("hang", "hang", $"not done after {FuzzLimits.Time.TotalSeconds} s")));
            reports.Flush();
        });
        watchdog.Begin();
        Outcome? outcome = Outcome.Of(target, input);
        watchdog.End();
        if (outcome is not null)
        {
            reports.WriteLine(FuzzWorker.Format(0, outcome));
        }

        return 0;
    }

    /// <summary>The first line of a crash's account that says something.</summary>
    public static string FirstLine(string text) =>
        text.Split('\n').Select(l => l.Trim()).FirstOrDefault(l => l.Length > 0) ?? "";
}
