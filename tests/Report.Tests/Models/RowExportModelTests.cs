using System.Globalization;
using System.Text.Json;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Every column of every view, exported as CSV and as JSON lines, against what was written into the traces.</summary>
[Collection(HistoryBatchSet.Name)]
public sealed class RowExportModelTests(HistoryBatch batch)
{
    public static TheoryData<string> Views() =>
        ["runs", "probes", "arguments", "events", "regs", "faults", "calls", "symbols", "console", "text_pokes", "stacks", "notes", "damages", "counts", "hits"];

    [Theory]
    [MemberData(nameof(Views))]
    public void A_view_as_csv_holds_what_the_traces_told(string name)
    {
        HistoryView view = View(name);

        List<string[]> lines = HistoryAnswer.Csv(File.ReadAllText(batch.Export("csv", name + ".csv", "--of", name)));

        Assert.Equal(view.Columns, lines[0].Take(view.Columns.Length));
        AssertRows(name, view.Rows.Select(static r => r.Select(static c => Convert.ToString(c, CultureInfo.InvariantCulture)!)), lines.Skip(1).Select(l => l.Take(view.Columns.Length)));
    }

    [Theory]
    [MemberData(nameof(Views))]
    public void A_view_as_json_lines_holds_what_the_traces_told(string name)
    {
        HistoryView view = View(name);

        JsonElement[] objects = [.. File.ReadLines(batch.Export("jsonl", name + ".jsonl", "--of", name)).Select(static l => JsonDocument.Parse(l).RootElement)];

        Assert.All(objects, o => Assert.Equal(view.Columns, o.EnumerateObject().Select(static p => p.Name).Take(view.Columns.Length)));
        AssertRows(
            name, view.Rows.Select(r => r.Select((c, i) => view.Columns[i] == "args" ? JsonDocument.Parse((string)c!).RootElement.GetRawText() : Shown(c))),
            objects.Select(o => o.EnumerateObject().Take(view.Columns.Length).Select(static p => Shown(p.Value))));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(100)]
    public void The_run_that_is_named_is_exported_alone(int run)
    {
        HistoryView view = View("events");

        List<string[]> lines = HistoryAnswer.Csv(File.ReadAllText(batch.Export("csv", $"run-{run}.csv", "--run", $"{run}")));

        AssertRows(
            "events", view.Rows.Where(r => (long)r[0]! == run).Select(static r => r.Select(static c => Convert.ToString(c, CultureInfo.InvariantCulture)!)), lines.Skip(1));
    }

    private HistoryView View(string name) => HistoryView.All(batch.Database).Single(v => v.Name == name);

    /// <summary>What has a number comes in its order, all else in any.</summary>
    private static void AssertRows(string name, IEnumerable<IEnumerable<string>> expected, IEnumerable<IEnumerable<string>> rows)
    {
        bool isOrdered = name is "events" or "calls" or "regs" or "faults" or "hits";
        string[] wanted = [.. expected.Select(static r => string.Join(" ¦ ", r))];
        string[] found = [.. rows.Select(static r => string.Join(" ¦ ", r))];
        if (!isOrdered)
        {
            Array.Sort(wanted, StringComparer.Ordinal);
            Array.Sort(found, StringComparer.Ordinal);
        }

        HistoryBatch.AssertLines(name, wanted, found);
    }

    private static string Shown(object? value) => value switch
    {
        null => "null",
        string text => "text " + text,
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Shown(JsonElement value) => value.ValueKind == JsonValueKind.String ? "text " + value.GetString() : value.GetRawText();
}
