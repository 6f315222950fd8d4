using KprobeTrace.Record;
using Xunit;

namespace KprobeTrace.Tests.Record;

/// <summary>When a guest is said to be larger than the host allows.</summary>
public sealed class MemoryNoticeTests
{
    [Fact]
    public void Guest_as_large_as_what_there_is_fits_and_a_larger_one_may_not()
    {
        ulong available = (ulong)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

        Assert.Null(MemoryNotice.For(0));
        Assert.Null(MemoryNotice.For(available));
        Assert.StartsWith(
            $"warning: the guest has {(available + 1) >> 20} MiB and this process may use some {available >> 20}; if the guest touches more, the host kills it",
            MemoryNotice.For(available + 1),
            StringComparison.Ordinal);
        Assert.Contains($"the guest has {1 << 24} MiB", MemoryNotice.For(1UL << 44), StringComparison.Ordinal);
    }
}
