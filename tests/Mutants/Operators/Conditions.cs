using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>A check that never or always holds, a missed null, a negation forgotten.</summary>
internal sealed class Conditions : IMutationOperator
{
    public IEnumerable<Change> At(SyntaxNode node) => node switch
    {
        IfStatementSyntax check when Harmless.IsElsewhere(check.Condition) => [Always(check.Condition)],
        ConditionalExpressionSyntax choice when Harmless.IsElsewhere(choice.Condition) => [Always(choice.Condition)],
        IfStatementSyntax { Else: null } check => [Never(check.Condition)],
        IfStatementSyntax check => [Never(check.Condition), Always(check.Condition)],
        ConditionalExpressionSyntax choice => [Never(choice.Condition), Always(choice.Condition)],
        PrefixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.LogicalNotExpression } not => [new Change("negation", not, not.Operand.WithoutTrivia())],
        BinaryExpressionSyntax { RawKind: (int)SyntaxKind.CoalesceExpression, Right: not ThrowExpressionSyntax } coalesce =>
            [new Change("missed null", coalesce, coalesce.Right.WithoutTrivia()), new Change("missed null", coalesce, SyntaxFactory.PostfixUnaryExpression(SyntaxKind.SuppressNullableWarningExpression, coalesce.Left.WithoutTrivia()))],
        IsPatternExpressionSyntax { Pattern: UnaryPatternSyntax { Pattern: var pattern } } test => [new Change("negation", test, test.WithPattern(pattern))],
        _ => [],
    };

    private static Change Never(ExpressionSyntax condition) =>
        new("check left out", condition, SyntaxFactory.LiteralExpression(SyntaxKind.FalseLiteralExpression));

    private static Change Always(ExpressionSyntax condition) =>
        new("check left out", condition, SyntaxFactory.LiteralExpression(SyntaxKind.TrueLiteralExpression));
}
