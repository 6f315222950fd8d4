using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using CsCheck;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Holds a table that a verb printed, in any of its formats, against the rows that it should have.</summary>
internal static class HistoryAnswer
{
    /// <summary>The formats of tables.</summary>
    internal static Gen<string> Formats { get; } = Gen.OneOf("csv", "json", "jsonl", "table", "md");

    /// <summary>Whether a format is for people, who get rounded numbers.</summary>
    internal static bool IsForPeople(string format) => format is "table" or "md";

    /// <summary>Fails unless the output has these columns and rows: null, text, <see cref="long"/> and <see cref="double"/>.</summary>
    internal static void Equal(string format, IReadOnlyList<string> columns, IEnumerable<object?[]> rows, string output)
    {
        object?[][] expected = [.. rows];
        switch (format)
        {
            case "csv":
                List<string[]> lines = Csv(output);
                Assert.Equal(columns, lines[0]);
                Assert.Equal(
                    expected.Select(static r => Shown(r.Select(Plain))),
                    lines.Skip(1).Select((l, i) => Shown(l.Select((c, k) => i < expected.Length && expected[i][k] is double ? Plain(double.Parse(c, CultureInfo.InvariantCulture)) : c))));
                break;
            case "json":
                using (JsonDocument document = JsonDocument.Parse(output))
                {
                    EqualObjects(columns, expected, [.. document.RootElement.EnumerateArray()]);
                }

                break;
            case "jsonl":
                EqualObjects(columns, expected, [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => JsonDocument.Parse(l).RootElement)]);
                break;
            default:
                EqualLines(format == "md", columns, expected, output);
                break;
        }
    }

    /// <summary>The fields of CSV (RFC 4180).</summary>
    internal static List<string[]> Csv(string text)
    {
        List<string[]> rows = [];
        List<string> row = [];
        for (int at = 0; at < text.Length;)
        {
            StringBuilder field = new();
            if (text[at] == '"')
            {
                for (at++; text[at] != '"' || (at + 1 < text.Length && text[at + 1] == '"'); at++)
                {
                    at += text[at] == '"' ? 1 : 0;
                    _ = field.Append(text[at]);
                }

                at++;
            }
            else
            {
                for (; text[at] is not (',' or '\r'); at++)
                {
                    _ = field.Append(text[at]);
                }
            }

            row.Add(field.ToString());
            if (text[at] == ',')
            {
                at++;
                continue;
            }

            Assert.Equal("\r\n", text.Substring(at, 2));
            at += 2;
            rows.Add([.. row]);
            row.Clear();
        }

        return rows;
    }

    private static void EqualObjects(IReadOnlyList<string> columns, object?[][] expected, JsonElement[] objects)
    {
        Assert.Equal(expected.Select(static r => Shown(r.Select(Json))), objects.Select(static o => Shown(o.EnumerateObject().Select(static p => Json(p.Value)))));
        Assert.All(objects, o => Assert.Equal(columns, o.EnumerateObject().Select(static p => p.Name)));
    }

    private static void EqualLines(bool isMarkdown, IReadOnlyList<string> columns, object?[][] expected, string output)
    {
        string[] lines = output.Split('\n')[..^1];
        Assert.Matches(Line(isMarkdown, columns), lines[0]);
        string[] body = lines[(isMarkdown ? 2 : 1)..];
        if (isMarkdown)
        {
            Assert.Matches(@"\A\|(-+[-:]\|)*\z", lines[1]);
            Assert.Equal(columns.Count, lines[1].Count(static c => c == '|') - 1);
        }

        Assert.True(expected.Length == body.Length, $"{expected.Length} rows expected:\n{output}");
        for (int i = 0; i < body.Length; i++)
        {
            Assert.Matches(Line(isMarkdown, expected[i].Select(static c => HistoryLine.Visible(Plain(c)))), body[i]);
        }
    }

    private static string Line(bool isMarkdown, IEnumerable<string> cells) => isMarkdown
        ? @"\A\| " + string.Join(@" \| ", cells.Select(static c => " *" + Regex.Escape(Markdown(c)) + " *")) + @" \|\z"
        : @"\A" + Regex.Replace(string.Join("  ", cells.Select(static c => " *" + Regex.Escape(c) + " *")), @"( \*|  )+\z", " *") + @"\z";

    private static string Markdown(string cell) => cell.Replace("\\", "\\\\").Replace("|", "\\|").Replace("<", "&lt;");

    private static string Plain(object? cell) => cell switch
    {
        null => "",
        double number => Number(number),
        _ => Convert.ToString(cell, CultureInfo.InvariantCulture)!,
    };

    private static string Json(object? cell) => cell switch
    {
        null => "null",
        string text => "text " + text,
        double number => Number(number),
        _ => Number(Convert.ToInt64(cell, CultureInfo.InvariantCulture)),
    };

    private static string Json(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => "text " + value.GetString(),
        JsonValueKind.Number => value.TryGetInt64(out long number) ? Number(number) : Number(value.GetDouble()),
        _ => value.GetRawText(),
    };

    /// <summary>Twelve digits: sums of doubles differ behind those by the order in which they are added.</summary>
    private static string Number(double number) => number == Math.Floor(number) && Math.Abs(number) < 1e15
        ? Number((long)number)
        : number.ToString("G12", CultureInfo.InvariantCulture);

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Shown(IEnumerable<string> cells) => string.Join(" ¦ ", cells);
}
