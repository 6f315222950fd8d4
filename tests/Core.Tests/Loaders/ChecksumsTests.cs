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

    [Fact]
    public void Of_any_length_are_what_dividing_bit_by_bit_leaves()
    {
        byte[] bytes = new byte[300];
        new Random(3).NextBytes(bytes);
        for (int length = 0; length <= bytes.Length; length++)
        {
            Assert.Equal((uint)Remainder(bytes[..length], 0x04C11DB7, 32), Checksums.Crc32(bytes.AsSpan(0, length)));
            Assert.Equal(Remainder(bytes[..length], 0x42F0E1EBA9EA3693, 64), Checksums.Crc64(bytes.AsSpan(0, length)));
        }
    }

    /// <summary>The message's bits, lowest of each byte first, divided by the polynomial as it is published; all ones before and after.</summary>
    private static ulong Remainder(byte[] message, ulong polynomial, int width)
    {
        ulong all = ulong.MaxValue >> (64 - width);
        ulong rest = all;
        for (int bit = 0; bit < message.Length * 8; bit++)
        {
            bool isOne = (((ulong)message[bit / 8] >> (bit % 8)) & 1) != ((rest >> (width - 1)) & 1);
            rest = (rest << 1) & all;
            rest ^= isOne ? polynomial : 0;
        }

        ulong reflected = 0;
        for (int i = 0; i < width; i++)
        {
            reflected |= ((rest >> i) & 1) << (width - 1 - i);
        }

        return reflected ^ all;
    }
}
