using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Shows a change on one line, with enough of the code round it to tell what it does.</summary>
internal static class CodeText
{
    /// <summary>What is printed for a statement that is not executed.</summary>
    public const string LeftOut = "(left out)";

    private const int Wide = 90;
    private const int Widest = 160;

    /// <summary>The code round a change, before and after it.</summary>
    public static (string Before, string After) Of(Change change)
    {
        if (change.Replacement is null)
        {
            return (Cut(OneLine(change.Node.ToString()), 0), LeftOut);
        }

        SyntaxNode context = change.Node;
        while (context.Parent is { } parent and not (BlockSyntax or SwitchSectionSyntax or MemberDeclarationSyntax or AccessorListSyntax or StatementSyntax { Parent: not BlockSyntax })
            && OneLine(parent.ToString()).Length <= Wide)
        {
            context = parent;
        }

        string text = context.ToString();
        int start = change.Node.SpanStart - context.SpanStart;
        string before = OneLine(text);
        string after = OneLine(text[..start] + change.Replacement.WithoutTrivia() + text[(start + change.Node.Span.Length)..]);
        int common = before.Zip(after).TakeWhile(pair => pair.First == pair.Second).Count();
        return (Cut(before, common), Cut(after, common));
    }

    private static string OneLine(string code) => string.Join(' ', code.Split([' ', '\n', '\r', '\t'], StringSplitOptions.RemoveEmptyEntries));

    // A long text is cut to what stands round the first difference.
    private static string Cut(string line, int difference)
    {
        if (line.Length <= Widest)
        {
            return line;
        }

        int from = Math.Max(0, Math.Min(difference - Widest / 3, line.Length - Widest));
        int to = Math.Min(line.Length, from + Widest);
        return (from > 0 ? "…" : "") + line[from..to] + (to < line.Length ? "…" : "");
    }
}
