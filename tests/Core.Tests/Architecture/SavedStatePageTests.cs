using System.Text.RegularExpressions;
using KprobeTrace.Tests.Guests;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace KprobeTrace.Tests.Architecture;

/// <summary>Holds docs/saved-state.md to the structs that are saved. With UPDATE_GOLDEN=1 its list of them is written anew.</summary>
public sealed partial class SavedStatePageTests
{
    [Fact]
    public void The_page_lists_every_field_of_every_state()
    {
        string path = Repository.PathOf("docs/saved-state.md");
        string page = File.ReadAllText(path);
        string introduction = page[..page.IndexOf("| part | offset |", StringComparison.Ordinal)];
        string expected = introduction + string.Join('\n', Rows()) + "\n";
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(path, page = expected);
        }

        Assert.Equal(expected.Split('\n'), page.Split('\n'));
    }

    private static IEnumerable<string> Rows()
    {
        yield return "| part | offset | bytes | field | is |";
        yield return "|---|---|---|---|---|";
        foreach ((string owner, INamedTypeSymbol state) in StateFields.All().OrderBy(static s => s.Owner, StringComparer.Ordinal))
        {
            int offset = 0;
            foreach (IFieldSymbol field in state.GetMembers().OfType<IFieldSymbol>().Where(static f => !f.IsStatic))
            {
                int size = Size(field.Type);
                yield return $"| {owner} | {offset} | {size} | {field.Name} | {Summary(field)} |";
                offset += size;
            }
        }
    }

    private static int Size(ITypeSymbol type) => type.SpecialType switch
    {
        SpecialType.System_Byte or SpecialType.System_SByte or SpecialType.System_Boolean => 1,
        SpecialType.System_Int16 or SpecialType.System_UInt16 => 2,
        SpecialType.System_Int32 or SpecialType.System_UInt32 => 4,
        SpecialType.System_Int64 or SpecialType.System_UInt64 => 8,
        _ when type is INamedTypeSymbol { EnumUnderlyingType: { } number } => Size(number),
        _ => type.GetMembers().OfType<IFieldSymbol>().Where(static f => !f.IsStatic).Sum(static f => Size(f.Type)) * Repeats(type),
    };

    private static int Repeats(ITypeSymbol type) =>
        type.GetAttributes().FirstOrDefault(static a => a.AttributeClass?.Name == "InlineArrayAttribute")?.ConstructorArguments[0].Value as int? ?? 1;

    /// <summary>The words of a field's doc comment; names of other fields stand without their tags.</summary>
    private static string Summary(IFieldSymbol field)
    {
        string comment = field.DeclaringSyntaxReferences[0].GetSyntax().FirstAncestorOrSelf<FieldDeclarationSyntax>()!.GetLeadingTrivia().ToFullString();
        return Tag().Replace(comment, "$1").Replace("///", "", StringComparison.Ordinal).Trim();
    }

    [GeneratedRegex("</?summary>|<see cref=\"(?:\\w+\\.)*(\\w+)\"/>")]
    private static partial Regex Tag();
}
