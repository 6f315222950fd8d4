using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace KprobeTrace.Tests.Mutants;

/// <summary>A copy of the repository in which faults are planted and built.</summary>
internal sealed partial class Scratch : IDisposable
{
    private const string Prefix = "kprobetrace-mutants-";

    // The projects that get a switch of their own.
    private static readonly string[] _planted = ["src/Core", "src/kprobe-record", "src/kprobe-report"];

    // What else the planted code would not pass; for builds that tests start as well.
    private const string Plain = """
          <PropertyGroup>
            <RunAnalyzers>false</RunAnalyzers>
            <TreatWarningsAsErrors>false</TreatWarningsAsErrors>
            <EnforceCodeStyleInBuild>false</EnforceCodeStyleInBuild>
            <GenerateDocumentationFile>false</GenerateDocumentationFile>
            <AllowUnsafeBlocks>true</AllowUnsafeBlocks>
            <SharedCompilationId>@</SharedCompilationId>
          </PropertyGroup>
        </Project>
        """;

    private static readonly Dictionary<string, string> _asItIs = [];

    /// <summary>Copies the files that git knows, and leads to the stock kernels where they are there.</summary>
    /// <param name="root">The repository.</param>
    /// <param name="quick">Whether the test projects are left out whose tests take long for what they notice.</param>
    public Scratch(string root, bool quick)
    {
        TestProjects = quick ? ["Core.Tests", "Record.Tests", "Report.Tests"] : ["Core.Tests", "Record.Tests", "Report.Tests", "Oracle.Tests", "Fuzz"];
        DeleteStale();
        Folder = Directory.CreateTempSubdirectory(Prefix + Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "-").FullName;
        try
        {
            Copy(root);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The test projects whose tests are run.</summary>
    public IReadOnlyList<string> TestProjects { get; }

    /// <summary>Where the copy is.</summary>
    public string Folder { get; }

    /// <summary>Plants all given faults and builds the tests; what does not compile is left out. Returns the ids that stand in the build.</summary>
    public HashSet<int> Plant(IReadOnlyList<Mutant> mutants)
    {
        string source = new StreamReader(typeof(Scratch).Assembly.GetManifestResourceStream("MutantSwitch.cs")!).ReadToEnd();
        foreach (string project in _planted)
        {
            File.WriteAllText(Path.Combine(Folder, project, "MutantSwitch.cs"), source);
        }

        string properties = Path.Combine(Folder, "Directory.Build.props");
        File.WriteAllText(properties, File.ReadAllText(properties).Replace("</Project>", Plain.Replace("@", Path.GetFileName(Folder), StringComparison.Ordinal), StringComparison.Ordinal));
        HashSet<int> dead = [];
        do
        {
            Write(mutants, dead);
        }
        while (Build().Distinct().Where(dead.Add).ToList().Count > 0);

        foreach (string project in TestProjects)
        {
            File.Copy(Path.Combine(Folder, "tests/Mutants/Runner/bin/Release/net10.0/MutantRunner.dll"), Path.Combine(Output(project), "MutantRunner.dll"));
        }

        return [.. mutants.Select(mutant => mutant.Id).Except(dead)];
    }

    /// <summary>The folder of a test project's build.</summary>
    public string Output(string testProject) => Path.Combine(Folder, "tests", testProject, "bin/Release/net10.0");

    /// <summary>Ends what runs in it and deletes it.</summary>
    public void Dispose()
    {
        Shell.Close();
        Delete(Folder);
    }

    private void Copy(string root)
    {
        (int? status, string files) = Shell.Run(root, TimeSpan.FromMinutes(1), _asItIs, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard");
        if (status != 0)
        {
            throw new InvalidOperationException($"{root} is no clone: git does not list its files");
        }

        foreach (string file in files.Split('\0', StringSplitOptions.RemoveEmptyEntries).Where(file => File.Exists(Path.Combine(root, file))))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Folder, file))!);
            File.Copy(Path.Combine(root, file), Path.Combine(Folder, file));
        }

        string stock = Path.Combine(root, "guests/stock");
        if (Directory.Exists(stock))
        {
            Directory.CreateSymbolicLink(Path.Combine(Folder, "guests/stock"), Path.GetFullPath(stock));
        }
    }

    private void Write(IReadOnlyList<Mutant> mutants, HashSet<int> dead)
    {
        foreach (IGrouping<string, Mutant> file in mutants.GroupBy(mutant => mutant.Site.File))
        {
            SyntaxNode root = file.First().Site.Guarded.SyntaxTree.GetRoot();
            string text = Planter.Plant(root, [.. file.Where(mutant => !dead.Contains(mutant.Id)).Select(mutant => (mutant.Id, mutant.Site))]);
            string path = Path.Combine(Folder, file.Key);
            if (text != File.ReadAllText(path))
            {
                File.WriteAllText(path, text);
            }
        }
    }

    // Builds everything; the ids of switches at places that do not compile. The tools come first, since in them only there can be such places.
    private List<int> Build()
    {
        string[] tools = ["src/kprobe-record/kprobe-record.csproj", "src/kprobe-report/kprobe-report.csproj"];
        string[] tests = [.. TestProjects.Select(project => $"tests/{project}/{project}.csproj"), "tests/Mutants/Runner/Runner.csproj"];
        foreach (string[] projects in (string[][])[tools, tests])
        {
            string filter = Path.Combine(Folder, "Planted.slnf");
            File.WriteAllText(filter, $$"""{ "solution": { "path": "KprobeTrace.sln", "projects": [{{string.Join(", ", projects.Select(project => $"\"{project}\""))}}] } }""");
            (int? status, string output) = Shell.Run(Folder, TimeSpan.FromMinutes(20), _asItIs, "dotnet", "build", filter, "-c", "Release", "--nologo", "-v", "quiet", "-clp:NoSummary", "-nodeReuse:false");
            if (status != 0)
            {
                List<int> failing = [.. Errors(output)];
                return failing.Count > 0 ? failing : throw new InvalidOperationException("the planted build failed:\n" + output);
            }
        }

        return [];
    }

    private static IEnumerable<int> Errors(string output)
    {
        foreach (IGrouping<string, Match> file in ErrorLine().Matches(output).GroupBy(match => match.Groups[1].Value))
        {
            SyntaxNode planted = Sources.Parse(file.Key);
            SourceText text = planted.SyntaxTree.GetText();
            foreach (Match match in file)
            {
                int position = text.Lines[int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) - 1].Start + int.Parse(match.Groups[3].Value, CultureInfo.InvariantCulture) - 1;
                List<int> round = [.. Planter.SwitchesRound(planted, position)];
                foreach (int id in round.Count > 0 ? round : [.. Planter.SwitchesInMember(planted, position)])
                {
                    yield return id;
                }
            }
        }
    }

    // A measure that was killed could not clean up after itself.
    private static void DeleteStale()
    {
        foreach (string folder in Directory.EnumerateDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            if (int.TryParse(Path.GetFileName(folder)[Prefix.Length..].Split('-')[0], out int process) && !IsRunning(process))
            {
                Delete(folder);
            }
        }
    }

    private static bool IsRunning(int id)
    {
        try
        {
            using Process process = Process.GetProcessById(id);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    // What was just killed may still write for an instant.
    private static void Delete(string folder)
    {
        for (int attempt = 0; Directory.Exists(folder); attempt++)
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException && attempt < 10)
            {
                Thread.Sleep(200);
            }
        }
    }

    [GeneratedRegex(@"^\s*(\S[^(\n]*\.cs)\((\d+),(\d+)\): error CS", RegexOptions.Multiline)]
    private static partial Regex ErrorLine();
}
