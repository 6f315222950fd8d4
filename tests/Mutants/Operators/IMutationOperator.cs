using Microsoft.CodeAnalysis;

namespace KprobeTrace.Tests.Mutants.Operators;

/// <summary>One kind of plausible fault.</summary>
internal interface IMutationOperator
{
    /// <summary>The changes it would make at a node, none where it does not fit.</summary>
    public IEnumerable<Change> At(SyntaxNode node);
}
