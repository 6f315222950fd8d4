using System.Diagnostics;
using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Report;

public sealed class PercentileTests
{
    private static readonly double[] _percents = [0, 0.001, 25, 50, 90, 99, 100];

    [Fact]
    public void Percentiles_are_exact_where_values_go_to_a_file()
    {
        long[] values = Values(70_000);
        foreach (double percent in _percents)
        {
            PercentileBudget budget = Empty();
            using PercentileState state = new(percent, budget);
            foreach (long value in values)
            {
                state.Add(value);
            }

            Assert.True(state.IsSpilled);
            Assert.True(state.Integers);
            Assert.Equal(values.Order().ElementAt((int)PercentileState.Rank(values.Length, percent)), state.Integer());
        }
    }

    [Fact]
    public void Doubles_among_integers_are_ranked_as_doubles()
    {
        long[] values = Values(20_000);
        double[] all = [.. values.Select(static (v, i) => i < 15_000 ? v : v + 0.25)];
        foreach (double percent in _percents)
        {
            using PercentileState state = new(percent, Empty());
            for (int i = 0; i < all.Length; i++)
            {
                if (i < 15_000)
                {
                    state.Add(values[i]);
                }
                else
                {
                    state.Add(all[i]);
                }
            }

            Assert.False(state.Integers);
            Assert.Equal(all.Order().ElementAt((int)PercentileState.Rank(all.Length, percent)), state.Real());
        }
    }

    [Fact]
    public void Memory_is_given_back_and_never_more_than_the_budget()
    {
        PercentileBudget budget = new();
        for (int i = 0; i < 8; i++)
        {
            using PercentileState state = new(50, budget);
            for (int n = 0; n < 3_000_000; n++)
            {
                state.Add((long)n);
            }

            Assert.Equal(1_499_999, state.Integer());
        }

        Assert.True(budget.TryTake(PercentileBudget.Limit));
        Assert.False(budget.TryTake(1));
    }

    [TinyDiskFact]
    public void A_full_disk_of_temporary_files_is_told_in_our_words()
    {
        using TraceFolder folder = new();
        string trace = folder.Trace("p:f f\n1 f");
        _ = Tool.Good(trace);
        using TinyDisk disk = new(folder["disk"], "64k");
        foreach ((string sql, string said) in ((string, string)[])[
            ("median(x)", $"a percentile of so many values needs room in {folder["disk"]}/: the disk is full; set TMPDIR to another folder"),
            ("count(DISTINCT x || hex(zeroblob(100)))", "the disk is full that temporary files lie on; set TMPDIR to another folder, or choose less at once")])
        {
            ProcessStartInfo start = new(
                "dotnet",
                [
                    Path.Combine(AppContext.BaseDirectory, "kprobe-report.dll"), "query", trace, "--memory", "64M",
                    $"WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 8000000) SELECT {sql} FROM n",
                ])
            {
                RedirectStandardError = true,
                Environment = { ["TMPDIR"] = folder["disk"], ["SQLITE_TMPDIR"] = folder["disk"] },
            };
            using Process process = Process.Start(start)!;
            string error = process.StandardError.ReadToEnd();
            process.WaitForExit();

            Assert.Equal($"kprobe-report: SQL: {said}\n", error);
            Assert.Equal(1, process.ExitCode);
        }
    }

    [Fact]
    public void Addresses_keep_all_their_bits()
    {
        using PercentileState state = new(50, new PercentileBudget());
        state.Add(unchecked((long)0xFFFFFFFF81200001));
        state.Add(unchecked((long)0xFFFFFFFF81200001));
        state.Add(unchecked((long)0xFFFFFFFF81200003));

        Assert.Equal(unchecked((long)0xFFFFFFFF81200001), state.Integer());
    }

    private static PercentileBudget Empty()
    {
        PercentileBudget budget = new();
        Assert.True(budget.TryTake(PercentileBudget.Limit));
        return budget;
    }

    private static long[] Values(int count)
    {
        Random random = new(11);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextInt64(-50_000, 50_000))];
    }
}
