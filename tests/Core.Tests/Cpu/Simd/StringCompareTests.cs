using System.Text;
using KprobeTrace.Cpu.Simd;
using KprobeTrace.Cpu.State;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Simd;

public sealed unsafe class StringCompareTests
{
    [Theory]
    [InlineData("aeiou", "keyboard", 0x00, 0x32)]
    [InlineData("aeiou", "keyboard", 0x30, 0xCD)]
    [InlineData("azAZ", "x1Y2 z", 0x04, 0x25)]
    [InlineData("same", "sane", 0x08, 0xFFFB)]
    [InlineData("ab", "cababa", 0x0C, 0x0A)]
    [InlineData("ab", "cababa", 0x1C, 0xFFF5)]
    public void Aggregations_and_polarities_of_the_manual_hold(string first, string second, int immediate, int expected)
    {
        Xmm a = Text(first);
        Xmm b = Text(second);

        uint result = StringCompare.Compare(
            &a, &b, immediate, StringCompare.ImplicitLength(&a, immediate), StringCompare.ImplicitLength(&b, immediate));

        Assert.Equal((uint)expected, result);
    }

    [Theory]
    [InlineData(-20L, 0, 16)]
    [InlineData(-3L, 0, 3)]
    [InlineData(9L, 1, 8)]
    [InlineData(long.MinValue, 0, 16)]
    public void Lengths_saturate_by_magnitude(long length, int immediate, int expected) =>
        Assert.Equal(expected, StringCompare.ExplicitLength(length, immediate));

    [Fact]
    public void Checksums_match_the_published_check_value()
    {
        uint crc = uint.MaxValue;
        foreach (byte digit in "123456789"u8)
        {
            crc = Crc32C.Accumulate(crc, digit, 1);
        }

        Assert.Equal(0xE306_9283, ~crc);
    }

    private static Xmm Text(string text)
    {
        Xmm value = default;
        Encoding.ASCII.GetBytes(text).CopyTo(new Span<byte>(&value, 16));
        return value;
    }
}
