namespace KprobeTrace.Queries;

/// <summary>What a percentile function is registered with.</summary>
/// <param name="Percent">The percentile, where the call does not name it.</param>
/// <param name="Budget">Memory for the values.</param>
internal sealed record PercentileSettings(double Percent, PercentileBudget Budget);
