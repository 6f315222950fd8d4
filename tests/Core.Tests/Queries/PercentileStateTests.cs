using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class PercentileStateTests
{
    /// <summary>The nearest rank: the least value that at least so many in a hundred do not exceed.</summary>
    private static T Expected<T>(IReadOnlyList<T> values, double percent)
    {
        T[] sorted = [.. values.Order()];
        int at = Enumerable.Range(0, sorted.Length).FirstOrDefault(i => (i + 1) * 100.0 >= percent * sorted.Length);
        return sorted[at];
    }

    [Theory]
    [InlineData(1, 0, 0)]
    [InlineData(1, 100, 0)]
    [InlineData(2, 50, 0)]
    [InlineData(2, 51, 1)]
    [InlineData(100, 50, 49)]
    [InlineData(100, 95, 94)]
    [InlineData(100, 99, 98)]
    [InlineData(100, 100, 99)]
    [InlineData(101, 50, 50)]
    [InlineData(100, 0.5, 0)]
    [InlineData(100, 1.5, 1)]
    [InlineData(5_000_000_000, 50, 2_499_999_999)]
    [InlineData(5_000_000_000, 100, 4_999_999_999)]
    public void The_rank_is_the_nearest_that_reaches_the_share(long count, double percent, long rank) =>
        Assert.Equal(rank, PercentileState.Rank(count, percent));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(1000)]
    [InlineData(5000)]
    public void Integers_in_memory_are_exact(int count)
    {
        Random random = new(count);
        long[] values = [.. Enumerable.Range(0, count).Select(_ => random.NextInt64(long.MinValue, long.MaxValue))];
        foreach (double percent in (double[])[0, 1, 50, 95, 99, 100])
        {
            using PercentileState state = Filled(values, percent, new PercentileBudget());

            Assert.Equal((long)count, state.Count);
            Assert.True(state.Integers);
            Assert.False(state.IsSpilled);
            Assert.Equal(Expected(values, percent), state.Integer());
        }
    }

    [Theory]
    [InlineData(4096, false)]
    [InlineData(4097, true)]
    [InlineData(8192, true)]
    [InlineData(60_001, true)]
    public void Without_memory_left_4096_values_stay_and_more_go_to_a_file(int count, bool isSpilled)
    {
        PercentileBudget budget = new();
        Assert.True(budget.TryTake(PercentileBudget.Limit));
        Random random = new(count);
        long[] values = [.. Enumerable.Range(0, count).Select(_ => random.NextInt64(-50_000, 50_000))];
        foreach (double percent in (double[])[0, 0.01, 50, 99, 100])
        {
            using PercentileState state = Filled(values, percent, budget);

            Assert.Equal(isSpilled, state.IsSpilled);
            Assert.Equal(Expected(values, percent), state.Integer());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(5000)]
    [InlineData(9999)]
    public void One_value_that_is_no_integer_makes_all_reals_also_those_in_the_file(int at)
    {
        PercentileBudget budget = new();
        Assert.True(budget.TryTake(PercentileBudget.Limit));
        Random random = new(at);
        double[] values = [.. Enumerable.Range(0, 10_000).Select(_ => (double)random.Next(-9000, 9000))];
        values[at] += 0.5;
        foreach (double percent in (double[])[0, 10, 50, 90, 100])
        {
            using PercentileState state = new(percent, budget);
            for (int i = 0; i < values.Length; i++)
            {
                if (i == at)
                {
                    state.Add(values[i]);
                }
                else
                {
                    state.Add((long)values[i]);
                }
            }

            Assert.False(state.Integers);
            Assert.True(state.IsSpilled);
            Assert.Equal(Expected(values, percent), state.Real());
        }
    }

    [Fact]
    public void The_budget_can_be_taken_to_its_last_byte_and_is_given_back()
    {
        PercentileBudget budget = new();
        Assert.False(budget.TryTake(PercentileBudget.Limit + 1));
        Assert.True(budget.TryTake(PercentileBudget.Limit));
        Assert.False(budget.TryTake(1));
        budget.Return(PercentileBudget.Limit);

        using (Filled(new long[100], 50, budget))
        {
            // A hundred values take a block of 128.
            Assert.False(budget.TryTake(PercentileBudget.Limit - 1023));
            Assert.True(budget.TryTake(PercentileBudget.Limit - 1024));
            budget.Return(PercentileBudget.Limit - 1024);
        }

        Assert.True(budget.TryTake(PercentileBudget.Limit));
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(100, false)]
    [InlineData(101, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(100, true)]
    [InlineData(101, true)]
    public void Durations_have_the_same_row_whether_they_arrive_sorted_or_not(int count, bool isSorted)
    {
        Random random = new(count);
        long[] values = [.. Enumerable.Range(0, count).Select(_ => (long)random.Next(1, 100_000))];
        DurationList list = new("vfs_read");
        if (isSorted)
        {
            list.Expect(count);
        }

        foreach (long value in isSorted ? values.Order() : values.AsEnumerable())
        {
            list.Add(value);
        }

        Assert.Equal(
            new LatencyRow(
                3, "r", "vfs_read", "entry-ret", count, values.Min(), values.Sum() / (double)count, Expected(values, 50), Expected(values, 95),
                Expected(values, 99), values.Max()),
            list.ToRow(3, "r", "entry-ret"));
    }

    [Fact]
    public void Durations_that_are_expected_in_parts_are_ranked_among_all()
    {
        DurationList list = new("f");
        list.Expect(60);
        list.Expect(40);
        for (int i = 1; i <= 100; i++)
        {
            list.Add(i);
        }

        Assert.Equal(new LatencyRow(1, "f", "f", "pre-post", 100, 1, 50.5, 50, 95, 99, 100), list.ToRow(1, "f", "pre-post"));
    }

    private static PercentileState Filled(long[] values, double percent, PercentileBudget budget)
    {
        PercentileState state = new(percent, budget);
        foreach (long value in values)
        {
            state.Add(value);
        }

        return state;
    }
}
