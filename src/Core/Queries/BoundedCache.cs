namespace KprobeTrace.Queries;

/// <summary>What was worked out for a number, so that it is worked out once; forgotten when there is too much of it.</summary>
/// <param name="make">Works it out.</param>
/// <param name="most">How many are remembered at most.</param>
internal sealed class BoundedCache<T>(Func<long, T> make, int most = 1 << 16)
{
    private readonly Dictionary<long, T> _known = [];

    /// <summary>What is known of <paramref name="key"/>, or else worked out.</summary>
    internal T Of(long key)
    {
        if (!_known.TryGetValue(key, out T? value))
        {
            value = make(key);
            if (_known.Count == most)
            {
                _known.Clear();
            }

            _known.Add(key, value);
        }

        return value;
    }
}
