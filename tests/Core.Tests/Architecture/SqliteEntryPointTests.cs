using KprobeTrace.Tests.Guests;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace KprobeTrace.Tests.Architecture;

/// <summary>What the sources call of SQLite past Microsoft.Data.Sqlite and SQLitePCLRaw: what these do not have, or what is slow through them.</summary>
public sealed class SqliteEntryPointTests
{
    /// <remarks>A row goes where SQLitePCLRaw gets its function, or fast enough; docs/performance.md says by how much it is not.</remarks>
    private static readonly Dictionary<string, string> _allowed = new(StringComparer.Ordinal)
    {
        ["sqlite3_aggregate_context"] = "absent",
        ["sqlite3_column_int64"] = "slow",
        ["sqlite3_column_type"] = "slow",
        ["sqlite3_create_function_v2"] = "slow",
        ["sqlite3_create_window_function"] = "absent",
        ["sqlite3_error_offset"] = "absent",
        ["sqlite3_realloc64"] = "absent",
        ["sqlite3_result_text"] = "absent without a copy",
        ["sqlite3_user_data"] = "absent for functions of others",
        ["sqlite3_value_numeric_type"] = "absent",
    };

    [Fact]
    public void What_is_called_past_the_packages_stands_in_a_list() => Assert.Equal(_allowed.Keys, Imports("e_sqlite3"));

    [Fact]
    public void No_other_library_is_called_but_that_of_the_host() => Assert.Equal(["e_sqlite3", "libc"], Imports().Select(static i => i.Library).Distinct().Order());

    /// <remarks>An entry point that is looked up by its name stands in no attribute.</remarks>
    [Fact]
    public void No_library_is_loaded_by_hand() =>
        Assert.Empty(SourceCompilation.Models.Where(static model => model.SyntaxTree.GetRoot().DescendantNodes().OfType<IdentifierNameSyntax>()
                .Any(name => name.Identifier.Text == "NativeLibrary" && model.GetSymbolInfo(name).Symbol is INamedTypeSymbol))
            .Select(static model => Path.GetRelativePath(Repository.PathOf("src"), model.SyntaxTree.FilePath)));

    [Fact]
    public void The_page_on_speed_names_what_is_slow_through_the_packages()
    {
        string page = File.ReadAllText(Repository.PathOf("docs/performance.md"));

        Assert.All(_allowed.Where(static entry => entry.Value == "slow"), entry => Assert.Contains($"`{entry.Key}`", page, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Imports(string library) =>
        Imports().Where(import => import.Library == library).Select(static import => import.Name).Order(StringComparer.Ordinal);

    private static IEnumerable<(string Library, string Name)> Imports() =>
        from model in SourceCompilation.Models
        from method in model.SyntaxTree.GetRoot().DescendantNodes().OfType<MethodDeclarationSyntax>()
        let symbol = model.GetDeclaredSymbol(method)!
        from attribute in symbol.GetAttributes()
        where attribute.AttributeClass?.Name is "LibraryImportAttribute" or "DllImportAttribute"
        select ((string)attribute.ConstructorArguments[0].Value!, attribute.NamedArguments.FirstOrDefault(static a => a.Key == "EntryPoint").Value.Value as string ?? symbol.Name);
}
