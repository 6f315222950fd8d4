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

    [Theory]
    [InlineData(1UL, 0x1000UL)]
    [InlineData(0xFFFUL, 0x1000UL)]
    [InlineData(0x1000UL, 0x1000UL)]
    [InlineData(0x1001UL, 0x2000UL)]
    public void Is_whole_pages_at_a_page_of_the_host_all_zero(ulong asked, ulong size)
    {
        using PhysicalMemory memory = new(asked);

        Assert.Equal((size, 0UL), (memory.Size, (ulong)memory.Base % 0x1000));
        Assert.True(new ReadOnlySpan<byte>(memory.Base, (int)size + 0x1000).IndexOfAnyExcept((byte)0) < 0);
        Assert.True(new ReadOnlySpan<byte>(memory.CodePages, (int)(size / 0x1000)).IndexOfAnyExcept((byte)0) < 0);
    }

    [Theory]
    [InlineData(0UL, 0x4000, true)]
    [InlineData(0x3FF0UL, 16, true)]
    [InlineData(0x3FF0UL, 17, false)]
    [InlineData(0x4000UL, 0, true)]
    [InlineData(0x4001UL, 0, false)]
    public void Copies_what_lies_in_it_whole_and_nothing_else(ulong address, int length, bool expected)
    {
        using PhysicalMemory memory = new(Size);
        byte[] bytes = [.. Enumerable.Range(1, length).Select(i => (byte)i)];
        byte[] read = new byte[length];

        Assert.Equal(expected, memory.TryWrite(address, bytes));
        Assert.Equal(expected, memory.TryRead(address, read));
        Assert.Equal(expected ? bytes : new byte[length], read);
    }

    [Fact]
    public void Is_freed_once()
    {
        PhysicalMemory memory = new(Size);
        Tlb tlb = new();

        memory.Dispose();
        memory.Dispose();
        tlb.Dispose();
        tlb.Dispose();

        Assert.True(memory.CodePages == null);
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
