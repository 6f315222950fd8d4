using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class SequenceAlignmentTests
{
    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 3)]
    [InlineData(3, 8)]
    [InlineData(4, 40)]
    public void Partners_are_a_longest_common_subsequence(int seed, int alphabet)
    {
        Random random = new(seed);
        for (int i = 0; i < 400; i++)
        {
            int[] a = Draw(random, random.Next(0, 40), alphabet);
            int[] b = Draw(random, random.Next(0, 40), alphabet);

            int[] match = SequenceAlignment.Align(a, b);

            AssertPairs(match, a, b);
            Assert.Equal(LongestCommon(a, b), match.Count(static m => m >= 0));
        }
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 8)]
    [InlineData(3, 100)]
    public void With_no_work_allowed_no_pair_is_left_that_could_be_added(int seed, int alphabet)
    {
        Random random = new(seed);
        for (int i = 0; i < 100; i++)
        {
            int[] a = Draw(random, random.Next(0, 200), alphabet);
            int[] b = [.. a.Where(_ => random.Next(8) > 0).SelectMany(v => random.Next(8) == 0 ? (int[])[v, random.Next(alphabet)] : [v])];
            long steps = 0;

            int[] match = SequenceAlignment.Align(a, b, ref steps);

            AssertPairs(match, a, b);
            AssertFull(match, a, b);
            Assert.Equal(0, steps);
        }
    }

    [Fact]
    public void Sequences_that_repeat_themselves_and_differ_much_are_compared_a_piece_at_a_time()
    {
        int[] a = [.. Enumerable.Range(0, 4000).Select(static i => i % 2)];
        int[] b = [.. a.Chunk(2).SelectMany(static pair => (int[])[.. pair, 2, 2])];
        long steps = 0;

        int[] match = SequenceAlignment.Align(a, b, ref steps);

        AssertPairs(match, a, b);
        Assert.Equal(4000, match.Count(static m => m >= 0));
    }

    [Fact]
    public void A_stretch_that_is_elsewhere_is_found_by_what_occurs_once()
    {
        Random random = new(5);
        int[] a = [.. Draw(random, 3000, 4), .. Enumerable.Range(100, 60), .. Draw(random, 100, 4)];
        int[] b = [.. Enumerable.Range(1000, 4000), .. Enumerable.Range(100, 60), .. Draw(random, 100, 4)];
        long steps = 0;

        int[] match = SequenceAlignment.Align(a, b, ref steps);

        AssertPairs(match, a, b);
        Assert.Equal(Enumerable.Range(4000, 60), match.Skip(3000).Take(60));
    }

    [Fact]
    public void Of_a_very_long_part_only_a_sample_is_remembered()
    {
        int[] a = [.. Enumerable.Range(0, 1 << 20)];
        int[] b = [.. Enumerable.Range(1 << 24, 40)];
        long steps = 0;
        long before = GC.GetAllocatedBytesForCurrentThread();

        int[] match = SequenceAlignment.Align(a, b, ref steps);

        // Some thirty bytes for each window that is remembered, for five lengths of windows: a quarter of a million, not a million each.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 120L << 20);
        Assert.All(match, static m => Assert.Equal(-1, m));
    }

    [Fact]
    public void Work_is_taken_from_what_may_be_done()
    {
        long steps = 1_000_000;
        _ = SequenceAlignment.Align([1, 2, 3, 4], [2, 1, 4, 3], ref steps);
        Assert.InRange(steps, 999_000, 999_999);

        steps = 1_000_000;
        _ = SequenceAlignment.Align([1, 2, 3, 4], [1, 2, 3, 4], ref steps);
        Assert.Equal(1_000_000, steps);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Gaps_between_pairs_are_filled_by_other_elements_and_pairs_stay(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < 200; i++)
        {
            int[] a = Draw(random, random.Next(0, 30), 12);
            int[] b = Draw(random, random.Next(0, 30), 12);
            int[] first = SequenceAlignment.Align(a, b);
            int[] match = [.. first];
            int[] coarseA = [.. a.Select(static v => v / 3)];
            int[] coarseB = [.. b.Select(static v => v / 3)];
            long steps = 1_000_000;

            SequenceAlignment.AlignGaps(match, coarseA, coarseB, ref steps);

            AssertPairs(match, coarseA, coarseB);
            AssertFull(match, coarseA, coarseB);
            Assert.All(first.Index().Where(static f => f.Item >= 0), f => Assert.Equal(f.Item, match[f.Index]));
        }
    }

    private static int[] Draw(Random random, int length, int alphabet) => [.. Enumerable.Range(0, length).Select(_ => random.Next(alphabet))];

    private static void AssertPairs(int[] match, int[] a, int[] b)
    {
        Assert.Equal(a.Length, match.Length);
        int last = -1;
        for (int i = 0; i < a.Length; i++)
        {
            if (match[i] >= 0)
            {
                Assert.InRange(match[i], last + 1, b.Length - 1);
                Assert.Equal(a[i], b[match[i]]);
                last = match[i];
            }
        }
    }

    /// <summary>Between two neighbouring pairs nothing is equal.</summary>
    private static void AssertFull(int[] match, int[] a, int[] b)
    {
        int start = 0;
        int startB = 0;
        for (int i = 0; i <= a.Length; i++)
        {
            if (i == a.Length || match[i] >= 0)
            {
                int endB = i == a.Length ? b.Length : match[i];
                Assert.Empty(a[start..i].Intersect(b[startB..endB]));
                (start, startB) = (i + 1, endB + 1);
            }
        }
    }

    private static int LongestCommon(int[] a, int[] b)
    {
        int[,] best = new int[a.Length + 1, b.Length + 1];
        for (int i = 1; i <= a.Length; i++)
        {
            for (int k = 1; k <= b.Length; k++)
            {
                best[i, k] = a[i - 1] == b[k - 1] ? best[i - 1, k - 1] + 1 : Math.Max(best[i - 1, k], best[i, k - 1]);
            }
        }

        return best[a.Length, b.Length];
    }
}
