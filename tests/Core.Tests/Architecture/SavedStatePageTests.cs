using System.Text.RegularExpressions;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
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
        IEnumerable<(string Owner, INamedTypeSymbol State)> states = StateFields.All().Append((nameof(CpuState), StateFields.Processor));
        foreach ((string owner, INamedTypeSymbol state) in states.OrderBy(static s => s.Owner, StringComparer.Ordinal))
        {
            foreach ((IFieldSymbol field, int offset, int size) in Places(state))
            {
                yield return $"| {owner} | {offset} | {size} | {field.Name} | {Summary(field)} |";
            }
        }
    }

    [Fact]
    public void The_page_has_the_processors_state_as_it_lies_in_memory()
    {
        (_, int offset, int size) = Places(StateFields.Processor).Last();

        Assert.Equal(Processor.StateBytes, Up(offset + size, sizeof(ulong)));
    }

    /// <summary>Where the fields of a struct lie: one behind the other, each aligned unless the struct is packed.</summary>
    private static IEnumerable<(IFieldSymbol Field, int Offset, int Size)> Places(INamedTypeSymbol type)
    {
        bool packed = IsPacked(type);
        int offset = 0;
        foreach (IFieldSymbol field in type.GetMembers().OfType<IFieldSymbol>().Where(static f => !f.IsStatic && !f.IsConst))
        {
            (int size, int alignment) = Room(field);
            offset = packed ? offset : Up(offset, alignment);
            yield return (field, offset, size);
            offset += size;
        }
    }

    private static (int Size, int Alignment) Room(IFieldSymbol field)
    {
        if (field.IsFixedSizeBuffer)
        {
            int element = Size(((IPointerTypeSymbol)field.Type).PointedAtType);
            return (element * field.FixedSize, element);
        }

        return (Size(field.Type), Alignment(field.Type));
    }

    private static int Alignment(ITypeSymbol type) =>
        type.TypeKind is TypeKind.Pointer or TypeKind.FunctionPointer || type.SpecialType != SpecialType.None || type.TypeKind == TypeKind.Enum ? Size(type)
        : Places((INamedTypeSymbol)type).Select(static p => Room(p.Field).Alignment).Max();

    private static int Up(int offset, int alignment) => (offset + alignment - 1) / alignment * alignment;

    private static int Size(ITypeSymbol type) => type.SpecialType switch
    {
        SpecialType.System_Byte or SpecialType.System_SByte or SpecialType.System_Boolean => 1,
        SpecialType.System_Int16 or SpecialType.System_UInt16 => 2,
        SpecialType.System_Int32 or SpecialType.System_UInt32 => 4,
        SpecialType.System_Int64 or SpecialType.System_UInt64 => 8,
        SpecialType.System_IntPtr or SpecialType.System_UIntPtr => 8,
        _ when type.TypeKind is TypeKind.Pointer or TypeKind.FunctionPointer => 8,
        _ when type is INamedTypeSymbol { EnumUnderlyingType: { } number } => Size(number),
        _ => SizeOfStruct((INamedTypeSymbol)type) * Repeats(type),
    };

    private static int SizeOfStruct(INamedTypeSymbol type)
    {
        (IFieldSymbol Field, int Offset, int Size)[] places = [.. Places(type)];
        int end = places[^1].Offset + places[^1].Size;
        return IsPacked(type) ? end : Up(end, Alignment(type));
    }

    private static bool IsPacked(INamedTypeSymbol type) => type.GetAttributes().Any(static a => a.AttributeClass?.Name == "StructLayoutAttribute" && a.NamedArguments.Any(static n => n.Key == "Pack" && n.Value.Value is 1));

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
