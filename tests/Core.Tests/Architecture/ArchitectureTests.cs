using System.Text.RegularExpressions;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Architecture;

/// <summary>Holds the source tree to the table in docs/architecture.md.</summary>
public sealed partial class ArchitectureTests
{
    private static readonly Dictionary<string, HashSet<string>> _allowed = ReadTable();

    public static TheoryData<string> Folders() => [.. _allowed.Keys];

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_folder_uses_only_what_the_table_allows(string folder)
    {
        List<string> violations = [];
        foreach (string file in Sources().Where(file => FolderOf(file) == folder))
        {
            foreach (string used in UsedFolders(file))
            {
                if (used != folder && !_allowed[folder].Contains(used))
                {
                    violations.Add($"{Path.GetRelativePath(Repository.Root, file)} uses {used}");
                }
            }
        }

        Assert.Empty(violations);
    }

    [Fact]
    public void Every_folder_has_a_row()
    {
        IEnumerable<string> folders = Sources().Select(FolderOf).Where(folder => folder.Length > 0).Distinct();

        Assert.Empty(folders.Except(_allowed.Keys));
    }

    [Fact]
    public void The_table_names_only_folders_that_exist() =>
        Assert.All(_allowed.Keys.Concat(_allowed.Values.SelectMany(v => v)), folder => Assert.True(Directory.Exists(Path.Combine(Core, folder)), folder));

    [Fact]
    public void No_folder_reaches_itself_through_others()
    {
        // The parts of the processor know each other, as the two that write results do.
        string Group(string folder) => folder.StartsWith("Cpu", StringComparison.Ordinal) ? "Cpu" : folder is "Queries" or "Export" ? "Queries and Export" : folder;
        Dictionary<string, HashSet<string>> graph = [];
        foreach ((string from, HashSet<string> uses) in _allowed)
        {
            graph.TryAdd(Group(from), []);
            graph[Group(from)].UnionWith(uses.Select(Group).Where(to => to != Group(from)));
        }

        while (graph.Count > 0)
        {
            string? last = graph.Keys.FirstOrDefault(folder => graph[folder].Count == 0);
            Assert.True(last is not null, $"a cycle among {string.Join(", ", graph.Keys)}");
            graph.Remove(last);
            foreach (HashSet<string> uses in graph.Values)
            {
                uses.Remove(last);
            }
        }
    }

    [Fact]
    public void Only_the_decoder_knows_the_decoder_library()
    {
        IEnumerable<string> users = Sources()
            .Where(file => File.ReadLines(file).Any(line => line.Contains("using Iced", StringComparison.Ordinal) || line.Contains("Iced.Intel.", StringComparison.Ordinal)))
            .Where(file => FolderOf(file) != "Cpu/Decode");

        Assert.Empty(users);
    }

    [Fact]
    public void Namespaces_are_folders()
    {
        foreach (string file in Sources())
        {
            string folder = Path.GetRelativePath(Core, Path.GetDirectoryName(file)!).Replace(Path.DirectorySeparatorChar, '.');
            string expected = folder == "." ? "KprobeTrace" : $"KprobeTrace.{folder}";
            string? actual = File.ReadLines(file).FirstOrDefault(line => line.StartsWith("namespace ", StringComparison.Ordinal));
            if (actual is not null)
            {
                Assert.Equal($"{file}: namespace {expected};", $"{file}: {actual}");
            }
        }
    }

    private static string Core => Repository.PathOf("src/Core");

    private static IEnumerable<string> Sources() =>
        Directory.EnumerateFiles(Core, "*.cs", SearchOption.AllDirectories)
            .Where(file => !Path.GetRelativePath(Core, file).StartsWith("bin", StringComparison.Ordinal)
                && !Path.GetRelativePath(Core, file).StartsWith("obj", StringComparison.Ordinal));

    /// <summary>The row a file belongs to: the longest one that its path begins with.</summary>
    private static string FolderOf(string file) =>
        Row(Path.GetRelativePath(Core, Path.GetDirectoryName(file)!).Replace(Path.DirectorySeparatorChar, '/'));

    private static string Row(string path)
    {
        while (!_allowed.ContainsKey(path))
        {
            int slash = path.LastIndexOf('/');
            if (slash < 0)
            {
                return path == "." ? "" : path;
            }

            path = path[..slash];
        }

        return path;
    }

    private static IEnumerable<string> UsedFolders(string file)
    {
        foreach (string line in File.ReadLines(file))
        {
            Match match = UsingLine().Match(line);
            if (match.Success)
            {
                string path = match.Groups[1].Value.Replace('.', '/');
                yield return Row(Directory.Exists(Path.Combine(Core, path)) ? path : path[..Math.Max(0, path.LastIndexOf('/'))]);
            }
        }
    }

    private static Dictionary<string, HashSet<string>> ReadTable()
    {
        Dictionary<string, HashSet<string>> table = [];
        foreach (string line in File.ReadLines(Repository.PathOf("docs/architecture.md")))
        {
            string[] cells = line.Split('|');
            if (cells.Length == 5 && cells[1].StartsWith(" `", StringComparison.Ordinal))
            {
                table.Add(cells[1].Trim(' ', '`'), [.. cells[2].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(name => name.Trim('`'))]);
            }
        }

        return table;
    }

    [GeneratedRegex(@"^using (?:static |unsafe |\w+ = )*KprobeTrace\.([\w.]+);")]
    private static partial Regex UsingLine();
}
