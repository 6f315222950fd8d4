using Xunit;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Many faults under one run of a class of tests.</summary>
public sealed class SharedTrialsTests
{
    private static readonly List<Mutant> _mutants =
        [.. Snippet.Sites("int a = 1; int b = a < 2 ? a - 1 : a + 1; b += a; return a * b;").Take(16).Select((site, id) => new Mutant(id, site, site.Fault))];

    [Theory]
    [InlineData("", 1)]
    [InlineData("5", 9)]
    [InlineData("0 15", 15)]
    [InlineData("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", 31)]
    public void A_class_notices_what_it_would_notice_of_each_alone(string noticed, int runs)
    {
        HashSet<int> seen = [.. noticed.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
        (HashSet<int> dead, int ran) = Run((mutants, _) => mutants.Any(mutant => seen.Contains(mutant.Id)), [new TestClass("P", "A", 10, [], [])]);

        Assert.Equal(seen, dead);
        Assert.Equal(runs, ran);
    }

    [Fact]
    public void What_one_class_noticed_is_not_tried_with_the_next()
    {
        List<int[]> ran = [];
        (HashSet<int> dead, _) = Run(
            (mutants, tests) =>
            {
                ran.Add([.. mutants.Select(mutant => mutant.Id)]);
                return tests.Name == "long" && mutants.Any(mutant => mutant.Id == 3);
            },
            [new TestClass("P", "short", 10, [], []), new TestClass("P", "long", 1000, [], [])]);

        Assert.Equal([3], dead);
        Assert.Equal(Enumerable.Range(0, 16), ran[0]);
        Assert.Equal(Enumerable.Range(0, 16).Where(id => id != 3), ran[^1]);
    }

    [Fact]
    public void A_failure_that_none_causes_alone_is_nobodys() =>
        Assert.Empty(Run((mutants, _) => mutants.Count > 8, [new TestClass("P", "A", 10, [], [])]).Dead);

    private static (HashSet<int> Dead, int Ran) Run(Func<IReadOnlyList<Mutant>, TestClass, bool> notices, List<TestClass> classes)
    {
        HashSet<int> dead = [];
        int ran = 0;
        new SharedTrials(
            (mutants, tests) =>
            {
                ran++;
                return notices(mutants, tests) ? "a test" : null;
            },
            1,
            (mutant, _) => Assert.True(dead.Add(mutant.Id))).Run(classes.Select(tests => (tests, _mutants)));
        return (dead, ran);
    }
}
