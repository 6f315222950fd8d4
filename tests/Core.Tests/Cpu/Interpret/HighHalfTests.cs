using KprobeTrace.Cpu.Interpret;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Interpret;

/// <summary>Upper halves of products against the runtime's own 128-bit multiplication.</summary>
public sealed class HighHalfTests
{
    private static readonly ulong[] _edges =
        [0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x1_0000_0000, 0x1_0000_0001, long.MaxValue, 1UL << 63, (1UL << 63) + 1, ulong.MaxValue - 1, ulong.MaxValue];

    [Fact]
    public void Every_way_gives_the_same_bits()
    {
        Random random = new(1);
        ulong[] values = [.. _edges, .. Enumerable.Range(0, 200).Select(_ => (ulong)random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64))];
        foreach (ulong a in values)
        {
            foreach (ulong b in values)
            {
                ulong expected = Math.BigMul(a, b, out _);
                long signed = Math.BigMul((long)a, (long)b, out _);
                Assert.Equal((expected, expected, signed), (HighHalf.OfUnsigned(a, b), HighHalf.InParts(a, b), HighHalf.OfSigned((long)a, (long)b)));
            }
        }
    }
}
