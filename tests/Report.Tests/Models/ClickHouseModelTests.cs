using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>The tables that are written for ClickHouse, read by the rules of its TabSeparated, against what was written into the traces.</summary>
[Collection(HistoryBatchSet.Name)]
public sealed class ClickHouseModelTests(HistoryBatch batch)
{
    private static readonly string[] _tables =
        ["runs", "probes", "arguments", "events", "regs", "faults", "calls", "symbols", "console", "text_pokes", "stacks", "notes", "damages"];

    [Fact]
    public void Every_table_holds_every_row_of_its_view_in_columns_that_can_hold_it()
    {
        string folder = batch.Export("clickhouse", "all.clickhouse");

        Assert.Equal(_tables, File.ReadAllLines(Path.Combine(folder, "tables")));
        foreach (HistoryView view in HistoryView.All(batch.Database).Where(static v => _tables.Contains(v.Name)))
        {
            AssertRows(view.Name, view.Rows, Read(folder, view));
            AssertColumns(File.ReadAllText(Path.Combine(folder, "schema.sql")), view);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(42)]
    [InlineData(100)]
    public void The_run_that_is_named_is_written_alone(int run)
    {
        string folder = batch.Export("clickhouse", $"{run}.clickhouse", "--run", $"{run}");

        foreach (HistoryView view in HistoryView.All(batch.Database).Where(static v => _tables.Contains(v.Name)))
        {
            AssertRows(view.Name, view.Rows.Where(r => (long)r[0]! == run), Read(folder, view));
        }
    }

    private static void AssertRows(string name, IEnumerable<object?[]> expected, IEnumerable<string> found) =>
        HistoryBatch.AssertLines(
            name, expected.Select(static r => string.Join(" ¦ ", r.Select(Shown))).Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));

    /// <summary>A column's type follows from what stands in it: texts, numbers, and nothing.</summary>
    private static void AssertColumns(string schema, HistoryView view)
    {
        string body = Regex.Match(schema, $@"CREATE TABLE IF NOT EXISTS kprobetrace\.{view.Name}_local\n\((.*?)\n\)", RegexOptions.Singleline).Groups[1].Value;
        Match[] columns = Regex.Matches(body, @"`(\w+)` (\S+?)(,|$)", RegexOptions.Multiline).ToArray();

        Assert.Equal(view.Columns, columns.Take(view.Columns.Length).Select(static c => c.Groups[1].Value));
        for (int i = 0; i < view.Columns.Length; i++)
        {
            string type = columns[i].Groups[2].Value;
            string where = $"{view.Name}.{view.Columns[i]} {type}";
            Assert.True(type is "Int64" or "String" or "Nullable(Int64)" or "Nullable(String)", where);
            Assert.True(!view.Rows.Any(r => r[i] is string) || type.Contains("String", StringComparison.Ordinal), where);
            Assert.True(!view.Rows.Any(r => r[i] is long) || type.Contains("Int64", StringComparison.Ordinal), where);
            Assert.True(!view.Rows.Any(r => r[i] is null) || type.StartsWith("Nullable(", StringComparison.Ordinal), where);
        }
    }

    /// <summary>Rows end with a line feed, values with a tab or the row; <c>\N</c> is NULL, other letters after a backslash are C's.</summary>
    private static IEnumerable<string> Read(string folder, HistoryView view)
    {
        string text = File.ReadAllText(Path.Combine(folder, view.Name + ".tsv"));
        Assert.True(text.Length == 0 || text[^1] == '\n', view.Name);
        return text.Split('\n')[..^1].Select(line => string.Join(" ¦ ", line.Split('\t').Take(view.Columns.Length).Select(Plain)));
    }

    private static string Plain(string value)
    {
        if (value == "\\N")
        {
            return "NULL";
        }

        StringBuilder text = new();
        for (int i = 0; i < value.Length; i++)
        {
            _ = text.Append(value[i] != '\\' ? value[i] : value[++i] switch
            {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                'b' => '\b',
                'f' => '\f',
                '0' => '\0',
                '\\' => '\\',
                '\'' => '\'',
                _ => throw new InvalidDataException(value),
            });
        }

        return text.ToString();
    }

    private static string Shown(object? value) => value is null ? "NULL" : Convert.ToString(value, CultureInfo.InvariantCulture)!;
}
