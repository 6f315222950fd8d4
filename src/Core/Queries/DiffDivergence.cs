namespace KprobeTrace.Queries;

/// <summary>A place where two runs part.</summary>
/// <param name="What"><c>events</c>: events without a partner; <c>arguments</c>: a pair whose arguments
/// differ; <c>caller</c>: a pair that was called from different places.</param>
/// <param name="OnlyA">Events that only the first run has there.</param>
/// <param name="OnlyB">Events that only the second run has there.</param>
/// <param name="SeqA">Sequence number of the first event concerned in the first run, null at its end.</param>
/// <param name="SeqB">Sequence number of the first event concerned in the second run, null at its end.</param>
/// <param name="Arguments">Arguments in which the pair differs.</param>
/// <param name="Callers">The pair's callers, where they differ.</param>
/// <param name="Registers">Registers in which these two events differ.</param>
public sealed record DiffDivergence(
    string What,
    long OnlyA,
    long OnlyB,
    long? SeqA,
    long? SeqB,
    IReadOnlyList<DiffArgument> Arguments,
    (string A, string B)? Callers,
    IReadOnlyList<DiffRegister> Registers);
