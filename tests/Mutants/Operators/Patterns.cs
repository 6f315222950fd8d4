using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>Limits inside patterns, one case too few, one guard too few.</summary>
internal sealed class Patterns : IMutationOperator
{
    public IEnumerable<Change> At(SyntaxNode node)
    {
        switch (node)
        {
            case RelationalPatternSyntax pattern when Moved(pattern.OperatorToken) is SyntaxToken token:
                yield return new Change("limit", pattern, pattern.WithOperatorToken(token));
                break;
            case BinaryPatternSyntax { RawKind: (int)SyntaxKind.OrPattern } either:
                if (!either.Right.IsKind(SyntaxKind.OrPattern))
                {
                    yield return new Change("case left out", either, either.Left.WithoutTrivia());
                }

                if (!either.Left.IsKind(SyntaxKind.OrPattern))
                {
                    yield return new Change("case left out", either, either.Right.WithoutTrivia());
                }

                break;
            case SwitchExpressionArmSyntax { WhenClause: { } guard }:
                yield return new Change("check left out", guard.Condition, SyntaxFactory.LiteralExpression(SyntaxKind.TrueLiteralExpression));
                break;
        }
    }

    private static SyntaxToken? Moved(SyntaxToken token) => token.Kind() switch
    {
        SyntaxKind.LessThanToken => SyntaxFactory.Token(SyntaxKind.LessThanEqualsToken).WithTriviaFrom(token),
        SyntaxKind.LessThanEqualsToken => SyntaxFactory.Token(SyntaxKind.LessThanToken).WithTriviaFrom(token),
        SyntaxKind.GreaterThanToken => SyntaxFactory.Token(SyntaxKind.GreaterThanEqualsToken).WithTriviaFrom(token),
        SyntaxKind.GreaterThanEqualsToken => SyntaxFactory.Token(SyntaxKind.GreaterThanToken).WithTriviaFrom(token),
        _ => null,
    };
}
