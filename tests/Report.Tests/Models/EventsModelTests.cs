using System.Globalization;
using System.Text;
using CsCheck;
using Xunit;

namespace KprobeTrace.Tests.Report.Models;

/// <summary><c>events</c> with all its options against filtering lists.</summary>
public sealed class EventsModelTests
{
    [Fact]
    public void Events_are_those_that_every_filter_lets_through() => HistoryCheck.Ask(
        120, HistoryGen.Plans, 6,
        static runs => Gen.Select(HistoryFilter.Of(runs), Gen.Bool),
        static (database, question) =>
        {
            (HistoryFilter filter, bool nanoseconds) = question;
            (int exit, string output, string error) = Tool.Run(
                ["events", database.Source, .. filter.Options, .. nanoseconds ? ["--ns"] : (string[])[], "--memory", "64M"]);

            if (filter.IsWrong(database.Runs))
            {
                Assert.Equal((1, ""), (exit, output));
                return;
            }

            Assert.Equal((0, filter.Choose(database.Runs).Any() ? "" : "kprobe-report: no event matches\n"), (exit, error));
            Assert.Equal(Expected(database.Runs, filter, nanoseconds), output);
        });

    private static string Expected(IReadOnlyList<HistoryRun> all, HistoryFilter filter, bool nanoseconds)
    {
        HistoryRun[] runs = [.. filter.RunsOf(all)];
        HistoryRow[] rows = [.. filter.Choose(all)];
        StringBuilder text = new();
        foreach (HistoryRun run in runs)
        {
            // A limit that is reached ends it all.
            if (runs.Length > 1 && (filter.Limit is null or 0 || rows.Count(r => r.Run < run.Run) < filter.Limit))
            {
                _ = text.Append(CultureInfo.InvariantCulture, $"# run {run.Run}\n");
            }

            foreach (HistoryRow row in rows.Where(r => r.Run == run.Run))
            {
                _ = text.Append(HistoryLine.Of(run, row, nanoseconds)).Append('\n');
            }
        }

        return text.ToString();
    }
}
