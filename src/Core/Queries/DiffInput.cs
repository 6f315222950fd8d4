namespace KprobeTrace.Queries;

/// <summary>Something that two runs were started with and that differs.</summary>
/// <param name="Name">What it is.</param>
/// <param name="A">In the first run.</param>
/// <param name="B">In the second run.</param>
public sealed record DiffInput(string Name, string A, string B);
