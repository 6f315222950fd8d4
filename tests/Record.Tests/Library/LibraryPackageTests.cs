using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace KprobeTrace.Tests.Record.Library;

/// <summary>The first page of docs/library.md, done word for word: pack, a new program, add the package, run.</summary>
public sealed class LibraryPackageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kprobe-library-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_new_program_that_adds_the_package_runs_the_page_s_lines()
    {
        string page = File.ReadAllText(Repository.PathOf("docs/library.md"));
        string packages = Path.Combine(_folder, "packages");
        string program = Path.Combine(_folder, "watch-opens");
        string configuration = AppContext.BaseDirectory.Contains("Release", StringComparison.Ordinal) ? "Release" : "Debug";
        // An analyzer that MessagePack brings is not on every registry.
        File.WriteAllText(
            Path.Combine(_folder, "Directory.Build.props"),
            """<Project><ItemGroup><PrunePackageReference Include="MessagePackAnalyzer" Version="3.1.12" /></ItemGroup></Project>""");
        Good(_folder, "pack", Repository.PathOf("src/Core"), "--no-build", "-c", configuration, "-o", packages, "-p:PackageVersion=0.0.1-test", "--nologo");
        string[] commands = [.. Regex.Matches(page, "(?m)^    dotnet ((?:new|nuget|add) .*)$").Select(static m => m.Groups[1].Value)];
        Assert.Equal(4, commands.Length);
        foreach (string command in commands)
        {
            string[] words = command.Split(" && ")[0].Replace("PACKAGES", packages, StringComparison.Ordinal).Split(' ');
            Good(Directory.Exists(program) ? program : _folder, [.. words, .. words is ["new", "console", ..] ? (string[])["--no-restore"] : []]);
        }

        string lines = Regex.Match(page, "(?s)```csharp\n(.*?)```").Groups[1].Value;
        Assert.InRange(lines.Split('\n').Length, 20, 32);
        File.WriteAllText(Path.Combine(program, "Program.cs"), lines);

        (string console, string said) = Good(program, "run", "--", Repository.PathOf("guests/demo/demo.elf"));

        Assert.Contains("init: opening a missing file gives", console, StringComparison.Ordinal);
        Assert.Matches("(?m)^[1-9][0-9]* ns: open /[a-z/]+$", said);
        Assert.Matches("(?m)^[1-9][0-9]* files opened in [1-9][0-9]* instructions$", said);
        string[] carried = [.. Directory.EnumerateFiles(program, "*.dll", SearchOption.AllDirectories).Select(static f => Path.GetFileName(f)!)];
        Assert.Contains("KprobeTrace.Core.dll", carried);
        Assert.DoesNotContain("Parquet.dll", carried);
    }

    private (string Output, string Error) Good(string folder, params string[] arguments)
    {
        // A package of a fixed name must not stay in the user's folder; what this build has restored serves.
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string restored = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(home, ".nuget", "packages");
        ProcessStartInfo start = new("dotnet", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["NUGET_PACKAGES"] = Path.Combine(_folder, "nuget");
        start.Environment["NUGET_FALLBACK_PACKAGES"] = restored;
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"dotnet {string.Join(' ', arguments)}\n{output}{error.Result}");
        return (output, error.Result);
    }
}
