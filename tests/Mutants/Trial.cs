using System.Diagnostics;
using System.Globalization;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Runs the tests that can see a mutant, the likeliest and shortest first, until one fails.</summary>
internal sealed class Trial(Scratch scratch, IReadOnlyList<TestClass> classes, Nearness nearness)
{
    private static readonly TimeSpan _start = TimeSpan.FromSeconds(30);

    /// <summary>Tries one mutant.</summary>
    /// <param name="mutant">The fault that is switched on.</param>
    /// <param name="budget">The most time, zero for as much as it needs. A run that is cut short proves nothing.</param>
    public Verdict Run(Mutant mutant, TimeSpan budget)
    {
        long start = Stopwatch.GetTimestamp();
        List<TestClass> sees = [.. nearness.Order(mutant, classes.Where(tests => tests.Reached.Contains(mutant.Id)))];
        foreach (List<TestClass> tests in Processes(sees))
        {
            TimeSpan left = budget - Stopwatch.GetElapsedTime(start);
            if (budget > TimeSpan.Zero && left < TimeSpan.FromSeconds(1))
            {
                break;
            }

            if (In(mutant, tests, budget > TimeSpan.Zero ? left : null) is string killer)
            {
                return new Verdict(killer, Stopwatch.GetElapsedTime(start).TotalSeconds, sees.Count);
            }
        }

        return new Verdict(null, Stopwatch.GetElapsedTime(start).TotalSeconds, sees.Count);
    }

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

    private string? In(Mutant mutant, List<TestClass> tests, TimeSpan? left)
    {
        IEnumerable<string> given = tests.SelectMany(test => test.Failing).Select(name => "!" + name)
            .Concat(tests.Select(test => $"{test.Name}\t{(left is null ? Limit(test) : left.Value).TotalMilliseconds:F0}"));
        Dictionary<string, string> environment = new() { ["MUTANT_ACTIVE"] = mutant.Id.ToString(CultureInfo.InvariantCulture) };
        TimeSpan limit = left ?? tests.Aggregate(_start, (sum, test) => sum + Limit(test));
        (int? status, string[] result) = TestRun.Run(scratch, tests[0].Project, environment, limit, "trial", given);
        if (result is ["survived"] || left is not null && (status is null || result is [_, "endless"]))
        {
            return null;
        }

        TestClass? killer = result.Length > 0 ? tests.Find(test => test.Name == result[0]) : null;
        if (killer is not null)
        {
            nearness.Noticed(mutant, killer);
        }

        return result switch
        {
            [string endless, "endless"] => $"a run of {endless} without end",
            [_, string failed] => failed,
            [string running] => $"the end of the test process in {running}, status {status}",
            _ => status is null ? "a run without end" : $"the end of the test process, status {status}",
        };
    }

    private static TimeSpan Limit(TestClass tests) => TimeSpan.FromMilliseconds(20_000 + 4 * tests.Milliseconds);
}
