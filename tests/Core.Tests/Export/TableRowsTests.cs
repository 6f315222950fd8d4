using System.Globalization;
using System.Text;
using KprobeTrace.Export;
using KprobeTrace.Queries;
using KprobeTrace.Store.Sqlite;
using Xunit;

namespace KprobeTrace.Tests.Export;

public sealed class TableRowsTests
{
    private const string Long = "abcdefghijklmnopqrstuvwxyz";

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Every_table_is_what_is_drawn_by_hand(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < 300; i++)
        {
            int columns = random.Next(1, 6);
            string[] names = [.. Enumerable.Range(0, columns).Select(_ => Cell(random, 1, 14))];
            string[][] rows = [.. Enumerable.Range(0, random.Next(0, 5)).Select(_ => names.Select(_ => Cell(random, 0, 30)).ToArray())];
            int[] left = [.. Enumerable.Range(0, columns).Where(_ => random.Next(2) == 0)];
            int width = random.Next(4) == 0 ? 0 : random.Next(1, 100);

            Assert.Equal(Draw(names, rows, left, width), Written(names, rows, left, width));
        }
    }

    [Theory]
    [InlineData(57, "a                           b                           n\n")]
    [InlineData(21, "a         b         n\nabcdefg…  abcdefg…  7\n")]
    [InlineData(22, "a         b          n\nabcdefg…  abcdefgh…  7\n")]
    [InlineData(20, "row 1\n  a  abcdefghijklmno\n     pqrstuvwxyz\n  b  abc")]
    [InlineData(9, "row 1\n  a  abcd\n     efgh\n")]
    [InlineData(1, "row 1\n  a  a\n     b\n")]
    public void A_narrow_terminal_cuts_the_widest_texts_and_then_puts_rows_below_each_other(int width, string start) =>
        Assert.StartsWith(start, Written(["a", "b", "n"], [[Long, Long, "7"]], [0, 1], width), StringComparison.Ordinal);

    [Fact]
    public void Markdown_has_a_rule_that_says_where_columns_stand_and_no_cell_breaks_out()
    {
        string text = Written(["name", "n"], [["a|b", "1"], ["<b>", "22"], ["back\\slash", "333"]], [0], 10, isMarkdown: true);

        Assert.Equal(
            """
            | name       |   n |
            |------------|----:|
            | a\|b       |   1 |
            | &lt;b>     |  22 |
            | back\\slash | 333 |

            """,
            text);
    }

    [Fact]
    public void Headings_and_titles_of_rows_are_marked_and_nothing_else()
    {
        Assert.Equal("<a  b>\n1  2\n", Written(["a", "b"], [["1", "2"]], [], 0, emphasize: static t => $"<{t}>"));
        Assert.Equal(
            "<row 1>\n  a  1\n  b  2\n<row 2>\n  a  3\n  b  4\n",
            Written(["a", "b"], [["1", "2"], ["3", "4"]], [], 3, emphasize: static t => $"<{t}>"));
    }

    [Theory]
    [InlineData(TableRows.Lookahead - 1, 8)]
    [InlineData(TableRows.Lookahead, 8)]
    [InlineData(TableRows.Lookahead + 1, 1)]
    public void Widths_come_from_the_first_thousand_rows(int place, int width)
    {
        string[][] rows = [.. Enumerable.Range(1, TableRows.Lookahead + 5).Select(i => (string[])[i == place ? "12345678" : "1", "2"])];

        string[] lines = Written(["a", "b"], rows, [], 0).Split('\n');

        Assert.Equal("a".PadLeft(width) + "  b", lines[0]);
        Assert.Equal("1".PadLeft(width) + "  2", lines[place + 1]);
        Assert.Equal("12345678  2", lines[place]);
        Assert.Equal(TableRows.Lookahead + 7, lines.Length);
    }

    [Theory]
    [InlineData(0, 12)] // as many characters as are looked at: the third row has its say
    [InlineData(1, 1)]
    public void Widths_come_from_the_first_four_million_characters_where_rows_are_long(int more, int width)
    {
        string[][] rows = [["1", new('x', 2 << 20), "1"], ["1", new('x', (2 << 20) - 5 + more), "22"], ["123456789012", "", ""]];

        string[] lines = Written(["a", "b", "c"], rows, [1], 0).Split('\n');

        Assert.Equal("1".PadLeft(width) + "  x", lines[1][..(width + 3)]);
        Assert.StartsWith("123456789012  ", lines[3] + "  ", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.0", "0")]
    [InlineData("0.5", "0.5")]
    [InlineData("1.0", "1")]
    [InlineData("-2.25", "-2.25")]
    [InlineData("1.0 / 3", "0.333333")]
    [InlineData("0.0001", "0.0001")]
    [InlineData("-0.0001", "-0.0001")]
    [InlineData("0.0000999", "9.99E-05")]
    [InlineData("-0.0000999", "-9.99E-05")]
    [InlineData("999999999999999.0", "999999999999999")]
    [InlineData("1e15", "1E+15")]
    [InlineData("-1e15", "-1E+15")]
    [InlineData("1.23456789e300", "1.23457E+300")]
    [InlineData("9e999", "Infinity")]
    [InlineData("NULL", "")]
    [InlineData("42", "42")]
    [InlineData("-9223372036854775808", "-9223372036854775808")]
    [InlineData("x'00ff'", "00ff")]
    [InlineData("'text'", "text")]
    [InlineData("'a' || char(10) || char(127) || char(133) || 'é'", "a\\n\\x7f\\x85é")]
    public void Value_of_a_query_is_printed_by_what_it_is(string value, string expected) =>
        Assert.Equal($"v\n{expected}\n", string.Join('\n', Query($"SELECT {value} AS v").Split('\n').Select(static l => l.Trim())));

    [Fact]
    public void Column_of_a_query_stands_right_while_it_holds_numbers_and_nothing_else()
    {
        Assert.Equal("   a\n   1\n2222\n\n", Asked3("1", "2222", "NULL"));
        Assert.Equal("   a\n 1.5\n2222\n\n", Asked3("1.5", "2222", "NULL"));
        Assert.Equal("a\n1\nx\n2222\n", Asked3("1", "'x'", "2222"));
        Assert.Equal("a\n1\nff\n2222\n", Asked3("1", "x'ff'", "2222"));
    }

    private static string Asked3(string first, string second, string third) => Query($"SELECT column1 AS a FROM (VALUES ({first}), ({second}), ({third}))");

    private static string Query(string sql)
    {
        using SqliteDatabase database = SqliteDatabase.Open(":memory:", create: true);
        using SqliteStatement statement = database.Prepare(sql);
        QueryRow row = new(statement);
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            TableRows table = new(output);
            table.Begin(row.Names);
            while (statement.Step())
            {
                table.Row(row);
            }

            table.Finish();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static string Cell(Random random, int least, int most) => Long[..Math.Min(26, random.Next(least, most))] + (random.Next(5) == 0 ? "!" : "");

    private static string Written(
        string[] names, string[][] rows, int[] left, int width, bool isMarkdown = false, Func<string, string>? emphasize = null)
    {
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            TableRows table = new(output, isMarkdown, width, emphasize);
            table.Begin(names);
            table.AlignLeft(left);
            foreach (string[] row in rows)
            {
                table.Add(row);
            }

            table.Finish();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    /// <summary>A table drawn the slow way: a character at a time is taken from the widest text that has more than eight.</summary>
    private static string Draw(string[] names, string[][] rows, int[] left, int width)
    {
        int[] widths = [.. names.Select((n, i) => rows.Select(r => r[i].Length).Append(n.Length).Max())];
        bool fits = true;
        while (width > 0 && widths.Sum() + (2 * (names.Length - 1)) > width && fits)
        {
            int[] wide = [.. left.Where(i => widths[i] > 8).OrderByDescending(i => widths[i])];
            fits = wide.Length > 0;
            if (fits)
            {
                widths[wide[0]]--;
            }
        }

        StringBuilder text = new();
        if (fits)
        {
            foreach (string[] row in (string[][])[names, .. rows])
            {
                _ = text.Append(string.Join("  ", row.Select((cell, i) =>
                    left.Contains(i) ? (cell.Length > widths[i] ? cell[..(widths[i] - 1)] + "…" : cell).PadRight(widths[i]) : cell.PadLeft(widths[i]))).TrimEnd() + "\n");
            }

            return text.ToString();
        }

        int name = Math.Min(names.Max(static n => n.Length), Math.Max(1, width / 2));
        int room = Math.Max(1, width - name - 4);
        for (int r = 0; r < rows.Length; r++)
        {
            _ = text.Append(CultureInfo.InvariantCulture, $"row {r + 1}\n");
            for (int i = 0; i < names.Length; i++)
            {
                string[] pieces = [.. rows[r][i].Chunk(room).Select(static c => new string(c)).DefaultIfEmpty("")];
                string[] firsts = [names[i][..Math.Min(name, names[i].Length)], .. Enumerable.Repeat("", pieces.Length - 1)];
                _ = text.Append(string.Concat(firsts.Zip(pieces, (f, p) => $"  {f.PadRight(name)}  {p}".TrimEnd() + "\n")));
            }
        }

        return text.ToString();
    }
}
