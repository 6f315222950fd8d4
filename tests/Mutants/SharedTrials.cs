using System.Collections.Concurrent;

namespace KprobeTrace.Tests.Mutants;

/// <summary>
/// Runs a class of tests once for many faults: all that it may still notice are on at a time. Where it passes, it notices none of them;
/// where it fails, halves of them are tried until each that it notices is known.
/// </summary>
internal sealed class SharedTrials(Func<IReadOnlyList<Mutant>, TestClass, string?> together, int jobs, Action<Mutant, string> killed)
{
    private readonly ConcurrentDictionary<int, bool> _dead = [];

    /// <summary>Runs all classes, the longest first.</summary>
    public void Run(IEnumerable<(TestClass Tests, List<Mutant> Mutants)> left) => Parallel.ForEach(
        Partitioner.Create(left.OrderByDescending(pair => pair.Tests.Milliseconds), EnumerablePartitionerOptions.NoBuffering),
        new ParallelOptions { MaxDegreeOfParallelism = jobs },
        pair => Find(pair.Tests, pair.Mutants));

    private void Find(TestClass tests, List<Mutant> mutants)
    {
        List<Mutant> alive = [.. mutants.Where(mutant => !_dead.ContainsKey(mutant.Id))];
        if (alive.Count == 0 || together(alive, tests) is not string killer)
        {
            return;
        }

        if (alive.Count > 1)
        {
            Find(tests, alive[..(alive.Count / 2)]);
            Find(tests, alive[(alive.Count / 2)..]);
        }
        else if (_dead.TryAdd(alive[0].Id, true))
        {
            killed(alive[0], killer);
        }
    }
}
