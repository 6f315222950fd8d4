using System.Globalization;
using System.Text;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Values of histories as text for people: what a failure prints.</summary>
internal static class HistoryText
{
    /// <summary>A text in quotes, what cannot be seen as an escape.</summary>
    internal static string Quote(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (char c in text)
        {
            _ = c is '"' or '\\'
                ? quoted.Append('\\').Append(c)
                : char.IsControl(c) || c == '\uFFFD'
                    ? quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}")
                    : quoted.Append(c);
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>An argument's value.</summary>
    internal static string Value(object? value) => value switch
    {
        null => "nil",
        string text => $"{Quote(text)}({Encoding.UTF8.GetByteCount(text)})",
        byte[] bytes => "bin " + Convert.ToHexStringLower(bytes),
        object?[] list => "[" + string.Join(", ", list.Select(Value)) + "]",
        _ => string.Create(CultureInfo.InvariantCulture, $"{value}"),
    };
}
