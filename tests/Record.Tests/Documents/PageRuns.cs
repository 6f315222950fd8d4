using System.Diagnostics;

namespace KprobeTrace.Tests.Record.Documents;

/// <summary>Runs every command of the pages once, in their order, in one folder from which the guests are reached as from the root.</summary>
public sealed class PageRuns : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(20);

    /// <summary>How commands begin that .ci/run runs itself, or that take minutes to hours: benchmarks and fuzzing.</summary>
    // Those of docs/library.md are run by LibraryPackageTests.
    private static readonly string[] _runElsewhere =
    [
        "./demo.sh", "./test.sh", "bench/", "dotnet run --project tests/Fuzz ", "dotnet new ", "dotnet nuget ", "dotnet add ", "dotnet run -- ",
    ];

    private readonly Folder _folder = new();
    private readonly Dictionary<string, PageRun> _byText = [];

    /// <summary>Starts with nothing run.</summary>
    public PageRuns()
    {
        Directory.CreateSymbolicLink(_folder["guests"], Repository.PathOf("guests"));
        Directory.CreateSymbolicLink(_folder["docs"], Repository.PathOf("docs"));
        string script = $"""
            #!/bin/sh
            # The tools of this build, where a user has those that build.sh installed.
            real="$KPROBETRACE_DOTNET"
            case "$1" in
              kprobe-record | kprobe-report) tool=$1; shift; exec "$real" "{AppContext.BaseDirectory}/$tool.dll" "$@" ;;
              run) cd "{Repository.Root}" && exec "$real" "$@" ;;
              *) exec "$real" "$@" ;;
            esac
            """;
        Directory.CreateDirectory(_folder["bin"]);
        File.WriteAllText(_folder["bin/dotnet"], script + "\n");
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("The pages' commands are those of a POSIX shell.");
        }

        File.SetUnixFileMode(_folder["bin/dotnet"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (string name in Names)
        {
            Pages.Add(new Page(name));
        }
    }

    /// <summary>The pages, those first whose traces others ask about.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "README.md", "CONTRIBUTING.md", "guests/README.md", "bench/README.md",
        .. Directory.GetFiles(Repository.PathOf("docs"), "*.md").Select(static p => "docs/" + Path.GetFileName(p)).Order(StringComparer.Ordinal),
        .. Directory.GetDirectories(Repository.PathOf("samples")).Select(static p => "samples/" + Path.GetFileName(p) + "/Program.cs").Order(StringComparer.Ordinal),
    ];

    internal List<Page> Pages { get; } = [];

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();

    /// <summary>What came of the commands of a page, after those of the pages before it.</summary>
    internal IReadOnlyList<PageRun> Of(string name)
    {
        IEnumerable<PageCommand> before = Pages.TakeWhile(p => p.Name != name).SelectMany(static p => p.Commands);
        foreach (PageCommand command in before)
        {
            _ = Run(command);
        }

        return [.. Pages.Single(p => p.Name == name).Commands.Where(static c => !IsRunElsewhere(c)).Select(Run)];
    }

    private static bool IsRunElsewhere(PageCommand command) =>
        Array.Exists(_runElsewhere, start => command.Text.StartsWith(start, StringComparison.Ordinal));

    private PageRun Run(PageCommand command)
    {
        if (!_byText.TryGetValue(command.Text, out PageRun? run))
        {
            run = IsRunElsewhere(command) ? new PageRun(command, 0, [], "") : Start(command);
            _byText.Add(command.Text, run);
        }

        return run with { Command = command };
    }

    private PageRun Start(PageCommand command)
    {
        ProcessStartInfo start = new("bash", ["-c", command.Text])
        {
            WorkingDirectory = _folder.Name,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (string name in start.Environment.Keys.Where(static k => k.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
        {
            start.Environment.Remove(name); // those of the test run would confuse another
        }

        start.Environment["KPROBETRACE_DOTNET"] = Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "/usr/bin/dotnet";
        start.Environment["PATH"] = _folder["bin"] + ":" + Environment.GetEnvironmentVariable("PATH");
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(_patience))
        {
            process.Kill(entireProcessTree: true);
        }

        process.WaitForExit();
        string[] lines = output.Result.Replace("\r", "", StringComparison.Ordinal).TrimEnd('\n').Split('\n');
        return new PageRun(command, process.ExitCode, [.. lines.Select(static l => l.TrimEnd())], error.Result);
    }
}
