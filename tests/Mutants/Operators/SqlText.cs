using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>Faults inside SQL: limits, order, aggregates, joins.</summary>
internal sealed partial class SqlText : IMutationOperator
{
    private static readonly (Regex Word, string Other)[] _others =
    [
        (LessOrEqual(), "<"), (Less(), "<="), (GreaterOrEqual(), ">"), (Greater(), ">="), (Min(), "max("), (Max(), "min("),
        (Descending(), " asc"), (And(), " or "), (LeftJoin(), "join"), (Distinct(), ""), (IsNotNull(), "is null"), (CountAll(), "sum(1)+1"),
    ];

    public IEnumerable<Change> At(SyntaxNode node)
    {
        string text = node switch
        {
            LiteralExpressionSyntax { RawKind: (int)SyntaxKind.StringLiteralExpression } literal => literal.Token.Text,
            InterpolatedStringExpressionSyntax interpolated => interpolated.ToString(),
            _ => "",
        };
        if (!Statement().IsMatch(text) || text.Contains("boot.mpk", StringComparison.Ordinal)) // an example in the help
        {
            yield break;
        }

        foreach ((Regex word, string other) in _others)
        {
            foreach (Match match in word.Matches(text))
            {
                ExpressionSyntax changed = SyntaxFactory.ParseExpression(text[..match.Index] + other + text[(match.Index + match.Length)..]);
                if (!changed.ContainsDiagnostics)
                {
                    yield return new Change("sql", node, changed);
                }
            }
        }
    }

    [GeneratedRegex(@"\bselect\b[\s\S]*\bfrom\b|\b(order by|group by|left join|delete from|insert into|with recursive)\s|\bwhere\s+\S+\s*(=|<|>|\bis\b|\bin\b|\blike\b|\bbetween\b)|^\S?\s*and\s+\S+\s*(=|<|>)", RegexOptions.IgnoreCase)]
    private static partial Regex Statement();

    [GeneratedRegex("<=")]
    private static partial Regex LessOrEqual();

    [GeneratedRegex("(?<![<])<(?![=>])")]
    private static partial Regex Less();

    [GeneratedRegex(">=")]
    private static partial Regex GreaterOrEqual();

    [GeneratedRegex("(?<![<>])>(?![=])")]
    private static partial Regex Greater();

    [GeneratedRegex(@"\bmin\(", RegexOptions.IgnoreCase)]
    private static partial Regex Min();

    [GeneratedRegex(@"\bmax\(", RegexOptions.IgnoreCase)]
    private static partial Regex Max();

    [GeneratedRegex(@"\sdesc\b", RegexOptions.IgnoreCase)]
    private static partial Regex Descending();

    [GeneratedRegex(@"\sand\s", RegexOptions.IgnoreCase)]
    private static partial Regex And();

    [GeneratedRegex(@"\bleft join\b", RegexOptions.IgnoreCase)]
    private static partial Regex LeftJoin();

    [GeneratedRegex(@"\bdistinct\b", RegexOptions.IgnoreCase)]
    private static partial Regex Distinct();

    [GeneratedRegex(@"\bis not null\b", RegexOptions.IgnoreCase)]
    private static partial Regex IsNotNull();

    [GeneratedRegex(@"\bcount\(\*\)", RegexOptions.IgnoreCase)]
    private static partial Regex CountAll();
}
