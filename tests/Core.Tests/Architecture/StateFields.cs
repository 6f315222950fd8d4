using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Architecture;

/// <summary>What can change in instances of the classes of a machine, as the compiler knows their fields.</summary>
internal static class StateFields
{
    /// <summary>The name of the struct that holds what a part of a machine keeps.</summary>
    public const string State = "State";

    /// <summary>
    /// Fields that can be set after the constructor, and arrays and collections, whose elements can; without those that are a
    /// <see cref="State"/>, and without parameters of primary constructors, which nothing assigns. As <c>Class.Member</c>.
    /// </summary>
    public static IEnumerable<string> Outside() => Classes()
        .SelectMany(static type => type.GetMembers().OfType<IFieldSymbol>())
        .Where(static field => !field.IsStatic && !field.IsConst && (field.CanBeReferencedByName || field.AssociatedSymbol is not null) && !IsState(field.Type) && (!field.IsReadOnly || HasElements(field.Type)))
        .Select(static field => $"{field.ContainingType.Name}.{(field.AssociatedSymbol ?? field).Name}")
        .Distinct().Order(StringComparer.Ordinal);

    /// <summary>The states of the parts of a machine, by the class that has each.</summary>
    public static IEnumerable<(string Owner, INamedTypeSymbol State)> All() => Classes()
        .SelectMany(static type => type.GetMembers().OfType<IFieldSymbol>().Where(static field => !field.IsStatic && IsState(field.Type))
            .Select(field => (type.Name, (INamedTypeSymbol)field.Type)));

    /// <summary>The state of the processor.</summary>
    public static INamedTypeSymbol Processor { get; } = SourceCompilation.Models[0].Compilation.GetTypeByMetadataName("KprobeTrace.Cpu.State.CpuState")!;

    private static IEnumerable<INamedTypeSymbol> Classes() => SourceCompilation.Models
        .Where(static model => FolderUses.FolderOf(model.SyntaxTree.FilePath).Split('/')[0] is "Devices" or "Machine")
        .SelectMany(static model => model.SyntaxTree.GetRoot().DescendantNodes().OfType<TypeDeclarationSyntax>().Select(type => model.GetDeclaredSymbol(type)!))
        .Where(static type => type.TypeKind == TypeKind.Class)
        .Distinct<INamedTypeSymbol>(SymbolEqualityComparer.Default);

    private static bool IsState(ITypeSymbol type) => type.Name == State && type.TypeKind == TypeKind.Struct && type.ContainingType is not null;

    private static bool HasElements(ITypeSymbol type) =>
        type is IArrayTypeSymbol || type.AllInterfaces.Any(static i => i.Name is "ICollection" or "IReadOnlyCollection");
}
