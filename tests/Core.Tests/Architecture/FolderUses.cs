using KprobeTrace.Tests.Guests;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace KprobeTrace.Tests.Architecture;

/// <summary>
/// Which folder of src/Core uses which: the compiler resolves every name, call, operator and attribute to the type that declares it, so a
/// type counts also where no <c>using</c> names its folder, and a <c>using</c> that nothing needs does not.
/// </summary>
internal static class FolderUses
{
    /// <summary>The name of what lies in src/Core itself.</summary>
    public const string Top = ".";

    // What ImplicitUsings stands for.
    private const string Usings = "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Threading; global using System.Threading.Tasks;";

    private static readonly CSharpParseOptions _syntax = new(LanguageVersion.Preview);
    private static readonly Lazy<IReadOnlyDictionary<(string From, string To), string>> _all = new(Find);

    /// <summary>Every pair of folders of which the first uses the second, with one place that does.</summary>
    public static IReadOnlyDictionary<(string From, string To), string> All => _all.Value;

    /// <summary>The sources of src/Core.</summary>
    public static IEnumerable<string> Sources { get; } = [.. Directory.EnumerateFiles(Core, "*.cs", SearchOption.AllDirectories)
        .Where(file => Path.GetRelativePath(Core, file).Split(Path.DirectorySeparatorChar)[0] is not ("bin" or "obj"))];

    /// <summary>The full path of src/Core.</summary>
    public static string Core => Repository.PathOf("src/Core");

    /// <summary>The folder of a file, relative to src/Core, with forward slashes.</summary>
    public static string FolderOf(string file) =>
        Path.GetRelativePath(Core, Path.GetDirectoryName(file)!).Replace(Path.DirectorySeparatorChar, '/');

    private static Dictionary<(string From, string To), string> Find()
    {
        CSharpCompilation compilation = Compile();
        Dictionary<(string, string), string> uses = [];
        foreach (SyntaxTree tree in compilation.SyntaxTrees.Where(tree => tree.FilePath.Length > 0))
        {
            SemanticModel model = compilation.GetSemanticModel(tree);
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
        return file is null ? null : (type!.Name, FolderOf(file));
    }

    private static CSharpCompilation Compile()
    {
        IEnumerable<SyntaxTree> trees = Sources.Select(file => CSharpSyntaxTree.ParseText(File.ReadAllText(file), _syntax, file)).Append(CSharpSyntaxTree.ParseText(Usings, _syntax));
        IEnumerable<MetadataReference> libraries = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => !Path.GetFileName(path).StartsWith("KprobeTrace.", StringComparison.Ordinal))
            .Select(path => MetadataReference.CreateFromFile(path));
        CSharpCompilation compilation = CSharpCompilation.Create("Core", trees, libraries, new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));

        // A name that is not resolved would be a use that is not seen. CS8795 is a method that a source generator writes the body of.
        Assert.Empty(compilation.GetDiagnostics().Where(found => found.Severity == DiagnosticSeverity.Error && found.Id != "CS8795").Take(5));
        return compilation;
    }
}
