using System.Text.RegularExpressions;
using KprobeTrace.Tests.Guests;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace KprobeTrace.Tests.Architecture;

/// <summary>Holds the source tree to the table in docs/architecture.md.</summary>
public sealed partial class ArchitectureTests
{
    private static readonly Dictionary<string, HashSet<string>> _allowed = ReadTable();

    public static TheoryData<string> Folders() => [.. _allowed.Keys];

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_folder_uses_what_the_table_allows_and_nothing_else(string folder) =>
        Assert.Empty(Uses(folder).Where(use => use.To != FolderUses.Top && !_allowed[folder].Contains(use.To)).Select(use => use.Place));

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_folder_uses_all_that_the_table_allows(string folder) =>
        Assert.Empty(_allowed[folder].Except(Uses(folder).Select(use => use.To)));

    [Fact]
    public void What_lies_above_all_folders_uses_none_of_them() =>
        Assert.Empty(Uses(FolderUses.Top).Select(use => use.Place));

    [Fact]
    public void Every_folder_has_a_row() =>
        Assert.Equal(
            FolderUses.Sources.Select(FolderUses.FolderOf).Where(folder => folder != FolderUses.Top).Distinct().Order(StringComparer.Ordinal),
            _allowed.Keys.Order(StringComparer.Ordinal));

    [Fact]
    public void No_folder_reaches_itself_through_others()
    {
        Dictionary<string, HashSet<string>> graph = FolderUses.All.Keys
            .SelectMany(use => new[] { use.From, use.To }).Distinct().ToDictionary(folder => folder, _ => new HashSet<string>());
        foreach ((string from, string to) in FolderUses.All.Keys)
        {
            graph[from].Add(to);
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
    public void Only_the_decoder_and_what_binds_its_instructions_know_the_decoder_library()
    {
        IEnumerable<string> users = FolderUses.Sources
            .Where(file => File.ReadLines(file).Any(line => line.Contains("using Iced", StringComparison.Ordinal) || line.Contains("Iced.Intel.", StringComparison.Ordinal)))
            .Where(file => FolderUses.FolderOf(file) is not ("Cpu/Decode" or "Cpu/Binding"));

        Assert.Empty(users);
    }

    [Fact]
    public void Only_what_binds_instructions_knows_handlers() =>
        Assert.Equal(["Cpu/Binding"], FolderUses.All.Keys.Where(use => use.To == "Cpu/Interpret").Select(use => use.From));

    [Fact]
    public void Only_what_stands_for_a_console_knows_that_of_the_process() =>
        Assert.Equal(
            ["Tools/StandardError.cs", "Tools/StandardOutput.cs", "kprobe-record/RecordConsole.cs", "kprobe-report/ReportConsole.cs", "kprobe-report/ReportTool.cs"],
            SourceCompilation.Models.Where(static model => model.SyntaxTree.GetRoot().DescendantNodes().OfType<IdentifierNameSyntax>()
                    .Any(name => name.Identifier.Text == "Console" && model.GetSymbolInfo(name).Symbol is INamedTypeSymbol { ContainingNamespace.Name: "System" }))
                .Select(static model => Path.GetRelativePath(Repository.PathOf("src"), model.SyntaxTree.FilePath)).Order(StringComparer.Ordinal));

    /// <remarks>Who executes code may not change it: another engine's blocks have no handlers to change.</remarks>
    [Fact]
    public void Only_what_makes_blocks_writes_the_handlers_of_operations() =>
        Assert.DoesNotContain(FolderUses.Writes("Op", "Handler"), static place => !place.StartsWith("Cpu/Binding/", StringComparison.Ordinal) && !place.StartsWith("Cpu/Blocks/", StringComparison.Ordinal));

    /// <remarks>unused.tsv has what only tests or users of the library call, and why it is there all the same.</remarks>
    [Fact]
    public void What_nothing_in_the_sources_uses_stands_in_a_list_with_its_reason()
    {
        string[] listed = [.. File.ReadLines(Repository.PathOf("tests/Core.Tests/Architecture/unused.tsv")).Where(static line => line.Length > 0 && line[0] != '#')
            .Select(static line => line.Split('\t') is [var member, { Length: > 10 }] ? member : line)];
        string[] unused = [.. UnusedMembers.Find()];

        Assert.True(!unused.Except(listed).Any(), "used by nothing: " + string.Join(", ", unused.Except(listed)));
        Assert.True(!listed.Except(unused).Any(), "gone or used: " + string.Join(", ", listed.Except(unused)));
    }

    /// <remarks>outside-state.tsv has each such field with the reason why nothing is lost with it when a machine is saved.</remarks>
    [Fact]
    public void What_changes_in_a_machine_stands_in_states_or_in_a_list_with_its_reason()
    {
        string[] listed = [.. File.ReadLines(Repository.PathOf("tests/Core.Tests/Architecture/outside-state.tsv")).Where(static line => line.Length > 0 && line[0] != '#')
            .Select(static line => line.Split('\t') is [var member, { Length: > 10 }] ? member : line)];

        Assert.Equal(listed.Order(StringComparer.Ordinal), StateFields.Outside());
    }

    /// <remarks>A state is saved as it lies in memory: a byte between its fields would be saved as well, whatever it is.</remarks>
    [Fact]
    public void States_are_values_without_padding_or_pointers()
    {
        (string Owner, INamedTypeSymbol State)[] states = [.. StateFields.All()];

        Assert.True(states.Length > 14, $"{states.Length} states");
        Assert.Empty(states.Where(static s => !s.State.IsUnmanagedType || !IsPacked(s.State)).Select(static s => s.Owner));
    }

    private static bool IsPacked(INamedTypeSymbol type) =>
        type.GetAttributes().Any(static a => a.AttributeClass?.Name == "InlineArrayAttribute")
        || (type.GetAttributes().Any(static a => a.AttributeClass?.Name == "StructLayoutAttribute" && a.NamedArguments.Any(static n => n is { Key: "Pack", Value.Value: 1 }))
            && type.GetMembers().OfType<IFieldSymbol>().All(static f => f.IsStatic || f.Type is not INamedTypeSymbol { TypeKind: TypeKind.Struct, SpecialType: SpecialType.None } inner || IsPacked(inner)));

    [Fact]
    public void Every_file_that_the_page_walks_by_is_there()
    {
        string[] files = [.. FileName().Matches(File.ReadAllText(Repository.PathOf("docs/architecture.md"))).Select(static m => m.Groups[1].Value)];

        Assert.NotEmpty(files);
        Assert.All(files, static file => Assert.True(File.Exists(Path.Combine(FolderUses.Core, file)), file));
    }

    [GeneratedRegex("`([A-Z][A-Za-z0-9]*/[A-Za-z0-9/.]*\\.cs)`")]
    private static partial Regex FileName();

    [Fact]
    public void Namespaces_are_folders()
    {
        foreach (string file in FolderUses.Sources)
        {
            string folder = FolderUses.FolderOf(file);
            string expected = folder == FolderUses.Top ? "KprobeTrace" : $"KprobeTrace.{folder.Replace('/', '.')}";
            string? actual = File.ReadLines(file).FirstOrDefault(line => line.StartsWith("namespace ", StringComparison.Ordinal));
            if (actual is not null)
            {
                Assert.Equal($"{file}: namespace {expected};", $"{file}: {actual}");
            }
        }
    }

    private static IEnumerable<(string To, string Place)> Uses(string folder) =>
        FolderUses.All.Where(use => use.Key.From == folder).Select(use => (use.Key.To, use.Value));

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
}
