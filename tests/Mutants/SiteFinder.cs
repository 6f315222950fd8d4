using KprobeTrace.Tests.Mutants.Operators;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Finds every place where an operator fits and a switch can stand.</summary>
/// <param name="sources">The syntax of all sources.</param>
internal sealed class SiteFinder(IReadOnlyCollection<SyntaxNode> sources)
{
    private readonly IMutationOperator[] _operators =
    [
        new BinaryOperators(), new Literals(), new Conditions(), new Statements(), new Calls(), new Values(new Types(sources.Select(root => root.SyntaxTree))), new Patterns(),
        new SqlText(), new SiblingNames(), new EnumerationNames(sources.SelectMany(root => root.DescendantNodes().OfType<EnumDeclarationSyntax>())),
    ];

    /// <summary>The sites of one file.</summary>
    /// <param name="file">Its path below the root, with forward slashes.</param>
    /// <param name="root">Its syntax.</param>
    public IEnumerable<Site> In(string file, SyntaxNode root)
    {
        string folder = FolderOf(file);
        foreach (SyntaxNode node in root.DescendantNodes(node => !Harmless.Is(node)).Where(node => !Harmless.Is(node)))
        {
            foreach (Change change in _operators.SelectMany(o => o.At(node)))
            {
                if (Guarded(change) is SyntaxNode guarded)
                {
                    yield return new Site(folder, file, change, guarded);
                }
            }
        }
    }

    /// <summary>The folder a file counts for: <c>Cpu</c> for all below src/Core/Cpu, <c>Core</c> for those in src/Core itself, the tool for those of a tool.</summary>
    public static string FolderOf(string file)
    {
        string[] parts = file.Split('/');
        return parts[1] == "Core" && parts.Length > 3 ? parts[2] : parts[1];
    }

    private static SyntaxNode? Guarded(Change change)
    {
        if (change.Node is StatementSyntax)
        {
            return change.Node.Parent is BlockSyntax or SwitchSectionSyntax ? change.Node : null;
        }

        // Patterns have no place for a switch of their own: the test or the switch expression round them has one.
        SyntaxNode? node = change.Node;
        while (node is PatternSyntax or SubpatternSyntax or SwitchExpressionArmSyntax or PropertyPatternClauseSyntax or PositionalPatternClauseSyntax
            || node?.Parent is PatternSyntax)
        {
            node = node.Parent;
        }

        return node is ExpressionSyntax and not (TypeSyntax and not IdentifierNameSyntax or DeclarationExpressionSyntax or StackAllocArrayCreationExpressionSyntax) && !IsStatement(node) ? node : null;
    }

    // An assignment or a call that stands as a statement has no value that a conditional expression could choose.
    private static bool IsStatement(SyntaxNode node) => node.Parent is ExpressionStatementSyntax && node is not AssignmentExpressionSyntax;
}
