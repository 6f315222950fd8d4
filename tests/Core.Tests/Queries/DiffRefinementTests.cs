using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

/// <summary>Events that are all the same call and differ in what a letter stands for.</summary>
public sealed class DiffRefinementTests
{
    private const string Same = "ABCDEFGHIJKLMNOP"; // sixteen part one stretch from the next

    [Theory]
    [InlineData("abcd", "xabcd", "1 2 3 4")] // an event more at the beginning
    [InlineData("xabcd", "abcd", "- 0 1 2 3")]
    [InlineData("abcd", "acd", "0 - 1 2")]
    [InlineData("abcde", "axcye", "0 1 2 3 4")] // pairs that differ stay pairs
    [InlineData("ab", "ba", "0 1")] // no fewer are different in another order
    [InlineData("ab", "cd", "0 1")]
    [InlineData("a", "b", "0")]
    [InlineData("abc", "", "- - -")]
    [InlineData("", "abc", "")]
    [InlineData("abc", "abc", "0 1 2")]
    [InlineData("abc", "abcd", "0 1 2")]
    [InlineData("xxabc", "abc", "- - 0 1 2")]
    [InlineData("aabb", "abb", "0 - 1 2")]
    public void Pairs_move_where_fewer_are_different_then(string a, string b, string expected) => Assert.Equal(expected, Refine(a, b));

    [Fact]
    public void What_stands_before_and_behind_sixteen_equal_pairs_is_refined_alone()
    {
        Assert.Equal(
            $"- 0 1 {string.Join(' ', Enumerable.Range(2, 16))} - 18 19",
            Refine("xab" + Same + "yab", "ab" + Same + "ab", [-1, 0, 1, .. Enumerable.Range(2, 16), 18, 19, -1]));
        Assert.Equal(
            $"1 2 {string.Join(' ', Enumerable.Range(3, 16))} 20 21",
            Refine("ab" + Same + "cd", "xab" + Same + "ycd", [0, 1, .. Enumerable.Range(3, 16), 19, 20]));
    }

    [Theory]
    [InlineData(15, 20)]
    [InlineData(16, 0)]
    public void Sixteen_equal_pairs_in_a_row_are_a_border_and_fifteen_are_none(int equal, int first)
    {
        string run = new('s', equal);
        string a = "abcde" + run;

        string refined = Refine(a, "12345" + run + a);

        // Without a border all of the first side finds its equal at the end of the second.
        Assert.Equal(string.Join(' ', Enumerable.Range(first, a.Length)), refined);
    }

    [Theory]
    [InlineData(1 << 17, true)]
    [InlineData((1 << 17) + 1, false)]
    public void A_stretch_that_is_too_long_on_either_side_stays_as_it_is(int length, bool isRefined)
    {
        int[] many = [.. Enumerable.Range(0, length)];
        int[] one = [length - 1];
        int[] other = new int[length];

        int[] match = [0, .. Enumerable.Repeat(-1, length - 1)];
        Apply(match, many, one, other, [0]);
        Assert.Equal(isRefined ? -1 : 0, match[0]);
        Assert.Equal(isRefined ? 0 : -1, match[^1]);

        match = [0];
        Apply(match, one, many, [0], other);
        Assert.Equal(isRefined ? length - 1 : 0, match[0]);
    }

    [Fact]
    public void With_no_work_allowed_nothing_moves()
    {
        long steps = 0;
        int[] match = [0, 1, 2, 3];
        new DiffRefinement((Letters("abcd"), Letters("xabcd")), (new int[4], new int[5]), (new int[4], new int[5])).Apply(match, ref steps);

        Assert.Equal([0, 1, 2, 3], match);
    }

    [Fact]
    public void Work_is_taken_from_what_may_be_done()
    {
        long steps = 1000;
        int[] match = [0, 1, 2, 3];
        new DiffRefinement((Letters("abcd"), Letters("bxda")), (new int[4], new int[4]), (new int[4], new int[4])).Apply(match, ref steps);

        Assert.InRange(steps, 1, 999);
    }

    [Fact]
    public void What_has_no_equal_is_paired_by_its_call_and_then_without_its_caller()
    {
        // Both sides have an event that only they have between a and b, once of one call, once of one function from two callers, once of two functions.
        Assert.Equal("1 2 3", Refined(callsA: [0, 5, 0], tokensA: [0, 5, 0], callsB: [0, 0, 5, 0], tokensB: [0, 0, 5, 0]));
        Assert.Equal("1 2 3", Refined(callsA: [0, 5, 0], tokensA: [0, 9, 0], callsB: [0, 0, 6, 0], tokensB: [0, 0, 9, 0]));
        Assert.Equal("1 - 3", Refined(callsA: [0, 5, 0], tokensA: [0, 5, 0], callsB: [0, 0, 6, 0], tokensB: [0, 0, 6, 0]));

        static string Refined(int[] callsA, int[] tokensA, int[] callsB, int[] tokensB)
        {
            int[] match = [0, -1, -1];
            long steps = 1000;
            new DiffRefinement((Letters("axb"), Letters("qayb")), (callsA, callsB), (tokensA, tokensB)).Apply(match, ref steps);
            return Text(match);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Never_more_is_different_than_before_and_never_less_than_can_be(int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < 200; i++)
        {
            int[] a = [.. Enumerable.Range(0, random.Next(60)).Select(_ => random.Next(4))];
            int[] b = [.. a.Where(_ => random.Next(9) > 0).SelectMany(v => random.Next(9) == 0 ? (int[])[v, random.Next(4)] : [v])];
            int[] match = [.. a.Select((_, n) => n < b.Length ? n : -1)];
            int before = Cost(match, a, b);

            Apply(match, a, b, new int[a.Length], new int[b.Length]);

            int[] pairs = [.. match.Where(static m => m >= 0)];
            Assert.Equal(pairs.Order().Distinct(), pairs);
            Assert.InRange(Cost(match, a, b), Distance(a, b), before);
        }
    }

    private static int Cost(int[] match, int[] a, int[] b) =>
        match.Select((m, i) => m < 0 || a[i] != b[m]).Count(static d => d) + b.Length - match.Count(static m => m >= 0);

    /// <summary>Levenshtein's distance.</summary>
    private static int Distance(int[] a, int[] b)
    {
        int[,] d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int k = 0; k <= b.Length; k++)
            {
                d[i, k] = i == 0 || k == 0 ? i + k : Math.Min(Math.Min(d[i - 1, k], d[i, k - 1]) + 1, d[i - 1, k - 1] + (a[i - 1] == b[k - 1] ? 0 : 1));
            }
        }

        return d[a.Length, b.Length];
    }

    private static string Refine(string a, string b) => Refine(a, b, [.. a.Select((_, i) => i < b.Length ? i : -1)]);

    private static string Refine(string a, string b, int[] match)
    {
        Apply(match, Letters(a), Letters(b), new int[a.Length], new int[b.Length]);
        return Text(match);
    }

    private static void Apply(int[] match, int[] a, int[] b, int[] callsA, int[] callsB)
    {
        long steps = 1_000_000_000;
        new DiffRefinement((a, b), (callsA, callsB), (callsA, callsB)).Apply(match, ref steps);
    }

    private static int[] Letters(string text) => [.. text.Select(static c => (int)c)];

    private static string Text(int[] match) => string.Join(' ', match.Select(static m => m < 0 ? "-" : $"{m}"));
}
