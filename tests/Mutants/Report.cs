using System.Globalization;

namespace KprobeTrace.Tests.Mutants;

/// <summary>Prints rates and survivors.</summary>
internal static class Report
{
    /// <summary>Prints all of it.</summary>
    /// <param name="chosen">The faults of the sample.</param>
    /// <param name="verdicts">What became of those that were tried.</param>
    /// <param name="argued">Those that change nothing.</param>
    /// <param name="classes">All classes of tests with what they came by; null when each fault had its share of a budget only.</param>
    public static void Print(List<Mutant> chosen, IReadOnlyDictionary<int, Verdict> verdicts, ArguedFaults argued, IReadOnlyList<TestClass>? classes)
    {
        Console.WriteLine();
        Console.WriteLine("folder           planted  argued  killed  rate");
        foreach (IGrouping<string, Mutant> folder in chosen.GroupBy(mutant => mutant.Folder).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            Row(folder.Key, [.. folder], verdicts);
        }

        Row("all", chosen, verdicts);
        List<Mutant> equivalent = [.. chosen.Where(mutant => !verdicts.ContainsKey(mutant.Id))];
        if (equivalent.Count > 0)
        {
            Console.WriteLine();
            Console.WriteLine("Argued to change nothing");
            equivalent.ForEach(mutant => Console.WriteLine($"    {mutant}\n      {argued.ReasonOf(mutant.Fault)}"));
        }

        Console.WriteLine();
        Console.WriteLine(classes is null ? "Not noticed in the time there was" : "Survivors");
        foreach (Mutant mutant in chosen.Where(mutant => verdicts.TryGetValue(mutant.Id, out Verdict? verdict) && verdict.Killer is null))
        {
            int come = classes?.Count(tests => tests.Reached.Contains(mutant.Id)) ?? 0;
            Console.WriteLine($"  {mutant}{(classes is null ? "" : come > 0 ? $"  [{come} classes of tests come here]" : "  [no test comes here]")}");
        }
    }

    private static void Row(string folder, List<Mutant> chosen, IReadOnlyDictionary<int, Verdict> verdicts)
    {
        int argued = chosen.Count(mutant => !verdicts.ContainsKey(mutant.Id));
        int killed = chosen.Count(mutant => verdicts.TryGetValue(mutant.Id, out Verdict? verdict) && verdict.Killer is not null);
        double rate = 100.0 * killed / Math.Max(1, chosen.Count - argued);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{folder,-16} {chosen.Count,7} {argued,7} {killed,7} {rate,4:F0} %"));
    }
}
