using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>The other one of two that belong together: the end for the start, run A for run B.</summary>
internal sealed partial class SiblingNames : IMutationOperator
{
    private static readonly (string One, string Other)[] _pairs =
    [
        ("From", "To"), ("Start", "End"), ("Begin", "End"), ("First", "Last"), ("Min", "Max"), ("Low", "High"), ("Lower", "Upper"), ("Left", "Right"), ("Read", "Write"),
        ("A", "B"), ("Source", "Target"), ("Before", "After"), ("Pre", "Post"), ("Entry", "Return"), ("Old", "New"), ("Base", "Limit"), ("Offset", "Length"), ("Head", "Tail"),
        ("Tx", "Rx"), ("Row", "Column"), ("Key", "Value"), ("Name", "Symbol"), ("Hits", "Missed"), ("Total", "Count"), ("Pid", "Tgid"), ("Initial", "Current"),
    ];

    private readonly Dictionary<SyntaxTree, HashSet<string>> _names = [];

    public IEnumerable<Change> At(SyntaxNode node)
    {
        switch (node)
        {
            case IdentifierNameSyntax name when IsValue(name):
                foreach (string other in Siblings(name.Identifier.ValueText, NamesIn(node.SyntaxTree)))
                {
                    yield return new Change("wrong name", name, SyntaxFactory.IdentifierName(other));
                }

                break;
            case MemberAccessExpressionSyntax { Name: IdentifierNameSyntax name, Parent: not InvocationExpressionSyntax } member when !IsTarget(member):
                foreach (string other in Siblings(name.Identifier.ValueText, NamesIn(node.SyntaxTree)))
                {
                    yield return new Change("wrong name", member, member.WithName(SyntaxFactory.IdentifierName(other)));
                }

                break;
        }
    }

    private HashSet<string> NamesIn(SyntaxTree tree)
    {
        if (!_names.TryGetValue(tree, out HashSet<string>? names))
        {
            names = _names[tree] = [.. tree.GetRoot().DescendantTokens().Where(token => token.IsKind(SyntaxKind.IdentifierToken)).Select(token => token.ValueText)];
        }

        return names;
    }

    private static bool IsValue(IdentifierNameSyntax name) =>
        name.Parent is ArgumentSyntax or BinaryExpressionSyntax or EqualsValueClauseSyntax or ArrowExpressionClauseSyntax or ReturnStatementSyntax or ConditionalExpressionSyntax or CastExpressionSyntax
            or ParenthesizedExpressionSyntax or InterpolationSyntax
            || name.Parent is AssignmentExpressionSyntax assignment && assignment.Right == name
            || name.Parent is MemberAccessExpressionSyntax member && member.Expression == name && !char.IsUpper(name.Identifier.ValueText[0]);

    private static bool IsTarget(MemberAccessExpressionSyntax member) =>
        member.Parent is AssignmentExpressionSyntax assignment && assignment.Left == member || member.Parent is MemberAccessExpressionSyntax or PostfixUnaryExpressionSyntax or PrefixUnaryExpressionSyntax;

    private static IEnumerable<string> Siblings(string name, HashSet<string> names)
    {
        foreach (Match word in Word().Matches(name))
        {
            foreach (string other in _pairs.Select(pair => Other(word.Value, pair)).OfType<string>())
            {
                string sibling = name[..word.Index] + other + name[(word.Index + word.Length)..];
                if (names.Contains(sibling))
                {
                    yield return sibling;
                }
            }
        }
    }

    private static string? Other(string word, (string One, string Other) pair)
    {
        string capital = char.ToUpperInvariant(word[0]) + word[1..];
        string? other = capital == pair.One ? pair.Other : capital == pair.Other ? pair.One : null;
        return other is null || char.IsUpper(word[0]) ? other : char.ToLowerInvariant(other[0]) + other[1..];
    }

    [GeneratedRegex("[A-Z]?[a-z]+|[A-Z]")]
    private static partial Regex Word();
}
