using System.Diagnostics;
using System.Globalization;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Runs tests with faults switched on.</summary>
internal sealed class Trial(Scratch scratch, Nearness nearness)
{
    private static readonly TimeSpan _start = TimeSpan.FromSeconds(30);

    /// <summary>Runs classes in turn, the likeliest first, with one fault on, until one notices it.</summary>
    /// <param name="mutant">The fault.</param>
    /// <param name="classes">The classes.</param>
    /// <param name="budget">The most time, zero for as much as it needs. A run that is cut short proves nothing.</param>
    public Verdict Alone(Mutant mutant, IReadOnlyList<TestClass> classes, TimeSpan budget)
    {
        long start = Stopwatch.GetTimestamp();
        string? killer = null;
        foreach (List<TestClass> tests in Processes([.. nearness.Order(mutant, classes)]))
        {
            TimeSpan left = budget - Stopwatch.GetElapsedTime(start);
            if (budget > TimeSpan.Zero && left < TimeSpan.FromSeconds(1))
            {
                break;
            }

            (killer, TestClass? by) = Run([mutant], tests, budget > TimeSpan.Zero ? left : null);
            if (killer is not null)
            {
                if (by is not null)
                {
                    nearness.Noticed(mutant, by);
                }

                break;
            }
        }

        return new Verdict(killer, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>Runs one class with several faults on. Returns what noticed any of them.</summary>
    public string? Together(IReadOnlyList<Mutant> mutants, TestClass tests) => Run(mutants, [tests], null).Killer;

    // The likeliest first, then others in processes of more and more classes; each long one has its own, after all short ones.
    private static IEnumerable<List<TestClass>> Processes(List<TestClass> sees)
    {
        List<TestClass> left = [.. sees.Where(tests => !tests.IsLong)];
        for (int tier = 8; left.Count > 0; tier *= 5)
        {
            foreach (IGrouping<string, TestClass> project in left.Take(tier).GroupBy(tests => tests.Project))
            {
                yield return [.. project];
            }

            left.RemoveRange(0, Math.Min(tier, left.Count));
        }

        foreach (TestClass tests in sees.Where(tests => tests.IsLong))
        {
            yield return [tests];
        }
    }

    private (string? Killer, TestClass? By) Run(IReadOnlyList<Mutant> mutants, List<TestClass> tests, TimeSpan? left)
    {
        IEnumerable<string> given = tests.SelectMany(test => test.Failing).Select(name => "!" + name)
            .Concat(tests.Select(test => $"{test.Name}\t{(left is null ? Limit(test) : left.Value).TotalMilliseconds:F0}"));
        string active = string.Join(',', mutants.Select(mutant => mutant.Id.ToString(CultureInfo.InvariantCulture)));
        TimeSpan limit = left ?? tests.Aggregate(_start, (sum, test) => sum + Limit(test));
        (int? status, string[] result) = TestRun.Run(scratch, tests[0].Project, new() { ["MUTANT_ACTIVE"] = active }, limit, "trial", given);
        if (result is ["survived"] || left is not null && (status is null || result is [_, "endless"]))
        {
            return (null, null);
        }

        string killer = result switch
        {
            [string endless, "endless"] => $"a run of {endless} without end",
            [_, string failed] => failed,
            [string running] => $"the end of the test process in {running}, status {status}",
            _ => status is null ? "a run without end" : $"the end of the test process, status {status}",
        };
        return (killer, result.Length > 0 ? tests.Find(test => test.Name == result[0]) : null);
    }

    private static TimeSpan Limit(TestClass tests) => TimeSpan.FromMilliseconds(20_000 + 4 * tests.Milliseconds);
}
