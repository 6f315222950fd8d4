using System.Collections.Concurrent;
using System.Globalization;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Finds out which class of tests reaches which mutant.</summary>
internal static class Coverage
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(30);

    /// <summary>
    /// Runs every class with nothing switched on, each in a process of its own: what is computed once for a whole process (a table, a
    /// cache) would else be seen by the first class only.
    /// </summary>
    public static List<TestClass> Measure(Scratch scratch, int mutants, int jobs, Action<string> report, Action<string> note)
    {
        ConcurrentBag<TestClass> found = [];
        // Long ones first, as far as the number of cases tells, lest one be left running alone at the end.
        IEnumerable<(string Project, string Name, long Cases)> classes = Classes(scratch)
            .OrderBy(tests => tests.Project is "Record.Tests" or "Oracle.Tests" ? 0 : 1).ThenByDescending(tests => tests.Cases);
        Parallel.ForEach(Partitioner.Create(classes, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = jobs }, tests =>
        {
            if (Of(scratch, tests.Project, tests.Name, mutants, report) is TestClass known)
            {
                found.Add(known);
                note($"    {known.Milliseconds,7} ms {known.Name}, which comes by {known.Reached.Count}");
            }
        });
        return [.. found.OrderBy(tests => tests.Name, StringComparer.Ordinal)];
    }

    /// <summary>
    /// All classes without running any: every one may reach every mutant, and the number of its cases stands for its time. Classes that
    /// read sources or machine code are left aside, since planting changes those.
    /// </summary>
    public static List<TestClass> Assume(Scratch scratch, int mutants)
    {
        HashSet<int> all = [.. Enumerable.Range(0, mutants)];
        return [.. Classes(scratch)
            .Where(tests => !tests.Name.Contains(".Architecture.", StringComparison.Ordinal) && !tests.Name.EndsWith("TailCallTests", StringComparison.Ordinal) && !tests.Name.EndsWith("RulesOffTests", StringComparison.Ordinal))
            .Select(tests => new TestClass(tests.Project, tests.Name, (tests.Project == "Record.Tests" ? 5_000 : 50) * tests.Cases, [], all))];
    }

    private static IEnumerable<(string Project, string Name, long Cases)> Classes(Scratch scratch) => scratch.TestProjects.SelectMany(project =>
    {
        (int? status, string[] result) = TestRun.Run(scratch, project, [], TimeSpan.FromMinutes(5), "list", []);
        return status == 0
            ? result.Select(line => line.Split('\t')).Select(fields => (project, fields[0], long.Parse(fields[1], CultureInfo.InvariantCulture)))
            : throw new InvalidOperationException($"the list of tests of {project} ended with status {status}");
    });

    private static TestClass? Of(Scratch scratch, string project, string name, int mutants, Action<string> report)
    {
        string reached = Path.Combine(scratch.Folder, name + ".reached");
        File.WriteAllBytes(reached, new byte[mutants]);
        (int? status, string[] result) = TestRun.Run(scratch, project, new() { ["MUTANT_REACHED"] = reached }, _patience, "coverage", [name]);
        byte[] seen = File.ReadAllBytes(reached);
        if (status != 0 || result.Length == 0)
        {
            report($"left aside, as it ends its process with status {status} on planted sources: {name}");
            return null;
        }

        string[] failing = result[1..];
        foreach (string test in failing)
        {
            report($"left aside, as it fails on planted sources: {test}");
        }

        string[] fields = result[0].Split('\t');
        return fields[1] == "0" // all skipped
            ? null
            : new TestClass(project, name, long.Parse(fields[0], CultureInfo.InvariantCulture), failing, [.. Enumerable.Range(0, mutants).Where(id => seen[id] != 0)]);
    }
}
