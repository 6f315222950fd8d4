using System.Globalization;
using System.Text;

namespace KprobeTrace.Files;

/// <summary>Writes names and messages so that they stay on one line and move no cursor.</summary>
internal static class OneLine
{
    /// <summary>A message as it is printed: on one line, and of a length that can be read whatever was quoted in it.</summary>
    public static string OfMessage(string message) => Excerpt.Of(Of(message), Excerpt.MaxLine);

    /// <summary>The text with control characters as <c>\n</c>, <c>\t</c>, <c>\r</c> or <c>\xNN</c>.</summary>
    public static string Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!text.Any(char.IsControl))
        {
            return text;
        }

        StringBuilder line = new(text.Length + 8);
        foreach (char c in text)
        {
            _ = c switch
            {
                '\n' => line.Append("\\n"),
                '\t' => line.Append("\\t"),
                '\r' => line.Append("\\r"),
                _ when char.IsControl(c) => line.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}"),
                _ => line.Append(c),
            };
        }

        return line.ToString();
    }
}
