using Microsoft.CodeAnalysis;

namespace KprobeTrace.Tests.Mutants;

/// <summary>What an operator proposes: one node of a file and what stands for it. No replacement means that a statement is left out.</summary>
internal sealed record Change(string Operator, SyntaxNode Node, SyntaxNode? Replacement);
