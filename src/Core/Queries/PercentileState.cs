namespace KprobeTrace.Queries;

/// <summary>The values of one percentile aggregate.</summary>
internal sealed class PercentileState
{
    private readonly List<double> _values = [];

    internal PercentileState(double percent) => Percent = percent;

    internal double Percent { get; }

    /// <summary>True while every value was an integer.</summary>
    internal bool Integers { get; private set; } = true;

    /// <summary>Index of the percentile among <paramref name="count"/> sorted values, by nearest rank.</summary>
    internal static long Rank(long count, double percent) =>
        Math.Clamp((long)Math.Ceiling(percent / 100 * count) - 1, 0, count - 1);

    internal void Add(double value, bool integer)
    {
        Integers &= integer;
        _values.Add(value);
    }

    internal double Value()
    {
        _values.Sort();
        return _values[(int)Rank(_values.Count, Percent)];
    }
}
