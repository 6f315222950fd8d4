namespace KprobeTrace.Tests.Oracle;

/// <summary>Compares forms, one at a time: a generator, a processor and an interpreter of its own.</summary>
internal sealed class ComparisonWorker(ulong seed) : IDisposable
{
    private const int MaxReports = 3;

    private readonly CaseGenerator _generator = new(seed);
    private readonly OracleProcess _processor = new();
    private readonly EmulatedProcessor _interpreter = new();

    public FormResult Compare(InstructionForm form, int cases)
    {
        var result = new FormResult(form);
        var batch = new List<TestCase>(OracleLayout.MaxCases);
        for (int first = 0; first < cases; first += OracleLayout.MaxCases)
        {
            batch.Clear();
            for (int i = first; i < Math.Min(cases, first + OracleLayout.MaxCases); i++)
            {
                TestCase one = _generator.Create(form, i);
                if (!HostKernel.Current.Keeps(one))
                {
                    batch.Add(one);
                }
            }

            result.Cases += batch.Count;
            Outcome[] outcomes = _processor.Run(batch);
            for (int i = 0; i < batch.Count; i++)
            {
                CompareCase(result, batch[i], outcomes[i]);
            }
        }

        return result;
    }

    public void Dispose()
    {
        _processor.Dispose();
        _interpreter.Dispose();
    }

    private void CompareCase(FormResult result, TestCase one, Outcome expected)
    {
        Outcome actual = _interpreter.Run(one);
        List<string> differences = LastingDifference.Find(one, expected, actual, again => _processor.Run([again])[0]);
        if (expected.Kind == OutcomeKind.Completed)
        {
            result.Completed++;
        }

        if (differences.Count == 0)
        {
            return;
        }

        result.Different++;
        if (result.Reports.Count < MaxReports)
        {
            result.Reports.Add(CaseReport.Write(one, seed, differences));
        }
    }
}
