using Xunit;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Which places a seed draws.</summary>
public sealed class SamplerTests
{
    private const string Code = "int a = 1; int b = a < 2 ? a - 1 : a + 1; b += a; a = 0; return a == b ? a * b : a / 3;";

    private static readonly List<Site> _sites =
        [.. Enumerable.Range(0, 20).SelectMany(folder => Enumerable.Range(0, folder % 5 == 0 ? 20 : 2).SelectMany(_ => Snippet.Sites(Code, $"Folder{folder:D2}")))];

    [Fact]
    public void A_sample_of_300_takes_at_least_twelve_of_each_folder_and_more_of_large_ones()
    {
        List<FolderPlan> plan = new Sampler("seed").Plan(_sites, 300);

        Assert.Equal(300, plan.Sum(folder => folder.Wanted));
        Assert.Equal(20, plan.Count);
        Assert.All(plan, folder => Assert.True(folder.Wanted >= 12));
        Assert.True(plan.Where((_, i) => i % 5 == 0).Average(folder => folder.Wanted) > plan.Where((_, i) => i % 5 != 0).Average(folder => folder.Wanted));
    }

    [Fact]
    public void A_small_sample_is_spread_over_the_folders() =>
        Assert.All(new Sampler("seed").Plan(_sites, 25), folder => Assert.InRange(folder.Wanted, 1, 6));

    [Fact]
    public void The_same_seed_draws_the_same_and_another_one_others()
    {
        IEnumerable<Site> Drawn(string seed) => new Sampler(seed).Plan(_sites, 60).SelectMany(folder => folder.Order.Take(folder.Wanted));

        Assert.Equal(Drawn("a"), Drawn("a"));
        Assert.NotEqual(Drawn("a"), Drawn("b"));
    }

    [Fact]
    public void Rare_kinds_come_as_often_as_frequent_ones()
    {
        List<Site> sites = [.. Enumerable.Range(0, 100).SelectMany(_ => Snippet.Sites("int a = 1; return a == 1 ? 2 : 3;")), .. Snippet.Sites("int a = 3; a = 0; return a;")];
        FolderPlan plan = Assert.Single(new Sampler("seed").Plan(sites, 20));

        Assert.Contains(plan.Order.Take(20), site => site.Fault.Operator == "forgotten reset");
    }
}
