namespace KprobeTrace.Queries;

/// <summary>The durations of one event: all of them, or only the ranks wanted when they arrive sorted.</summary>
internal sealed class DurationList
{
    private readonly string _symbol;
    private readonly long[] _ranked = new long[3];
    private long[] _values = [];
    private long _expected;
    private double _sum;
    private long _min = long.MaxValue;
    private long _max = long.MinValue;

    internal DurationList(string symbol) => _symbol = symbol;

    internal long Count { get; private set; }

    /// <summary>Says that durations arrive sorted, and that <paramref name="count"/> more will.</summary>
    internal void Expect(long count) => _expected += count;

    internal void Add(long duration)
    {
        if (_expected > 0)
        {
            for (int i = 0; i < _ranked.Length; i++)
            {
                if (PercentileState.Rank(_expected, Percent(i)) == Count)
                {
                    _ranked[i] = duration;
                }
            }
        }
        else
        {
            if (Count == _values.Length)
            {
                Array.Resize(ref _values, Math.Max(64, _values.Length * 2));
            }

            _values[Count] = duration;
        }

        Count++;
        _sum += duration;
        _min = Math.Min(_min, duration);
        _max = Math.Max(_max, duration);
    }

    internal LatencyRow ToRow(long run, string name, string between)
    {
        if (_expected == 0)
        {
            Array.Sort(_values, 0, (int)Count);
            for (int i = 0; i < _ranked.Length; i++)
            {
                _ranked[i] = _values[PercentileState.Rank(Count, Percent(i))];
            }
        }

        return new LatencyRow(
            run, name, _symbol, between, Count, _min, _sum / Count, _ranked[0], _ranked[1], _ranked[2], _max);
    }

    private static double Percent(int index) => index switch
    {
        0 => 50,
        1 => 95,
        _ => 99,
    };
}
