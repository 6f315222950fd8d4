namespace KprobeTrace.Queries;

/// <summary>One line of a histogram.</summary>
/// <param name="Key">The key, or a range of it.</param>
/// <param name="Count">How many rows.</param>
/// <param name="Values">How many of them have a value; only these make the mean.</param>
/// <param name="Sum">Sum of the value, where one was asked for.</param>
/// <param name="Min">Smallest value, where one was asked for.</param>
/// <param name="Max">Largest value, where one was asked for.</param>
public sealed record HistogramBucket(string Key, long Count, long Values, double? Sum, double? Min, double? Max)
{
    /// <summary>The mean of the values, where there are any.</summary>
    public double? Mean => Sum / Values;
}
