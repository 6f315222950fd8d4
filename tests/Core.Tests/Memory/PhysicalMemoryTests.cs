using System.Runtime.InteropServices;
using KprobeTrace.Memory;
using Xunit;

namespace KprobeTrace.Tests.Memory;

public sealed unsafe class PhysicalMemoryTests
{
    private const ulong Size = 0x4000;

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(0, Size, true)]
    [InlineData(0, Size + 1, false)]
    [InlineData(1, Size, false)]
    [InlineData(Size - 1, 1, true)]
    [InlineData(Size - 1, 2, false)]
    [InlineData(Size, 0, true)]
    [InlineData(Size, 1, false)]
    [InlineData(Size + 1, 0, false)]
    [InlineData(ulong.MaxValue, 1, false)]
    [InlineData(1, ulong.MaxValue, false)]
    public void Contains_what_lies_in_it_whole(ulong address, ulong length, bool expected)
    {
        using PhysicalMemory memory = new(Size);

        Assert.Equal(expected, memory.Contains(address, length));
    }

    [Fact]
    public void What_it_was_lent_is_not_freed_with_it()
    {
        byte* lent = (byte*)NativeMemory.AllocZeroed((nuint)Size * 2);
        try
        {
            // Neither pointer is one that could be freed.
            PhysicalMemory memory = new(lent + 0x1000, lent + Size + 0x1000, Size / 2);
            Assert.True(memory.TryWrite(0x123, [7]));
            memory.Dispose();

            Assert.Equal(7, lent[0x1123]);
        }
        finally
        {
            NativeMemory.Free(lent);
        }
    }
}
