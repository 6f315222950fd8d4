using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>Arguments swapped, the wrong one of two methods, sorted the wrong way round, a filter left out.</summary>
internal sealed class Calls : IMutationOperator
{
    private static readonly Dictionary<string, string> _others = new()
    {
        ["Min"] = "Max",
        ["Max"] = "Min",
        ["First"] = "Last",
        ["Last"] = "First",
        ["FirstOrDefault"] = "LastOrDefault",
        ["LastOrDefault"] = "FirstOrDefault",
        ["Any"] = "All",
        ["All"] = "Any",
        ["OrderBy"] = "OrderByDescending",
        ["OrderByDescending"] = "OrderBy",
        ["ThenBy"] = "ThenByDescending",
        ["ThenByDescending"] = "ThenBy",
        ["Skip"] = "Take",
        ["Take"] = "Skip",
        ["IndexOf"] = "LastIndexOf",
        ["LastIndexOf"] = "IndexOf",
        ["StartsWith"] = "EndsWith",
        ["EndsWith"] = "StartsWith",
        ["TrimStart"] = "TrimEnd",
        ["TrimEnd"] = "TrimStart",
        ["PadLeft"] = "PadRight",
        ["PadRight"] = "PadLeft",
        ["LeadingZeroCount"] = "TrailingZeroCount",
        ["TrailingZeroCount"] = "LeadingZeroCount",
        ["RotateLeft"] = "RotateRight",
        ["ReadUInt32LittleEndian"] = "ReadUInt32BigEndian",
        ["ReadUInt16LittleEndian"] = "ReadUInt16BigEndian",
        ["ReadUInt64LittleEndian"] = "ReadUInt64BigEndian",
        ["FromSeconds"] = "FromMilliseconds",
        ["FromMilliseconds"] = "FromSeconds",
        ["Floor"] = "Ceiling",
        ["Ceiling"] = "Floor",
        ["ToUpperInvariant"] = "ToLowerInvariant",
        ["ToLowerInvariant"] = "ToUpperInvariant",
        ["Union"] = "Intersect",
    };

    private static readonly HashSet<string> _filters = ["Where", "Distinct", "Reverse", "OrderBy", "Skip", "SkipWhile", "Take", "TakeWhile", "Trim", "TrimEnd", "TrimStart"];

    private static readonly HashSet<string> _symmetric = ["Min", "Max", "Equals", "ReferenceEquals", "SequenceEqual", "Combine"];

    public IEnumerable<Change> At(SyntaxNode node)
    {
        if (node is ArgumentListSyntax { Arguments: var arguments, Parent: InvocationExpressionSyntax or ObjectCreationExpressionSyntax } list && !IsSymmetric(list.Parent))
        {
            for (int i = 0; i + 1 < arguments.Count; i++)
            {
                if (!SyntaxFactory.AreEquivalent(arguments[i].Expression, arguments[i + 1].Expression) && arguments[i].NameColon is null && arguments[i + 1].NameColon is null)
                {
                    SeparatedSyntaxList<ArgumentSyntax> swapped = arguments.Replace(arguments[i], arguments[i + 1].WithTriviaFrom(arguments[i]));
                    swapped = swapped.Replace(swapped[i + 1], arguments[i].WithTriviaFrom(arguments[i + 1]));
                    yield return new Change("swapped arguments", list.Parent!, list.Parent!.ReplaceNode(list, list.WithArguments(swapped)));
                }
            }
        }

        if (node is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name: IdentifierNameSyntax name } member } call)
        {
            if (_others.TryGetValue(name.Identifier.ValueText, out string? other) && !OnlyAsksWhether(name, call))
            {
                yield return new Change("wrong method", call, call.WithExpression(member.WithName(SyntaxFactory.IdentifierName(other))));
            }

            if (_filters.Contains(name.Identifier.ValueText))
            {
                yield return new Change("filter left out", call, member.Expression.WithoutTrivia());
            }
        }
    }

    // From which end something is looked for makes no difference to whether it is there.
    private static bool OnlyAsksWhether(IdentifierNameSyntax name, InvocationExpressionSyntax call) =>
        name.Identifier.ValueText is "IndexOf" or "LastIndexOf"
        && call.Parent is BinaryExpressionSyntax { RawKind: (int)SyntaxKind.LessThanExpression or (int)SyntaxKind.GreaterThanOrEqualExpression, Right: LiteralExpressionSyntax { Token.Value: 0 } };

    private static bool IsSymmetric(SyntaxNode? call) =>
        call is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax member } && _symmetric.Contains(member.Name.Identifier.ValueText);
}
