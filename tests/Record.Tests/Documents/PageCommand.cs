namespace KprobeTrace.Tests.Record.Documents;

/// <summary>A command that a page shows, and what the page says that it prints.</summary>
/// <param name="Line">Index of its first line in the page.</param>
/// <param name="Text">The command, without the prompt.</param>
/// <param name="Indent">What stands before each line of its block.</param>
/// <param name="OutputLine">Index of the first line of its output.</param>
/// <param name="Output">The lines that it prints, where <c>…</c> stands for any lines; null where the page shows none.</param>
internal sealed record PageCommand(int Line, string Text, string Indent, int OutputLine, IReadOnlyList<string>? Output)
{
    /// <summary>Stands in a page for lines that are left out.</summary>
    public const string LeftOut = "…";

    /// <summary>Whether the lines are what the page shows.</summary>
    public bool Agrees(IReadOnlyList<string> printed) => Output is null || Agrees(Output, 0, printed, 0);

    /// <summary>
    /// What the page should show of the lines: all of them, or as many of the last or first ones as it has behind or before a <c>…</c>.
    /// </summary>
    public IReadOnlyList<string> Shown(IReadOnlyList<string> printed) =>
        Output![0] == LeftOut && Output[^1] == LeftOut ? Output
        : Output[0] == LeftOut ? [LeftOut, .. printed.TakeLast(Output.Count - 1)]
        : Output[^1] == LeftOut ? [.. printed.Take(Output.Count - 1), LeftOut]
        : printed;

    private static bool Agrees(IReadOnlyList<string> shown, int i, IReadOnlyList<string> printed, int j)
    {
        if (i == shown.Count)
        {
            return j == printed.Count;
        }

        return shown[i] == LeftOut
            ? Enumerable.Range(j, printed.Count - j + 1).Any(next => Agrees(shown, i + 1, printed, next))
            : j < printed.Count && shown[i] == printed[j] && Agrees(shown, i + 1, printed, j + 1);
    }
}
