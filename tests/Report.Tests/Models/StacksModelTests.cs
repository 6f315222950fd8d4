using System.Globalization;
using System.Text;
using CsCheck;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary><c>stacks</c>, as a tree and folded, against grouping paths in a list.</summary>
public sealed class StacksModelTests
{
    [Fact]
    public void Stacks_add_up_the_paths_of_hits() => HistoryCheck.Ask(
        120, HistoryGen.Plans, 4,
        static runs => Gen.Select(HistoryFilter.Of(runs), Gen.Bool, Gen.OneOf<double?>(null, 0, 0.5, 10, 33.4, 50, 100)),
        static (database, question) =>
        {
            (HistoryFilter filter, bool isFolded, double? least) = question;
            (int exit, string output, string error) = Tool.Run(
            [
                "stacks", database.Source, .. filter.Options, .. isFolded ? ["--folded"] : (string[])[],
                .. least is { } percent ? ["--min", percent.ToString(CultureInfo.InvariantCulture)] : (string[])[], "--memory", "64M",
            ]);

            if (!filter.IsWrong(database.Runs) && !Chosen(database.Runs, filter).Any())
            {
                Assert.Equal((0, "", "kprobe-report: no event matches\n"), (exit, output, error));
                return;
            }

            List<string[]> paths = filter.IsWrong(database.Runs) ? [] : Paths(database.Runs, filter);
            if (paths.Count == 0)
            {
                Assert.Equal((1, ""), (exit, output));
                return;
            }

            Assert.Equal((0, ""), (exit, error));
            Assert.Equal(isFolded ? Folded(paths) : Tree(paths, least ?? 0.5), output);
        });

    /// <summary>The path of each hit that has one: task, callers from the outermost on, probed function.</summary>
    private static List<string[]> Paths(IReadOnlyList<HistoryRun> all, HistoryFilter filter)
    {
        HistoryRun[] runs = [.. filter.RunsOf(all)];
        return [.. Chosen(all, filter).Select(r => PathOf(runs.Single(a => a.Run == r.Run), r)).OfType<string[]>()];
    }

    /// <summary>The hits that the filter lets through.</summary>
    private static IEnumerable<HistoryRow> Chosen(IReadOnlyList<HistoryRun> all, HistoryFilter filter)
    {
        IEnumerable<HistoryRow> rows = (filter with { Limit = null }).Choose(all)
            .Where(r => filter.Kinds.Length > 0 || all.Single(a => a.Run == r.Run).Hits.Contains(r));
        return filter.Limit is > 0 and int limit ? rows.Take(limit) : rows;
    }

    /// <summary>The path of a hit; null where it has neither stack nor caller.</summary>
    internal static string[]? PathOf(HistoryRun run, HistoryRow row)
    {
        // Where no event of the run has a stack, its caller stands for one.
        IReadOnlyList<ulong> stack = run.Rows.Any(static r => r.Event.Stack.Count > 0) ? row.Event.Stack
            : row.Event.Caller == 0 ? [] : [row.Event.Caller];
        if (stack.Count == 0)
        {
            return null;
        }

        string[] frames = [.. stack.Reverse().Select(a => run.Find(a)?.Name ?? $"0x{a:x}")];
        string leaf = row.Symbol.Length > 0 ? row.Symbol : row.Name;
        return [row.Comm ?? "(no task)", .. frames, .. frames[^1] == leaf ? [] : (string[])[leaf]];
    }

    private static string Folded(List<string[]> paths) => string.Concat(paths
        .GroupBy(static p => string.Join('\0', p))
        .OrderBy(static g => g.Key, StringComparer.Ordinal)
        .Select(static g => $"{string.Join(';', g.First().Select(static n => HistoryLine.Visible(n.Replace(';', ':').Replace('\n', ' '))))} {g.Count()}\n"));

    private static string Tree(List<string[]> paths, double least)
    {
        StringBuilder text = new();
        Print("all", paths, 0);
        return text.ToString();

        void Print(string name, List<string[]> below, int depth)
        {
            double percent = 100.0 * below.Count / paths.Count;
            if (percent < least)
            {
                return;
            }

            _ = text.Append(CultureInfo.InvariantCulture, $"{percent,6:0.0} % {below.Count,10}  {new string(' ', 2 * depth)}{HistoryLine.Visible(name)}\n");
            foreach (IGrouping<string, string[]> child in below.Where(p => p.Length > depth).GroupBy(p => p[depth])
                .OrderByDescending(static g => g.Count()).ThenBy(static g => g.Key, StringComparer.Ordinal))
            {
                Print(child.Key, [.. child], depth + 1);
            }
        }
    }
}
