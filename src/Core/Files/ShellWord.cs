using System.Globalization;
using System.Text;

namespace KprobeTrace.Files;

/// <summary>Writes a path as a word of a shell, so that a command in a message works when it is pasted.</summary>
internal static class ShellWord
{
    private const string Plain = "_./:@%+=,-";

    /// <summary>The path as it is, or in quotes; a name that begins like an option gets its folder.</summary>
    internal static string Of(string path)
    {
        string word = path.StartsWith('-') ? "./" + path : path;
        return word.All(static c => char.IsAsciiLetterOrDigit(c) || Plain.Contains(c, StringComparison.Ordinal)) ? word
            : word.Any(char.IsControl) ? Escaped(word)
            : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
    }

    /// <summary>The form of quotes in which control characters have names.</summary>
    private static string Escaped(string word)
    {
        StringBuilder text = new("$'");
        foreach (char c in word)
        {
            _ = c is '\'' or '\\' ? text.Append('\\').Append(c)
                : char.IsControl(c) ? text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}")
                : text.Append(c);
        }

        return text.Append('\'').ToString();
    }
}
