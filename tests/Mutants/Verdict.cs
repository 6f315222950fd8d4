namespace KprobeTrace.Tests.Mutants;

/// <summary>What became of a mutant.</summary>
/// <param name="Killer">The test that failed, or how else its process ended; null when nothing did.</param>
/// <param name="Seconds">How long that took.</param>
/// <param name="Classes">How many classes of tests could have seen it.</param>
internal sealed record Verdict(string? Killer, double Seconds, int Classes);
