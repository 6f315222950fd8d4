namespace KprobeTrace.Tests.Mutants;

/// <summary>What became of a mutant.</summary>
/// <param name="Killer">The test that failed, or how else its process ended; null when nothing did.</param>
/// <param name="Seconds">How long that took.</param>
internal sealed record Verdict(string? Killer, double Seconds);
