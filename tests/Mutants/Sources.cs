using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

namespace KprobeTrace.Tests.Mutants;

/// <summary>The sources that faults are planted in.</summary>
internal static class Sources
{
    /// <summary>All sites below src.</summary>
    public static List<Site> Sites(string root)
    {
        List<(string File, SyntaxNode Root)> files = [.. Directory.EnumerateFiles(Path.Combine(root, "src"), "*.cs", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(root, path).Replace('\\', '/'))
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(file => (file, Parse(Path.Combine(root, file))))];
        SiteFinder finder = new([.. files.Select(file => file.Root)]);
        return [.. files.SelectMany(file => finder.In(file.File, file.Root))];
    }

    /// <summary>The syntax of a file.</summary>
    public static SyntaxNode Parse(string path) => Parse(File.ReadAllText(path), path);

    /// <summary>The syntax of a text.</summary>
    public static SyntaxNode Parse(string text, string path) =>
        CSharpSyntaxTree.ParseText(SourceText.From(text), new CSharpParseOptions(LanguageVersion.Preview), path).GetRoot();
}
