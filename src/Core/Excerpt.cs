namespace KprobeTrace;

/// <summary>Parts of texts that are too long for a message, with an ellipsis for what is left out.</summary>
/// <remarks>A user, or a file given for another, may bring megabytes in a line; a message stays one that can be read.</remarks>
internal static class Excerpt
{
    /// <summary>The longest text that messages show whole.</summary>
    public const int MaxName = 200;

    /// <summary>The longest line that is printed on standard error.</summary>
    public const int MaxLine = 4000;

    private const char Ellipsis = '…';

    /// <summary>Characters before and behind a caret that are shown of a longer text.</summary>
    private const int Around = 60;

    /// <summary>The beginning and the end of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="most">The characters it may have to be shown whole; also those that are shown of a longer one.</param>
    public static string Of(string text, int most = MaxName)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length <= most)
        {
            return text;
        }

        int tail = Math.Min(most / 2, most - 1);
        return $"{text[..StartOf(text, most - 1 - tail)]}{Ellipsis}{text[StartOf(text, text.Length - tail)..]}";
    }

    /// <summary>What surrounds a column of a text, and the same column in what is shown.</summary>
    /// <param name="text">The text.</param>
    /// <param name="column">The column, from 0; at most the text's length.</param>
    /// <returns>The text and the column, unchanged where it is short, and otherwise a remark that tells the true column.</returns>
    public static (string Shown, int Column, string Remark) At(string text, int column)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length <= MaxName)
        {
            return (text, column, "");
        }

        int start = column <= 2 * Around ? 0 : StartOf(text, column - Around);
        int end = StartOf(text, Math.Min(text.Length, Math.Max(column + Around, start + (3 * Around))));
        string head = start > 0 ? Ellipsis.ToString() : "";
        string tail = end < text.Length ? Ellipsis.ToString() : "";
        return (
            head + text[start..end] + tail,
            column - start + head.Length,
            FormattableString.Invariant($" (column {column + 1} of {text.Length})"));
    }

    /// <summary>Three lines: the text, or what surrounds the column of a long one, a caret under the column, and a message.</summary>
    /// <param name="text">The text; a file of anything else may have been given, which must not steer the terminal.</param>
    /// <param name="column">The column, from 0; at most the text's length.</param>
    /// <param name="message">What is wrong there.</param>
    public static string WithCaret(string text, int column, string message)
    {
        (string part, int at, string remark) = At(text, column);
        return $"{WithoutControls(part, '?')}\n{new string(' ', at)}^\n{message}{remark}";
    }

    /// <summary>The text with another character for each control character, so that columns stay.</summary>
    public static string WithoutControls(string text, char instead) => string.Concat(text.Select(c => char.IsControl(c) ? instead : c));

    /// <summary>An index that does not part two halves of one character.</summary>
    private static int StartOf(string text, int index) =>
        index > 0 && index < text.Length && char.IsLowSurrogate(text[index]) ? index - 1 : index;
}
