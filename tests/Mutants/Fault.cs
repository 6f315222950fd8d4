namespace KprobeTrace.Tests.Mutants;

/// <summary>What tells a fault from others, without a line: edits elsewhere in the file do not change it.</summary>
/// <param name="File">The file, below the root.</param>
/// <param name="Operator">The kind of fault.</param>
/// <param name="Before">The code round the change, on one line.</param>
/// <param name="After">The same with the change.</param>
internal sealed record Fault(string File, string Operator, string Before, string After);
