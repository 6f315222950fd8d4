using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using static Microsoft.CodeAnalysis.CSharp.SyntaxKind;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>A limit off by one (&lt; for &lt;=), a comparison turned round, a wrong arithmetic or bit operator, operands swapped.</summary>
internal sealed class BinaryOperators : IMutationOperator
{
    private static readonly Dictionary<SyntaxKind, (string Name, SyntaxKind To, SyntaxKind Token)[]> _others = new()
    {
        [LessThanExpression] = [("limit", LessThanOrEqualExpression, LessThanEqualsToken), ("comparison", GreaterThanExpression, GreaterThanToken)],
        [LessThanOrEqualExpression] = [("limit", LessThanExpression, LessThanToken)],
        [GreaterThanExpression] = [("limit", GreaterThanOrEqualExpression, GreaterThanEqualsToken), ("comparison", LessThanExpression, LessThanToken)],
        [GreaterThanOrEqualExpression] = [("limit", GreaterThanExpression, GreaterThanToken)],
        [EqualsExpression] = [("comparison", NotEqualsExpression, ExclamationEqualsToken)],
        [NotEqualsExpression] = [("comparison", EqualsExpression, EqualsEqualsToken)],
        [LogicalAndExpression] = [("logic", LogicalOrExpression, BarBarToken)],
        [LogicalOrExpression] = [("logic", LogicalAndExpression, AmpersandAmpersandToken)],
        [AddExpression] = [("arithmetic", SubtractExpression, MinusToken)],
        [SubtractExpression] = [("arithmetic", AddExpression, PlusToken)],
        [MultiplyExpression] = [("unit", DivideExpression, SlashToken)],
        [DivideExpression] = [("unit", MultiplyExpression, AsteriskToken)],
        [ModuloExpression] = [("arithmetic", DivideExpression, SlashToken)],
        [LeftShiftExpression] = [("bits", RightShiftExpression, GreaterThanGreaterThanToken)],
        [RightShiftExpression] = [("bits", LeftShiftExpression, LessThanLessThanToken)],
        [BitwiseAndExpression] = [("bits", BitwiseOrExpression, BarToken)],
        [BitwiseOrExpression] = [("bits", BitwiseAndExpression, AmpersandToken)],
        [ExclusiveOrExpression] = [("bits", BitwiseOrExpression, BarToken)],
    };

    private static readonly HashSet<SyntaxKind> _ordered = [SubtractExpression, DivideExpression, ModuloExpression, LeftShiftExpression, RightShiftExpression];

    public IEnumerable<Change> At(SyntaxNode node)
    {
        if (node is not BinaryExpressionSyntax binary || IsText(binary.Left) || IsText(binary.Right))
        {
            yield break;
        }

        foreach ((string name, SyntaxKind to, SyntaxKind token) in _others.GetValueOrDefault(binary.Kind(), []))
        {
            yield return new Change(name, binary, SyntaxFactory.BinaryExpression(to, binary.Left, SyntaxFactory.Token(token).WithTriviaFrom(binary.OperatorToken), binary.Right));
        }

        if (_ordered.Contains(binary.Kind()) && !IsDistance(binary) && !SyntaxFactory.AreEquivalent(binary.Left, binary.Right) && binary.Left is not LiteralExpressionSyntax && binary.Right is not LiteralExpressionSyntax)
        {
            BinaryExpressionSyntax swapped = binary
                .WithLeft(SyntaxFactory.ParenthesizedExpression(binary.Right.WithoutTrivia()).WithTrailingTrivia(SyntaxFactory.Space))
                .WithRight(SyntaxFactory.ParenthesizedExpression(binary.Left.WithoutTrivia()));
            yield return new Change("swapped operands", binary, swapped);
        }
    }

    // A distance is the same both ways.
    private static bool IsDistance(BinaryExpressionSyntax binary) =>
        binary is { RawKind: (int)SubtractExpression, Parent: ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax call } } && call.Expression.ToString() == "Math.Abs";

    private static bool IsText(ExpressionSyntax operand) => operand is InterpolatedStringExpressionSyntax || operand.IsKind(StringLiteralExpression);
}
