using System.Text.RegularExpressions;
using Xunit;

namespace KprobeTrace.Tests.Guests;

/// <summary>Holds the documentation against the tree.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string[] _folders = ["docs", "guests", "bench"];

    [Fact]
    public void Links_between_pages_lead_somewhere()
    {
        string[] pages = [.. Pages()];
        Assert.Contains(Repository.PathOf("README.md"), pages);

        IEnumerable<string> broken =
            from page in pages
            from Match link in RelativeLink().Matches(File.ReadAllText(page))
            let target = Path.Combine(Path.GetDirectoryName(page)!, link.Groups[1].Value)
            where !File.Exists(target) && !Directory.Exists(target)
            select $"{Path.GetRelativePath(Repository.Root, page)} -> {link.Groups[1].Value}";

        Assert.Empty(broken);
    }

    [Fact]
    public void Index_of_docs_names_every_page()
    {
        string index = File.ReadAllText(Repository.PathOf("docs/README.md"));

        IEnumerable<string> unnamed =
            from page in Directory.EnumerateFiles(Repository.PathOf("docs"), "*.md", SearchOption.AllDirectories)
            let name = Path.GetRelativePath(Repository.PathOf("docs"), page).Replace('\\', '/')
            where name != "README.md" && !index.Contains($"({name})", StringComparison.Ordinal)
            select name;

        Assert.Empty(unnamed);
    }

    private static IEnumerable<string> Pages() =>
        Directory.EnumerateFiles(Repository.Root, "*.md")
            .Concat(_folders.SelectMany(
                folder => Directory.EnumerateFiles(Repository.PathOf(folder), "*.md", SearchOption.AllDirectories)));

    [GeneratedRegex(@"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")]
    private static partial Regex RelativeLink();
}
