using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>The next name of an enumeration: the wrong kind of event, the wrong way of ending.</summary>
/// <param name="enumerations">The enumerations of all sources.</param>
internal sealed class EnumerationNames(IEnumerable<EnumDeclarationSyntax> enumerations) : IMutationOperator
{
    private readonly ILookup<string, string[]> _names = enumerations.ToLookup(
        declaration => declaration.Identifier.ValueText, declaration => declaration.Members.Select(member => member.Identifier.ValueText).ToArray());

    public IEnumerable<Change> At(SyntaxNode node)
    {
        switch (node)
        {
            case MemberAccessExpressionSyntax { Expression: IdentifierNameSyntax type, Name: IdentifierNameSyntax name } member when Next(type, name) is SimpleNameSyntax next:
                yield return new Change("wrong kind", member, member.WithName(next));
                break;
            case BinaryExpressionSyntax { RawKind: (int)SyntaxKind.IsExpression, Right: QualifiedNameSyntax { Left: IdentifierNameSyntax type, Right: var name } constant } test when Next(type, name) is SimpleNameSyntax next:
                yield return new Change("wrong kind", test, test.WithRight(constant.WithRight(next))); // a type, for all that syntax tells
                break;
        }
    }

    private IdentifierNameSyntax? Next(IdentifierNameSyntax type, SimpleNameSyntax name) =>
        _names[type.Identifier.ValueText].FirstOrDefault(names => names.Length > 1 && names.Contains(name.Identifier.ValueText)) is string[] names
            ? SyntaxFactory.IdentifierName(names[(Array.IndexOf(names, name.Identifier.ValueText) + 1) % names.Length])
            : null;
}
