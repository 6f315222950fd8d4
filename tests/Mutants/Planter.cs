using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Puts faults behind switches into the text of a file.</summary>
internal static class Planter
{
    /// <summary>The name the planted switches call.</summary>
    public const string Switch = "global::MutantSwitch.Is";

    /// <summary>The file with all given sites planted. Sites whose guarded nodes overlap must not be given together.</summary>
    public static string Plant(SyntaxNode root, IReadOnlyList<(int Id, Site Site)> mutants)
    {
        Dictionary<SyntaxNode, (int Id, Site Site)> byNode = mutants.ToDictionary(mutant => mutant.Site.Guarded);
        return root.ReplaceNodes(byNode.Keys, (node, _) => Guard(node, byNode[node].Id, byNode[node].Site.Change)).ToFullString();
    }

    /// <summary>The ids of switches that stand round a position of planted text.</summary>
    public static IEnumerable<int> SwitchesRound(SyntaxNode planted, int position)
    {
        SyntaxNode? node = planted.FindToken(position).Parent;
        for (; node is not null && node is not MemberDeclarationSyntax; node = node.Parent)
        {
            ExpressionSyntax? condition = node switch { ConditionalExpressionSyntax choice => choice.Condition, IfStatementSyntax check => check.Condition, _ => null };
            if (condition is not null && IdIn(condition) is int id)
            {
                yield return id;
            }
        }
    }

    /// <summary>The ids of all switches in the member round a position.</summary>
    public static IEnumerable<int> SwitchesInMember(SyntaxNode planted, int position) =>
        planted.FindToken(position).Parent?.AncestorsAndSelf().OfType<MemberDeclarationSyntax>().FirstOrDefault()?
            .DescendantNodes().OfType<ExpressionSyntax>().Select(IdIn).OfType<int>() ?? [];

    private static SyntaxNode Guard(SyntaxNode node, int id, Change change)
    {
        string text = node.ToString();
        if (change.Replacement is null)
        {
            return SyntaxFactory.ParseStatement($"if (!{Switch}({id})) {{ {text} }}").WithTriviaFrom(node);
        }

        if (node is StatementSyntax)
        {
            return SyntaxFactory.ParseStatement($"if ({Switch}({id})) {{ {change.Replacement} }} else {{ {text} }}").WithTriviaFrom(node);
        }

        int start = change.Node.SpanStart - node.SpanStart;
        string changed = text[..start] + change.Replacement.WithoutTrivia() + text[(start + change.Node.Span.Length)..];
        if (node is AssignmentExpressionSyntax && node.Parent is ExpressionStatementSyntax)
        {
            return SyntaxFactory.ParseExpression($"_ = {Switch}({id}) ? ({changed}) : ({text})").WithTriviaFrom(node);
        }

        return SyntaxFactory.ParseExpression($"({Switch}({id}) ? ({changed}) : ({text}))").WithTriviaFrom(node);
    }

    private static int? IdIn(ExpressionSyntax condition)
    {
        ExpressionSyntax inner = condition is PrefixUnaryExpressionSyntax not ? not.Operand : condition;
        return inner is InvocationExpressionSyntax call && call.Expression.ToString() == Switch
            ? (int?)((LiteralExpressionSyntax)call.ArgumentList.Arguments[0].Expression).Token.Value
            : null;
    }
}
