using System.Globalization;
using System.Text;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Arguments as JSON, the way docs/schema.md describes the column <c>args</c>.</summary>
internal static class HistoryJson
{
    /// <summary>An event's arguments as an object.</summary>
    internal static string Of(HistoryEvent e) => e.Arguments is null
        ? "{}"
        : "{" + string.Join(',', e.Probe.Definition.Arguments.Zip(e.Arguments, static (a, v) => $"\"{a.Name}\":{Of(v)}")) + "}";

    /// <summary>A value: numbers in two's complement, arrays as arrays, null for what could not be read.</summary>
    internal static string Of(object? value) => value switch
    {
        null => "null",
        long number => number.ToString(CultureInfo.InvariantCulture),
        ulong number => ((long)number).ToString(CultureInfo.InvariantCulture),
        object?[] list => "[" + string.Join(',', list.Select(Of)) + "]",
        _ => Quote(TextOf(value)),
    };

    /// <summary>A text; bytes that are no UTF-8 as <c>\xNN</c>.</summary>
    internal static string TextOf(object value)
    {
        if (value is string text)
        {
            return text;
        }

        StringBuilder shown = new();
        for (ReadOnlySpan<byte> rest = (byte[])value; !rest.IsEmpty;)
        {
            bool isText = Rune.DecodeFromUtf8(rest, out Rune rune, out int length) == System.Buffers.OperationStatus.Done;
            _ = isText ? shown.Append(rune) : shown.Append(CultureInfo.InvariantCulture, $"\\x{rest[0]:x2}");
            rest = rest[(isText ? length : 1)..];
        }

        return shown.ToString();
    }

    private static string Quote(string text) => "\"" + string.Concat(text.Select(static c => c switch
    {
        '"' or '\\' => $"\\{c}",
        < ' ' or '\u007F' => $"\\u{(int)c:x4}",
        _ => c.ToString(),
    })) + "\"";
}
