using KprobeTrace.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

public sealed class ChecksumsTests
{
    [Fact]
    public void Agree_with_the_published_check_values()
    {
        Assert.Equal(0xCBF43926u, Checksums.Crc32("123456789"u8));
        Assert.Equal(0x995DC9BBDF1939FAul, Checksums.Crc64("123456789"u8));
    }

    [Fact]
    public void Of_nothing_are_zero()
    {
        Assert.Equal(0u, Checksums.Crc32([]));
        Assert.Equal(0ul, Checksums.Crc64([]));
    }
}
