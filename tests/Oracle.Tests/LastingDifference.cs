namespace KprobeTrace.Tests.Oracle;

/// <summary>
/// Tells a difference between processor and interpreter from what a hypervisor or a switch between tasks does to a case now and then, as an
/// undefined instruction where there is none: of a case that differs the processor is asked again, and what is the interpreter's differs
/// every time.
/// </summary>
internal static class LastingDifference
{
    /// <summary>How often a processor is asked before its answer counts against the interpreter.</summary>
    public const int Attempts = 6;

    /// <summary>What differs in every attempt, as the last one saw it; empty when the two agree.</summary>
    /// <param name="one">The case.</param>
    /// <param name="expected">What the processor did at first.</param>
    /// <param name="actual">What the interpreter did.</param>
    /// <param name="again">Has the processor run the case once more.</param>
    public static List<string> Find(TestCase one, Outcome expected, Outcome actual, Func<TestCase, Outcome> again)
    {
        List<string> differences = OutcomeComparer.Compare(one, expected, actual);
        for (int attempt = 1; attempt < Attempts && differences.Count > 0; attempt++)
        {
            differences = OutcomeComparer.Compare(one, again(one), actual);
        }

        return differences;
    }
}
