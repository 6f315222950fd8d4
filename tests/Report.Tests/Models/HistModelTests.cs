using System.Globalization;
using CsCheck;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary><c>hist</c> with all its options against grouping lists.</summary>
public sealed class HistModelTests
{
    [Fact]
    public void Events_are_counted_and_added_up_by_any_key() => HistoryCheck.Ask(
        120, HistoryGen.Plans, 5,
        static runs =>
            from shape in Shape.Of(runs)
            from view in Gen.Frequency((2, Gen.Const("")), (1, Gen.Const("events")), (2, Gen.OneOf(runs.SelectMany(static r => r.History.Probes).Select(static p => p.Definition.Name).ToArray())))
            from key in Gen.OneOf(
                Gen.OneOf(HistoryExpressions.NumbersOfEvents), Gen.OneOf(HistoryExpressions.TextsOfEvents), Argument(runs, view, static _ => true))
            from value in Gen.OneOf(
                Sometimes(HistoryExpressions.NumbersOfEvents), Argument(runs, view, static t => t is "u8" or "u16" or "s8" or "s16" or "s32" or "x8").Select(static e => (HistoryExpression<HistoryRow>?)e))
            from isWhere in Gen.Bool
            from condition in HistoryCondition.Of([.. runs.SelectMany(static r => r.Rows)], null)
            from kinds in Gen.Frequency((3, Gen.Const<string[]>([])), (1, Gen.OneOf("pre", "post", "fault", "ret").Array[1, 2]))
            select new OfEvents(shape, key, value, view, isWhere ? condition : null, kinds),
        static (database, question) =>
        {
            // The view of an event is called as the event, or as the view probes says.
            string view = question.View is "" or "events" ? question.View : Tool.Rows(
                database.Source, $"SELECT view FROM probes WHERE name = '{question.View.Replace("'", "''")}'")[0].Trim('"').Replace("\"\"", "\"");
            string[] kinds = [.. question.Kinds.SelectMany(static k => (string[])["--kind", k])];
            string[] options = [.. view.Length > 0 ? ["--of", view] : (string[])[], .. kinds, .. question.Where is { } where ? ["--where", where.Sql] : (string[])[]];
            IEnumerable<HistoryRow> rows = database.Runs.Where(r => question.Shape.Run == 0 || r.Run == question.Shape.Run)
                .SelectMany(r => question.SpeaksOfKind ? r.Rows : r.Hits)
                .Where(r => question.Kinds.Length == 0 || question.Kinds.Contains(r.Kind))
                .Where(r => question.View is "" or "events" || r.Name == question.View)
                .Where(r => question.Where?.Holds(r) ?? question.Where is null);
            Check(database, question.Shape, question.Key, question.Value, options, rows);
        });

    [Fact]
    public void Calls_are_counted_where_their_columns_are_asked_for() => HistoryCheck.Ask(
        80, HistoryGen.Plans, 4,
        static runs =>
            from shape in Shape.Of(runs)
            from key in Gen.OneOf(HistoryExpressions.NumbersOfCalls)
            from value in Sometimes(HistoryExpressions.NumbersOfCalls)
            from isNamed in Gen.Bool
            from least in Gen.Int[-1, 3]
            select new OfCalls(shape, key, value, isNamed, least),
        static (database, question) =>
        {
            string[] options =
            [
                .. question.IsNamed ? ["--of", "calls"] : (string[])[],
                .. question.LeastNs >= 0 ? ["--where", $"duration_ns > {question.LeastNs}"] : (string[])[],
            ];
            IEnumerable<HistoryCall> calls = database.Runs.Where(r => question.Shape.Run == 0 || r.Run == question.Shape.Run)
                .SelectMany(static r => r.Calls).Where(c => c.DurationNs > question.LeastNs);
            Check(database, question.Shape, question.Key, question.Value, options, calls);
        });

    /// <summary>An argument of the event whose view is asked, of some types; the number of the event where there is none.</summary>
    private static Gen<HistoryExpression<HistoryRow>> Argument(IReadOnlyList<HistoryRun> runs, string view, Predicate<string> types)
    {
        HistoryExpression<HistoryRow>[] arguments =
        [
            .. runs.SelectMany(static r => r.History.Probes).Where(p => view != "events" && p.Definition.Name == view).SelectMany(static p => p.Definition.Arguments)
                .GroupBy(static a => a.Name).Where(g => g.All(a => types(a.Type)))
                .Select(static g => new HistoryExpression<HistoryRow>(HistoryCondition.Column(g.Key), r => r.Argument(g.Key))),
        ];
        return arguments.Length == 0 ? Gen.Const(new HistoryExpression<HistoryRow>("seq", static r => r.Seq)) : Gen.OneOf(arguments);
    }

    private static Gen<HistoryExpression<TRow>?> Sometimes<TRow>(HistoryExpression<TRow>[] all) =>
        Gen.Frequency((1, HistoryGen.Nothing<HistoryExpression<TRow>>()), (1, Gen.OneOf(all).Select(static e => (HistoryExpression<TRow>?)e)));

    private static void Check<TRow>(
        HistoryDatabase database, Shape shape, HistoryExpression<TRow> key, HistoryExpression<TRow>? value, string[] options, IEnumerable<TRow> rows)
    {
        (int exit, string output, string error) = Tool.Run(
            ["hist", database.Source, "--key", key.Sql, .. value is null ? [] : (string[])["--value", value.Sql], .. shape.Options, .. options, "--memory", "64M"]);

        Bucket[] all = [.. shape.IsLog2 ? Powers(rows, key, value) : Groups(rows, key, value)];
        Bucket[] shown = shape.Limit == 0 ? all : [.. all.Take(shape.Limit ?? 50)];
        Assert.Equal((0, all.Length == 0 ? "kprobe-report: no row matches\n" : shown.Length == all.Length ? "" : $"kprobe-report: {all.Length - shown.Length} more lines; --limit 0 prints all\n"), (exit, error));
        bool people = HistoryAnswer.IsForPeople(shape.Format);
        string[] columns = [.. (string[])["key", "count"], .. value is null ? [] : (string[])["sum", "min", "mean", "max"], .. people ? [""] : (string[])[]];
        long most = shown.Length == 0 ? 0 : shown.Max(static b => b.Count);
        HistoryAnswer.Equal(shape.Format, columns, shown.Select(b => b.Cells(value is not null, people ? most : 0)), output);
    }

    private static IEnumerable<Bucket> Groups<TRow>(IEnumerable<TRow> rows, HistoryExpression<TRow> key, HistoryExpression<TRow>? value) => rows
        .GroupBy(r => key.Of(r) is { } k ? (k is int n ? (long)n : k) : "(null)", static (k, g) => (Key: k, Rows: g.ToArray()))
        .OrderByDescending(static g => g.Rows.Length).ThenBy(static g => g.Key is "(null)" ? null : g.Key, Comparer<object?>.Create(HistoryExpressions.Compare))
        .Select(g => Bucket.Of(Text(g.Key), g.Rows, value));

    private static IEnumerable<Bucket> Powers<TRow>(IEnumerable<TRow> rows, HistoryExpression<TRow> key, HistoryExpression<TRow>? value) => rows
        .GroupBy(r => key.Of(r) is { } k and not string ? Power(Convert.ToDecimal(k, null)) : null, static (k, g) => (Key: k, Rows: g.ToArray()))
        .OrderBy(static g => g.Key ?? decimal.MinValue)
        .Select(g => Bucket.Of(Range(g.Key), g.Rows, value));

    /// <summary>The power of two that is not further from 0 than a number, with its sign.</summary>
    private static decimal? Power(decimal number)
    {
        number = decimal.Truncate(number);
        decimal power = 1;
        for (; power * 2 <= Math.Abs(number); power *= 2)
        {
        }

        return number == 0 ? 0 : number < 0 ? -power : power;
    }

    private static string Range(decimal? power) => power switch
    {
        null => "(no number)",
        0 => "0",
        1 => "1",
        < 0 => $"({End(power.Value * 2)}, {power}]",
        _ => $"[{power}, {End(power.Value * 2)})",
    };

    private static string End(decimal end) => end == 1UL << 63 ? "2^63" : end == -2m * (1UL << 63) ? "-2^64" : end.ToString(CultureInfo.InvariantCulture);

    private static string Text(object key) => key is double number
        ? number.ToString(number == Math.Floor(number) ? "0.0" : "R", CultureInfo.InvariantCulture)
        : Convert.ToString(key, CultureInfo.InvariantCulture)!;

    private sealed record Shape(bool IsLog2, int Run, int? Limit, string Format)
    {
        internal string[] Options =>
        [
            .. IsLog2 ? ["--log2"] : (string[])[], .. Run == 0 ? [] : (string[])["--run", $"{Run}"], .. Limit is { } n ? ["--limit", $"{n}"] : (string[])[],
            "--format", Format,
        ];

        internal static Gen<Shape> Of(IReadOnlyList<HistoryRun> runs) => Gen.Select(
            Gen.Bool, Gen.Int[0, runs.Count], Gen.Int[-2, 3], HistoryAnswer.Formats,
            static (log2, run, limit, format) => new Shape(log2, run, limit < 0 ? null : limit, format));
    }

    private sealed record OfEvents(
        Shape Shape, HistoryExpression<HistoryRow> Key, HistoryExpression<HistoryRow>? Value, string View, HistoryCondition? Where, string[] Kinds)
    {
        /// <summary>Hits are counted, unless kinds are chosen or an expression speaks of them.</summary>
        internal bool SpeaksOfKind => Kinds.Length > 0 || $"{Key} {Value} {Where}".Contains("kind", StringComparison.OrdinalIgnoreCase);
    }

    private sealed record OfCalls(Shape Shape, HistoryExpression<HistoryCall> Key, HistoryExpression<HistoryCall>? Value, bool IsNamed, int LeastNs);

    private sealed record Bucket(string Key, long Count, double? Sum, double? Min, double? Mean, double? Max)
    {
        internal static Bucket Of<TRow>(string key, TRow[] rows, HistoryExpression<TRow>? value)
        {
            double[] values = [.. rows.Select(r => value?.Of(r)).OfType<object>().Select(static v => Convert.ToDouble(v, null))];
            return values.Length == 0
                ? new Bucket(key, rows.Length, null, null, null, null)
                : new Bucket(key, rows.Length, values.Sum(), values.Min(), values.Average(), values.Max());
        }

        internal object?[] Cells(bool hasValue, long most) =>
        [
            Key, Count,
            .. hasValue ? new[] { Sum, Min, Mean, Max }.Select(n => most > 0 ? n?.ToString("0.###", CultureInfo.InvariantCulture) : (object?)n) : [],
            .. most > 0 ? [new string('#', (int)Math.Ceiling(40.0 * Count / most))] : (object?[])[],
        ];
    }
}
