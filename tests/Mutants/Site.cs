using Microsoft.CodeAnalysis;

namespace KprobeTrace.Tests.Mutants;

/// <summary>A place where a fault may be planted.</summary>
/// <param name="Folder">The folder it counts for.</param>
/// <param name="File">The file, below the root.</param>
/// <param name="Change">What would be planted.</param>
/// <param name="Guarded">The expression or statement that the switch goes round.</param>
internal sealed record Site(string Folder, string File, Change Change, SyntaxNode Guarded)
{
    /// <summary>The line of the changed code, from 1.</summary>
    public int Line => Change.Node.GetLocation().GetLineSpan().StartLinePosition.Line + 1;

    /// <summary>What tells it from other faults.</summary>
    public Fault Fault
    {
        get
        {
            (string before, string after) = CodeText.Of(Change);
            return new Fault(File, Change.Operator, before, after);
        }
    }
}
