using KprobeTrace.Tests.Guests;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Architecture;

/// <summary>
/// Which folder of src/Core uses which: the compiler resolves every name, call, operator and attribute to the type that declares it, so a
/// type counts also where no <c>using</c> names its folder, and a <c>using</c> that nothing needs does not.
/// </summary>
internal static class FolderUses
{
    /// <summary>The name of what lies in src/Core itself.</summary>
    public const string Top = ".";

    private static readonly Lazy<IReadOnlyDictionary<(string From, string To), string>> _all = new(Find);

    /// <summary>Every pair of folders of which the first uses the second, with one place that does.</summary>
    public static IReadOnlyDictionary<(string From, string To), string> All => _all.Value;

    /// <summary>The sources of src/Core.</summary>
    public static IEnumerable<string> Sources { get; } = SourceCompilation.In("src/Core");

    /// <summary>The full path of src/Core.</summary>
    public static string Core => Repository.PathOf("src/Core");

    /// <summary>The folder of a file, relative to src/Core, with forward slashes.</summary>
    public static string FolderOf(string file) =>
        Path.GetRelativePath(Core, Path.GetDirectoryName(file)!).Replace(Path.DirectorySeparatorChar, '/');

    private static Dictionary<(string From, string To), string> Find()
    {
        HashSet<string> sources = [.. Sources];
        Dictionary<(string, string), string> uses = [];
        foreach (SemanticModel model in SourceCompilation.Models.Where(model => sources.Contains(model.SyntaxTree.FilePath)))
        {
            SyntaxTree tree = model.SyntaxTree;
            string from = FolderOf(tree.FilePath);
            foreach (SyntaxNode node in tree.GetRoot().DescendantNodes(node => node is not UsingDirectiveSyntax))
            {
                if (Declares(model, node) is (string type, string to) && to != from)
                {
                    uses.TryAdd((from, to), $"{FolderOf(tree.FilePath)}/{Path.GetFileName(tree.FilePath)}:{node.GetLocation().GetLineSpan().StartLinePosition.Line + 1} uses {type}");
                }
            }
        }

        return uses;
    }

    /// <summary>Where in src/Core a member of a type is assigned to, or set as an object is created.</summary>
    public static IEnumerable<string> Writes(string type, string member)
    {
        HashSet<string> sources = [.. Sources];
        foreach (SemanticModel model in SourceCompilation.Models.Where(model => sources.Contains(model.SyntaxTree.FilePath)))
        {
            foreach (AssignmentExpressionSyntax assignment in model.SyntaxTree.GetRoot().DescendantNodes().OfType<AssignmentExpressionSyntax>())
            {
                if (model.GetSymbolInfo(assignment.Left).Symbol is { } written && written.Name == member && written.ContainingType.Name == type)
                {
                    yield return $"{FolderOf(model.SyntaxTree.FilePath)}/{Path.GetFileName(model.SyntaxTree.FilePath)}:{assignment.GetLocation().GetLineSpan().StartLinePosition.Line + 1}";
                }
            }
        }
    }

    /// <summary>The files of src/Core, relative to it, that name a member of a type.</summary>
    public static string[] FilesThatUse(string type, string member) =>
        [.. SourceCompilation.Models.Where(static model => model.SyntaxTree.FilePath.StartsWith(Core + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            .Where(model => model.SyntaxTree.GetRoot().DescendantNodes().OfType<IdentifierNameSyntax>()
                .Any(name => name.Identifier.Text == member && model.GetSymbolInfo(name).Symbol is { } used && used.ContainingType?.Name == type))
            .Select(static model => Path.GetRelativePath(Core, model.SyntaxTree.FilePath)).Order(StringComparer.Ordinal)];

    // The type, and its folder, that declares what a piece of code names.
    private static (string Type, string Folder)? Declares(SemanticModel model, SyntaxNode node)
    {
        if (node is not (ExpressionSyntax or ConstructorInitializerSyntax or AttributeSyntax))
        {
            return null;
        }

        ISymbol? symbol = model.GetSymbolInfo(node).Symbol;
        symbol = symbol is IMethodSymbol { ReducedFrom: IMethodSymbol extension } ? extension : symbol;
        INamedTypeSymbol? type = (symbol as INamedTypeSymbol ?? symbol?.ContainingType)?.OriginalDefinition;
        string? file = type?.Locations.Select(place => place.SourceTree?.FilePath).FirstOrDefault(path => !string.IsNullOrEmpty(path));
        return file is null || !file.StartsWith(Core + Path.DirectorySeparatorChar, StringComparison.Ordinal) ? null : (type!.Name, FolderOf(file));
    }
}
