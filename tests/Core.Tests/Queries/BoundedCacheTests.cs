using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class BoundedCacheTests
{
    [Fact]
    public void What_is_known_is_worked_out_once_until_there_is_too_much_of_it()
    {
        List<long> asked = [];
        BoundedCache<string> cache = new(Make, most: 3);
        foreach (long key in (long[])[1, 1, 2, 3, 1, 2, 3, -4, -4, 1, 2, 3, 2])
        {
            Assert.Equal($"<{key}>", cache.Of(key));
        }

        // The fourth key makes the first three forgotten; the third after that it and the two others.
        Assert.Equal([1, 2, 3, -4, 1, 2, 3, 2], asked);

        string Make(long key)
        {
            asked.Add(key);
            return $"<{key}>";
        }
    }
}
