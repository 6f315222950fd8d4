using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>A constant off by one, a unit off by a thousand, a flag that is the other way round.</summary>
internal sealed class Literals : IMutationOperator
{
    public IEnumerable<Change> At(SyntaxNode node)
    {
        if (node is not LiteralExpressionSyntax literal)
        {
            yield break;
        }

        switch (literal.Kind())
        {
            case SyntaxKind.TrueLiteralExpression:
                yield return new Change("flag", literal, SyntaxFactory.LiteralExpression(SyntaxKind.FalseLiteralExpression));
                break;
            case SyntaxKind.FalseLiteralExpression:
                yield return new Change("flag", literal, SyntaxFactory.LiteralExpression(SyntaxKind.TrueLiteralExpression));
                break;
            case SyntaxKind.NumericLiteralExpression when literal.Token.Value is int or uint or long or ulong:
                foreach (Change change in OfNumber(literal))
                {
                    yield return change;
                }

                break;
        }
    }

    private static IEnumerable<Change> OfNumber(LiteralExpressionSyntax literal)
    {
        ulong value = literal.Token.Value is int or long
            ? (ulong)Convert.ToInt64(literal.Token.Value, CultureInfo.InvariantCulture)
            : Convert.ToUInt64(literal.Token.Value, CultureInfo.InvariantCulture);
        string suffix = literal.Token.Value switch { uint => "u", long => "L", ulong => "ul", _ => "" };
        if (value < int.MaxValue)
        {
            yield return new Change("off by one", literal, Number(value + 1, suffix));
        }

        if (value > 0)
        {
            yield return new Change("off by one", literal, Number(value - 1, suffix));
        }

        if (value is 1_000 or 1_000_000 or 1_000_000_000)
        {
            yield return new Change("unit", literal, Number(value / 1_000, suffix));
        }
    }

    private static ExpressionSyntax Number(ulong value, string suffix) =>
        SyntaxFactory.ParseExpression(value.ToString(CultureInfo.InvariantCulture) + suffix);
}
