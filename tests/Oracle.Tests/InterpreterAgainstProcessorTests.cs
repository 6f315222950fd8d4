using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Iced.Intel;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Every instruction form, compared with the host's processor: see docs/processor-oracle.md.</summary>
public sealed class InterpreterAgainstProcessorTests(ITestOutputHelper output)
{
    private const int MaxReports = 30;

    public static TheoryData<string> Sets
    {
        get
        {
            var sets = new TheoryData<string>();
            foreach (string name in FormTable.Compared.Select(SetOf).Distinct().Order(StringComparer.Ordinal))
            {
                sets.Add(name);
            }

            return sets;
        }
    }

    [HostTheory]
    [MemberData(nameof(Sets))]
    public void Registers_flags_memory_and_exceptions_agree(string instructionSet)
    {
        ulong seed = ulong.Parse(Setting("SEED", "1"), CultureInfo.InvariantCulture);
        int cases = int.Parse(Setting("CASES", "500"), CultureInfo.InvariantCulture);
        Regex wanted = TableFile.Glob(Setting("FORMS", "*"));
        List<InstructionForm> forms = FormTable.Compared
            .Where(form => SetOf(form) == instructionSet && wanted.IsMatch(form.Code.ToString()))
            .ToList();

        List<FormResult> results = Compare(forms, seed, cases);

        output.WriteLine($"{results.Count} forms, {results.Sum(result => (long)result.Cases)} cases, "
            + $"{results.Sum(result => (long)result.Completed)} completed, {results.Sum(result => (long)result.Different)} different");
        Assert.True(results.All(result => result.Different == 0), Summary(results));
    }

    /// <summary>The first feature that a form needs.</summary>
    private static string SetOf(InstructionForm form) => form.Code.CpuidFeatures()[0].ToString();

    private static string Setting(string name, string otherwise) =>
        Environment.GetEnvironmentVariable("KPROBETRACE_ORACLE_" + name) is { Length: > 0 } value ? value : otherwise;

    private static List<FormResult> Compare(List<InstructionForm> forms, ulong seed, int cases)
    {
        var results = new ConcurrentBag<FormResult>();
        var options = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount };
        Parallel.ForEach(
            forms,
            options,
            () => new ComparisonWorker(seed),
            (form, _, worker) =>
            {
                results.Add(worker.Compare(form, cases));
                return worker;
            },
            worker => worker.Dispose());
        return results.OrderBy(result => result.Form.Code).ToList();
    }

    private static string Summary(List<FormResult> results)
    {
        var text = new StringBuilder();
        foreach (FormResult result in results.Where(result => result.Different > 0))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{result.Form}: {result.Different} of {result.Cases} cases differ");
        }

        foreach (string report in results.SelectMany(result => result.Reports).Take(MaxReports))
        {
            text.AppendLine().Append(report);
        }

        return text.ToString();
    }
}
