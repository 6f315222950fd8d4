using KprobeTrace.Tests.Cpu;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

public sealed class ProbedProcessorTests
{
    private const ulong Page = 0x4000_0000;

    /// <summary>Two pages that lie next to each other for the guest and apart in its memory, and a hole behind them.</summary>
    [Theory]
    [InlineData(0, 0x2000, true)]
    [InlineData(0, 0x2001, false)]
    [InlineData(0xFFF, 1, true)]
    [InlineData(0xFFF, 2, true)]
    [InlineData(0xFF8, 16, true)]
    [InlineData(0x1000, 0x1000, true)]
    [InlineData(0x1FFF, 1, true)]
    [InlineData(0x1FFF, 2, false)]
    [InlineData(0x2000, 1, false)]
    [InlineData(0x2000, 0, true)]
    public void Memory_is_read_page_by_page_all_of_it_or_nothing(int offset, int length, bool expected)
    {
        using TestGuest guest = new();
        byte[] bytes = [.. Enumerable.Range(0, 0x2000).Select(i => (byte)(i * 7 + (i >> 8)))];
        guest.Map(Page, 0x80_000, TestGuest.PresentWrite);
        guest.Map(Page + 0x1000, 0x60_000, TestGuest.PresentWrite);
        guest.Memory.TryWrite(0x80_000, bytes.AsSpan(0, 0x1000));
        guest.Memory.TryWrite(0x60_000, bytes.AsSpan(0x1000));
        byte[] read = new byte[length];

        Assert.Equal(expected, guest.Processor.TryPeek(Page + (ulong)offset, read));
        if (expected)
        {
            Assert.Equal(bytes.AsSpan(Math.Min(offset, bytes.Length), length).ToArray(), read);
        }
    }
}
