namespace KprobeTrace.Tests.Record.Documents;

/// <summary>What came of a command of a page.</summary>
/// <param name="Command">The command.</param>
/// <param name="Exit">Its exit status.</param>
/// <param name="Printed">Its standard output line by line, without blanks at the end of a line.</param>
/// <param name="Error">Its standard error.</param>
internal sealed record PageRun(PageCommand Command, int Exit, IReadOnlyList<string> Printed, string Error);
