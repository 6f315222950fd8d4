namespace KprobeTrace.Queries;

/// <summary>Memory that the percentiles of one connection share.</summary>
internal sealed class PercentileBudget
{
    /// <summary>Bytes of values in memory at most, over all percentiles that are being worked out at once.</summary>
    internal const long Limit = 48 << 20;

    private long _used;

    /// <summary>Takes bytes from what is left; false where it does not suffice.</summary>
    internal bool TryTake(long bytes)
    {
        if (_used + bytes > Limit)
        {
            return false;
        }

        _used += bytes;
        return true;
    }

    /// <summary>Gives bytes back.</summary>
    internal void Return(long bytes) => _used -= bytes;
}
