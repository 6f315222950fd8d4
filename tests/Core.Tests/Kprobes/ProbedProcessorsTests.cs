using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Cpu;
using KprobeTrace.Tests.Guest;
using KprobeTrace.Tests.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

public sealed class ProbedProcessorsTests
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

    [Fact]
    public unsafe void Instructions_are_counted_beyond_32_bits()
    {
        using TestGuest guest = new();
        guest.State->Deadline = (1L << 32) + 5;
        guest.State->Left = 0;

        Assert.Equal((1UL << 32) + 5, new ProbedProcessors(guest.Processor.Group, null, null).RetiredInstructions);
    }

    [Fact]
    public void Without_Linux_there_are_no_tasks_and_with_it_that_of_the_processor_whose_turn_it_is()
    {
        const ulong text = GuestImage.Text;
        using TestGuest guest = new(processorCount: 2);
        GuestRam ram = new(text, 0x20000);
        LoadedImage image = GuestImage.Load(static _ => { });
        SymbolTable symbols = GuestImage.Symbols(("current_task", 0x40), ("__per_cpu_offset", text + 0x100), ("_text", text), ("_end", text + 0x4000));
        BtfBuilder types = new();
        int number = types.Int("int", 4, 1);
        types.Struct("task_struct", 0x40, ("pid", number, 0, 0), ("tgid", number, 32, 0), ("comm", types.Array(types.Int("char", 1, 1), number, 16), 64, 0));
        ram.Write(text + 0x100, text + 0x8000).Write(text + 0x8040, text + 0x9000).Write(text + 0x108, text + 0xA000).Write(text + 0xA040, text + 0xB000);
        LinuxGuest linux = new(image, symbols, Btf.Parse("kernel", types.Build()), ram);

        Assert.Equal(0UL, new ProbedProcessors(guest.Processor.Group, null, null).CurrentTask);
        Assert.Equal(text + 0x9000, new ProbedProcessors(guest.Processor.Group, linux, ram).CurrentTask);
        Assert.Equal(2, new ProbedProcessors(guest.Processors, linux, ram).CpuCount);

        guest.Processors[1].Run(1);
        Assert.Equal(text + 0xB000, new ProbedProcessors(guest.Processors, linux, ram).CurrentTask);
        Assert.Equal((0UL, 1UL), ((ulong)guest.Processor.Retired, new ProbedProcessors(guest.Processors, linux, ram).RetiredInstructions));
    }

    [Fact]
    public void Memory_is_the_kernels_where_that_is_known_and_what_CR3_maps_elsewhere()
    {
        using TestGuest guest = new();
        guest.Map(Page, 0x80_000, TestGuest.PresentWrite);
        guest.Memory.TryWrite(0x80_000, [1]);
        GuestRam ram = new(GuestImage.Text, 0x1000);
        ram.Write(GuestImage.Text, 2, 1);
        byte[] one = new byte[1];

        Assert.True(new ProbedProcessors(guest.Processor.Group, null, null).TryReadKernel(Page, one) && one[0] == 1);
        Assert.False(new ProbedProcessors(guest.Processor.Group, null, null).TryReadKernel(GuestImage.Text, one));
        Assert.True(new ProbedProcessors(guest.Processor.Group, null, ram).TryReadKernel(GuestImage.Text, one) && one[0] == 2);
        Assert.False(new ProbedProcessors(guest.Processor.Group, null, ram).TryReadKernel(Page, one));
    }
}
