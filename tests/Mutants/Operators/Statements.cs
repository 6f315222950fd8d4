using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>A forgotten reset, step or call; a loop left too early or not at all.</summary>
internal sealed class Statements : IMutationOperator
{
    public IEnumerable<Change> At(SyntaxNode node) => node switch
    {
        ExpressionStatementSyntax { Expression: AssignmentExpressionSyntax { Right: var right } } statement =>
            [new Change(IsEmpty(right) ? "forgotten reset" : "forgotten assignment", statement, null)],
        ExpressionStatementSyntax { Expression: InvocationExpressionSyntax call } statement when !IsGuard(call) =>
            [new Change(call.Expression.ToString().EndsWith(".Clear", StringComparison.Ordinal) ? "forgotten reset" : "forgotten call", statement, null)],
        ExpressionStatementSyntax { Expression: PostfixUnaryExpressionSyntax or PrefixUnaryExpressionSyntax } statement =>
            [new Change("forgotten step", statement, null)],
        ContinueStatementSyntax statement => [new Change("loop left", statement, SyntaxFactory.BreakStatement())],
        BreakStatementSyntax statement when InLoop(statement) => [new Change("loop not left", statement, SyntaxFactory.ContinueStatement())],
        _ => [],
    };

    private static bool InLoop(BreakStatementSyntax statement) =>
        statement.Ancestors().First(node => node is SwitchStatementSyntax or ForStatementSyntax or ForEachStatementSyntax or WhileStatementSyntax or DoStatementSyntax) is not SwitchStatementSyntax;

    private static bool IsEmpty(ExpressionSyntax value) =>
        value.Kind() is SyntaxKind.DefaultLiteralExpression or SyntaxKind.NullLiteralExpression or SyntaxKind.FalseLiteralExpression
        || value is CollectionExpressionSyntax { Elements.Count: 0 } or LiteralExpressionSyntax { Token.ValueText: "0" or "" };

    // Freed handles and contracts of the caller are no behaviour that a test of ours is for.
    private static bool IsGuard(InvocationExpressionSyntax call) =>
        call.Expression.ToString() is string name
        && (name.StartsWith("Debug.", StringComparison.Ordinal) || name.Contains(".ThrowIf", StringComparison.Ordinal)
            || name.EndsWith("Dispose", StringComparison.Ordinal) || name.EndsWith(".EnsureCapacity", StringComparison.Ordinal) || name.EndsWith(".TrimExcess", StringComparison.Ordinal)
            || name.StartsWith("GC.", StringComparison.Ordinal) || name is "Thread.Sleep" or "Thread.Yield" or "Thread.SpinWait");
}
