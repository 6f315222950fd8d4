namespace KprobeTrace.Queries;

/// <summary>What was worked out for a number, so that it is worked out once; forgotten when there is too much of it.</summary>
/// <param name="most">How many are remembered at most.</param>
internal sealed class BoundedCache<T>(int most = 1 << 16)
{
    private readonly Dictionary<long, T> _known = [];

    /// <summary>What is known of <paramref name="key"/>, or what <paramref name="make"/> says.</summary>
    internal T Of(long key, Func<long, T> make)
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
