using KprobeTrace.Tests.Guests;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Xunit;

namespace KprobeTrace.Tests.Architecture;

/// <summary>Sources of src, compiled so that every name in them is resolved.</summary>
internal static class SourceCompilation
{
    // What ImplicitUsings stands for.
    private const string Usings = "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Threading; global using System.Threading.Tasks;";

    private static readonly CSharpParseOptions _syntax = new(LanguageVersion.Preview);

    private static readonly Lazy<SemanticModel[]> _models = new(Compile);

    /// <summary>
    /// The files of the library and both tools, without the line that each tool starts with; the path of each tree is that of its file. What
    /// has been resolved for one question is there for the next.
    /// </summary>
    public static IReadOnlyList<SemanticModel> Models => _models.Value;

    /// <summary>Every C# file below a folder of the repository that is no output of a build.</summary>
    public static IEnumerable<string> In(string folder) => [.. Directory.EnumerateFiles(Repository.PathOf(folder), "*.cs", SearchOption.AllDirectories)
        .Where(file => !Path.GetRelativePath(Repository.PathOf("src"), file).Split(Path.DirectorySeparatorChar).Any(static part => part is "bin" or "obj"))];

    private static SemanticModel[] Compile()
    {
        IEnumerable<string> sources = In("src").Where(static file => Path.GetFileName(file) != "Program.cs");
        IEnumerable<SyntaxTree> trees = sources.Select(file => CSharpSyntaxTree.ParseText(File.ReadAllText(file), _syntax, file)).Append(CSharpSyntaxTree.ParseText(Usings, _syntax));
        IEnumerable<MetadataReference> libraries = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => !Path.GetFileName(path).StartsWith("KprobeTrace.", StringComparison.Ordinal) && !Path.GetFileName(path).StartsWith("kprobe-", StringComparison.Ordinal))
            .Select(path => MetadataReference.CreateFromFile(path));
        CSharpCompilation compilation = CSharpCompilation.Create("Sources", trees, libraries, new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));

        // A name that is not resolved would be a use that is not seen. CS8795 is a method that a source generator writes the body of.
        Assert.Empty(compilation.GetDiagnostics().Where(found => found.Severity == DiagnosticSeverity.Error && found.Id != "CS8795").Take(5));
        return [.. compilation.SyntaxTrees.Where(static t => t.FilePath.Length > 0).Select(t => compilation.GetSemanticModel(t))];
    }
}
