using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Architecture;

/// <summary>
/// Members of src that nothing in src uses and no user of the library can, as the compiler resolves names, calls, operators, patterns and
/// conversions. What users can name stands in PublicAPI.*.txt.
/// </summary>
internal static class UnusedMembers
{
    /// <summary>Every such member as <c>Type.Member</c>.</summary>
    public static IEnumerable<string> Find()
    {
        HashSet<ISymbol> used = new(SymbolEqualityComparer.Default);
        List<ISymbol> declared = [];
        foreach (SemanticModel model in SourceCompilation.Models)
        {
            foreach (SyntaxNode node in model.SyntaxTree.GetRoot().DescendantNodes(static n => n is not UsingDirectiveSyntax))
            {
                AddUses(model, node, used);
                if (node is MemberDeclarationSyntax or VariableDeclaratorSyntax or ParameterSyntax && Declared(model, node) is { } member)
                {
                    declared.Add(member);
                }
            }
        }

        return declared.Where(m => !used.Contains(m) && !IsUsedUnnamed(m) && !IsOfTheFace(m)).Select(static m => $"{m.ContainingType.Name}.{m.Name}")
            .Except(Started()).Distinct().Order(StringComparer.Ordinal);
    }

    /// <summary>What the first lines of the tools call.</summary>
    private static IEnumerable<string> Started() => SourceCompilation.In("src").Where(static f => Path.GetFileName(f) == "Program.cs")
        .SelectMany(static f => CSharpSyntaxTree.ParseText(File.ReadAllText(f)).GetRoot().DescendantNodes().OfType<MemberAccessExpressionSyntax>())
        .Select(static m => m.ToString());

    private static ISymbol? Declared(SemanticModel model, SyntaxNode node)
    {
        ISymbol? symbol = model.GetDeclaredSymbol(node);
        symbol = node is ParameterSyntax { Parent.Parent: RecordDeclarationSyntax record } parameter
            ? model.GetDeclaredSymbol(record)!.GetMembers(parameter.Identifier.Text).OfType<IPropertySymbol>().FirstOrDefault()
            : node is ParameterSyntax ? null : symbol;
        return symbol is IMethodSymbol or IPropertySymbol or IFieldSymbol or IEventSymbol ? symbol : null;
    }

    private static void AddUses(SemanticModel model, SyntaxNode node, HashSet<ISymbol> used)
    {
        SymbolInfo info = model.GetSymbolInfo(node);
        foreach (ISymbol symbol in info.Symbol is { } one ? [one] : info.CandidateSymbols)
        {
            // A call of itself keeps nothing alive.
            if (!Encloses(model, node, symbol))
            {
                Add(symbol, used);
            }
        }

        if (node is ForEachStatementSyntax loop && model.GetForEachStatementInfo(loop) is var each)
        {
            foreach (ISymbol? part in (ISymbol?[])[each.GetEnumeratorMethod, each.MoveNextMethod, each.CurrentProperty, each.DisposeMethod])
            {
                Add(part, used);
            }
        }

        if (node is ExpressionSyntax && model.GetConversion(node).MethodSymbol is { } conversion)
        {
            Add(conversion, used);
        }
    }

    private static bool Encloses(SemanticModel model, SyntaxNode node, ISymbol symbol) =>
        symbol is IMethodSymbol && SymbolEqualityComparer.Default.Equals(model.GetEnclosingSymbol(node.SpanStart)?.OriginalDefinition, symbol.OriginalDefinition);

    private static void Add(ISymbol? symbol, HashSet<ISymbol> used)
    {
        symbol = symbol is IMethodSymbol { ReducedFrom: { } extension } ? extension : symbol;
        if (symbol is not null)
        {
            _ = used.Add(symbol.OriginalDefinition);
        }

        // To compare records is to compare all that they hold.
        if (symbol is IMethodSymbol { ContainingType: { IsRecord: true } record, Name: "op_Equality" or "op_Inequality" or "Equals" or "GetHashCode" or "ToString" })
        {
            used.UnionWith(record.OriginalDefinition.GetMembers().OfType<IPropertySymbol>());
        }

        if (symbol is IMethodSymbol { AssociatedSymbol: { } property })
        {
            _ = used.Add(property.OriginalDefinition);
        }
    }

    /// <summary>Whether programs outside can name it.</summary>
    private static bool IsOfTheFace(ISymbol? symbol)
    {
        while (symbol is not (null or INamespaceSymbol) && symbol.DeclaredAccessibility == Accessibility.Public)
        {
            symbol = symbol.ContainingSymbol;
        }

        return symbol is INamespaceSymbol;
    }

    /// <summary>What is used without being named: overrides, interfaces' members, constructors, operators, names of enumerations, arrays that are structs.</summary>
    private static bool IsUsedUnnamed(ISymbol member) =>
        member.IsOverride || member.IsImplicitlyDeclared || member.ContainingType.TypeKind == TypeKind.Interface
        || member is IMethodSymbol { MethodKind: not MethodKind.Ordinary }
        || member is IFieldSymbol { ContainingType.TypeKind: TypeKind.Enum }
        || member is IMethodSymbol { Name: "Dispose", ContainingType.IsRefLikeType: true }
        || member.ContainingType.GetAttributes().Any(static a => a.AttributeClass?.Name == "InlineArrayAttribute")
        || member.ContainingType.AllInterfaces.SelectMany(static i => i.GetMembers())
            .Any(i => SymbolEqualityComparer.Default.Equals(member.ContainingType.FindImplementationForInterfaceMember(i), member));
}
