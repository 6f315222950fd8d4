namespace KprobeTrace.Tests.Mutants;

/// <summary>Starts the runner inside the build of a test project, so that tests find their files as ever.</summary>
internal static class TestRun
{
    private static int _runs;

    /// <summary>Runs it; its status is null when it ran longer than allowed.</summary>
    /// <param name="scratch">The build.</param>
    /// <param name="project">The test project.</param>
    /// <param name="environment">What tests and the tools they start find in their environment.</param>
    /// <param name="limit">When it is killed.</param>
    /// <param name="mode">What the runner does.</param>
    /// <param name="given">What it is told, line by line.</param>
    /// <returns>How it ended, and what it wrote as its result, line by line.</returns>
    public static (int? Status, string[] Result) Run(Scratch scratch, string project, Dictionary<string, string> environment, TimeSpan limit, string mode, IEnumerable<string> given)
    {
        string output = scratch.Output(project);
        DirectoryInfo own = Directory.CreateDirectory(Path.Combine(scratch.Folder, "run", Interlocked.Increment(ref _runs).ToString(System.Globalization.CultureInfo.InvariantCulture)));
        string input = Path.Combine(own.FullName, "given");
        string result = Path.Combine(own.FullName, "result");
        File.WriteAllLines(input, given);
        environment["TMPDIR"] = own.FullName; // what a test that is killed leaves behind
        environment["DOTNET_GCHeapHardLimit"] = "0x180000000"; // a fault that allocates for ever must not take the machine along
        try
        {
            (int? status, _) = Shell.Run(output, limit, environment, "dotnet", "exec", "--depsfile", project + ".deps.json", "--runtimeconfig",
                project + ".runtimeconfig.json", Path.Combine(output, "MutantRunner.dll"), mode, Path.Combine(output, project + ".dll"), input, result);
            return (status, File.Exists(result) ? File.ReadAllLines(result) : []);
        }
        finally
        {
            own.Delete(recursive: true);
        }
    }
}
