using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Guesses which class of tests will notice a fault: by names, by what its source mentions, and by what it noticed before.</summary>
internal sealed partial class Nearness
{
    private readonly Dictionary<string, HashSet<string>> _words = [];
    private readonly ConcurrentDictionary<(string Folder, string Tests), int> _kills = [];

    /// <summary>Reads the sources of the tests.</summary>
    public Nearness(string root, IEnumerable<TestClass> classes)
    {
        ILookup<string, string> files = Directory.EnumerateFiles(Path.Combine(root, "tests"), "*.cs", SearchOption.AllDirectories)
            .ToLookup(path => Path.GetFileName(path).Split('.')[0]);
        foreach (TestClass tests in classes)
        {
            _words[tests.Name] = [.. files[tests.ShortName].SelectMany(path => Word().Matches(File.ReadAllText(path)).Select(match => match.Value))];
        }
    }

    /// <summary>Classes by the time that a kill is expected to cost, least first.</summary>
    public IEnumerable<TestClass> Order(Mutant mutant, IEnumerable<TestClass> classes) =>
        classes.OrderBy(tests => (tests.Milliseconds + 100) / Chance(mutant, tests)).ThenBy(tests => tests.Name, StringComparer.Ordinal);

    /// <summary>Remembers who noticed.</summary>
    public void Noticed(Mutant mutant, TestClass tests) => _kills.AddOrUpdate((mutant.Folder, tests.Name), 1, (_, kills) => kills + 1);

    private double Chance(Mutant mutant, TestClass tests)
    {
        string type = Path.GetFileName(mutant.Fault.File).Split('.')[0];
        double chance = tests.ShortName.StartsWith(type, StringComparison.Ordinal) ? 0.5
            : _words[tests.Name].Contains(type) ? 0.3
            : Parts(type).Intersect(Parts(tests.ShortName)).Any() ? 0.2
            : tests.Name.Contains($".{mutant.Folder}.", StringComparison.Ordinal) ? 0.1
            : 0.02;
        return Math.Min(0.7, chance + 0.05 * _kills.GetValueOrDefault((mutant.Folder, tests.Name)));
    }

    private static IEnumerable<string> Parts(string name) => Part().Matches(name).Select(match => match.Value).Where(part => part.Length > 3 && part != "Tests");

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();

    [GeneratedRegex("[A-Z][a-z]+")]
    private static partial Regex Part();
}
