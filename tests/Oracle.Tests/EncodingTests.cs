using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using KprobeTrace.Tests.Guests;
using Xunit.Abstractions;

namespace KprobeTrace.Tests.Oracle;

/// <summary>Every encoding, defined or not, compared with the host's processor: see docs/processor-oracle.md.</summary>
public sealed class EncodingTests(ITestOutputHelper output)
{
    private const int MaxReports = 100;

    [AmdFact]
    public void Every_encoding_does_what_the_processor_does_or_stands_in_the_table()
    {
        var reports = new ConcurrentQueue<(TestCase Case, string Text)>();
        var used = new ConcurrentDictionary<int, int>();
        int cases = 0;
        int defined = 0;
        Parallel.ForEach(
            EncodingSpace.Cases().Chunk(OracleLayout.MaxCases),
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            () => (Processor: new OracleProcess(), Interpreter: new EmulatedProcessor()),
            (batch, _, pair) =>
            {
                TestCase[] wanted = batch.Where(one => FormTable.RefusalOf(one.Form, enumerated: true) is null && !HostKernel.Current.Keeps(one)).ToArray();
                Outcome[] outcomes = pair.Processor.Run(wanted);
                for (int i = 0; i < wanted.Length; i++)
                {
                    Interlocked.Increment(ref cases);
                    if (!IsUndefined(outcomes[i]))
                    {
                        Interlocked.Increment(ref defined);
                    }

                    Outcome actual = pair.Interpreter.Run(wanted[i]);
                    Compare(wanted[i], outcomes[i], actual, again => pair.Processor.Run([again])[0], reports, used);
                }

                return pair;
            },
            pair =>
            {
                pair.Processor.Dispose();
                pair.Interpreter.Dispose();
            });

        output.WriteLine($"{cases} encodings, {defined} of them not undefined, {reports.Count} different");
        Assert.True(reports.IsEmpty, Summary(reports));
        Assert.Equal([], EncodingTable.Rows.Where((_, i) => EncodingTable.IsNeeded(i) && !used.ContainsKey(i)).Select(row => row.Key));
        Assert.True(cases > 300_000 && defined > 100_000, $"{cases} encodings, {defined} defined");
    }

    [Fact]
    public void The_page_says_how_many_encodings_are_compared()
    {
        int cases = EncodingSpace.Cases().Count(one => FormTable.RefusalOf(one.Form, enumerated: true) is null);

        Assert.Contains(
            FormattableString.Invariant($"{Math.Round(cases / 10_000.0) * 10_000:N0} encodings, of which"), File.ReadAllText(Repository.PathOf("docs/processor-oracle.md")), StringComparison.Ordinal);
    }

    private static void Compare(
        TestCase one,
        Outcome expected,
        Outcome actual,
        Func<TestCase, Outcome> again,
        ConcurrentQueue<(TestCase Case, string Text)> reports,
        ConcurrentDictionary<int, int> used)
    {
        int row = EncodingTable.Find(one);
        List<string> differences = row < 0 ? LastingDifference.Find(one, expected, actual, again) : OutcomeComparer.Compare(one, expected, actual);
        if (row >= 0)
        {
            bool allowed = EncodingTable.Rows[row].Does != "ud" || IsUndefined(actual);
            if (differences.Count > 0)
            {
                used[row] = 1;
            }

            differences = allowed ? [] : ["the table says that the interpreter raises #UD"];
        }

        if (differences.Count > 0)
        {
            reports.Enqueue((one, CaseReport.Write(one, 0, differences)));
        }
    }

    private static bool IsUndefined(Outcome outcome) => outcome.Kind == OutcomeKind.Fault && outcome.Fault.Vector == 6;

    /// <summary>The first differing encoding of each form, with how many there are.</summary>
    private static string Summary(ConcurrentQueue<(TestCase Case, string Text)> reports)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{reports.Count} encodings differ");
        foreach (IGrouping<Iced.Intel.Code, (TestCase Case, string Text)> form in reports.GroupBy(report => report.Case.Form).OrderBy(form => form.Key).Take(MaxReports))
        {
            text.Append(CultureInfo.InvariantCulture, $"{form.Count()}: ").Append(form.MinBy(report => report.Case.Index).Text);
        }

        return text.ToString();
    }
}
