using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>A result that is empty, a width cut short, a count before and not after its step, a sum that is replaced.</summary>
/// <param name="types">What tells whether a narrower type loses anything, and whether a result is empty already.</param>
internal sealed class Values(Types types) : IMutationOperator
{
    private static readonly Dictionary<SyntaxKind, (SyntaxKind Type, int Bits)> _narrower = new()
    {
        [SyntaxKind.ULongKeyword] = (SyntaxKind.UIntKeyword, 32),
        [SyntaxKind.LongKeyword] = (SyntaxKind.IntKeyword, 32),
        [SyntaxKind.UIntKeyword] = (SyntaxKind.UShortKeyword, 16),
        [SyntaxKind.UShortKeyword] = (SyntaxKind.ByteKeyword, 8),
    };

    public IEnumerable<Change> At(SyntaxNode node)
    {
        switch (node)
        {
            case ReturnStatementSyntax { Expression: { } value } when !IsConstant(value):
                yield return new Change("empty result", value, SyntaxFactory.LiteralExpression(SyntaxKind.DefaultLiteralExpression));
                break;
            case ArrowExpressionClauseSyntax { Expression: { } value, Parent: MethodDeclarationSyntax } when !IsConstant(value):
                yield return new Change("empty result", value, SyntaxFactory.LiteralExpression(SyntaxKind.DefaultLiteralExpression));
                break;
            case CastExpressionSyntax { Type: PredefinedTypeSyntax type } cast when _narrower.TryGetValue(type.Keyword.Kind(), out (SyntaxKind Type, int Bits) narrow) && !types.Fits(cast.Expression, narrow.Bits):
                yield return new Change("width", cast, cast.WithExpression(SyntaxFactory.CastExpression(
                    SyntaxFactory.PredefinedType(SyntaxFactory.Token(narrow.Type)), SyntaxFactory.ParenthesizedExpression(cast.Expression.WithoutTrivia()))));
                break;
            case PostfixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.PostIncrementExpression, Operand: var operand } step when step.Parent is not (ForStatementSyntax or ExpressionStatementSyntax):
                yield return new Change("off by one", step, SyntaxFactory.PrefixUnaryExpression(SyntaxKind.PreIncrementExpression, operand.WithoutTrivia()));
                break;
            case AssignmentExpressionSyntax { RawKind: (int)SyntaxKind.AddAssignmentExpression } sum:
                yield return new Change("arithmetic", sum, Assignment(sum, SyntaxKind.SubtractAssignmentExpression, SyntaxKind.MinusEqualsToken));
                yield return new Change("sum that is replaced", sum, Assignment(sum, SyntaxKind.SimpleAssignmentExpression, SyntaxKind.EqualsToken));
                break;
            case AssignmentExpressionSyntax { RawKind: (int)SyntaxKind.OrAssignmentExpression } or:
                yield return new Change("bits", or, Assignment(or, SyntaxKind.AndAssignmentExpression, SyntaxKind.AmpersandEqualsToken));
                break;
        }
    }

    private static AssignmentExpressionSyntax Assignment(AssignmentExpressionSyntax like, SyntaxKind kind, SyntaxKind token) =>
        SyntaxFactory.AssignmentExpression(kind, like.Left, SyntaxFactory.Token(token).WithTriviaFrom(like.OperatorToken), like.Right);

    private bool IsConstant(ExpressionSyntax value) => value is LiteralExpressionSyntax or ThrowExpressionSyntax or RefExpressionSyntax || types.IsDefault(value);
}
