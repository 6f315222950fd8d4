namespace KprobeTrace.Tests.Mutants;

/// <summary>Draws sites by a seed: spread over the folders, and over the kinds of fault within a folder.</summary>
internal sealed class Sampler(string seed)
{
    /// <summary>The fewest faults of a folder, where the sample is large enough.</summary>
    public const int LeastPerFolder = 12;

    private ulong _state = Fnv(seed);

    /// <summary>A plan that takes all given sites.</summary>
    public static List<FolderPlan> All(IEnumerable<Site> sites) =>
        [.. sites.GroupBy(site => site.Folder).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => new FolderPlan(group.Key, group.Count(), [.. group]))];

    /// <summary>Orders all sites of each folder as they are to be tried, and says how many of each folder are wanted.</summary>
    public List<FolderPlan> Plan(IEnumerable<Site> sites, int count)
    {
        List<(string Folder, List<Site> Sites)> folders =
            [.. sites.GroupBy(site => site.Folder).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => (group.Key, group.ToList()))];
        int[] wanted = Quotas([.. folders.Select(folder => folder.Sites.Count)], count);
        return [.. folders.Select((folder, i) => new FolderPlan(folder.Folder, wanted[i], Order(folder.Sites)))];
    }

    // Every folder gets an equal least share, the rest goes by the root of their size: the largest would else take half.
    private int[] Quotas(int[] sizes, int count)
    {
        int least = Math.Min(LeastPerFolder, count / sizes.Length);
        int[] wanted = [.. sizes.Select(_ => least)];
        double[] weights = [.. sizes.Select(size => Math.Sqrt(size))];
        for (int left = count - least * sizes.Length; left > 0; left--)
        {
            double point = NextFraction() * weights.Sum();
            int i = 0;
            while (i < weights.Length - 1 && (point -= weights[i]) >= 0)
            {
                i++;
            }

            wanted[i]++;
        }

        return wanted;
    }

    // A kind of fault is drawn first, so that rare ones (a swapped argument, a forgotten reset) come as often as limits do.
    private List<Site> Order(List<Site> sites)
    {
        List<List<Site>> kinds = [.. sites.GroupBy(site => site.Change.Operator).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => group.ToList())];
        List<Site> order = [];
        while (kinds.Count > 0)
        {
            List<Site> kind = kinds[Next(kinds.Count)];
            int drawn = Next(kind.Count);
            order.Add(kind[drawn]);
            kind[drawn] = kind[^1];
            kind.RemoveAt(kind.Count - 1);
            if (kind.Count == 0)
            {
                kinds.Remove(kind);
            }
        }

        return order;
    }

    private int Next(int bound) => (int)(NextFraction() * bound);

    // SplitMix64, so that a seed means the same on every version of the runtime.
    private double NextFraction()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));
    }

    private static ulong Fnv(string text) =>
        text.Aggregate(0xCBF29CE484222325, (hash, c) => (hash ^ c) * 0x100000001B3);
}
