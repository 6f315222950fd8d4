using KprobeTrace.Devices.Interrupts;
using Xunit;

namespace KprobeTrace.Tests.Devices.Interrupts;

public sealed class IoApicTests
{
    private const uint Level = 0x8000;
    private const uint RemoteIrr = 0x4000;
    private const uint Masked = 0x10000;

    private readonly ApicBus _bus = new();
    private readonly RecordingProcessor _processor = new();
    private readonly LocalApic _local;
    private readonly IoApic _apic;

    public IoApicTests()
    {
        _local = new LocalApic(0, true, new TestTime().Clock, _bus, _processor);
        _local.Write(0xF0, 0x1FF, 4);
        _apic = new IoApic(_bus);
    }

    [Fact]
    public void Has_24_masked_inputs()
    {
        Assert.Equal(0x00170020u, Get(1));
        for (int i = 0; i < 24; i++)
        {
            Assert.Equal(Masked, Get(0x10 + (2 * i)));
            Assert.Equal(0u, Get(0x11 + (2 * i)));
        }
    }

    [Fact]
    public void A_rising_edge_sends_the_vector_once()
    {
        Put(0x10 + (2 * 4), 0x24);

        _apic.SetInput(4, true);
        _apic.SetInput(4, true);

        Assert.Equal(0x24, _local.AcknowledgeInterrupt());
        Assert.False(_processor.Pending);
    }

    [Fact]
    public void An_edge_on_a_masked_input_is_lost()
    {
        _apic.SetInput(4, true);

        Put(0x10 + (2 * 4), 0x24);

        Assert.False(_processor.Pending);
    }

    [Fact]
    public void A_level_is_sent_again_at_the_end_of_interrupt_while_it_lasts()
    {
        Put(0x10 + (2 * 9), 0x29 | Level);
        _apic.SetInput(9, true);
        Assert.Equal(0x29 | Level | RemoteIrr, Get(0x10 + (2 * 9)));
        Assert.Equal(0x29, _local.AcknowledgeInterrupt());

        _local.Write(0xB0, 0, 4);
        Assert.True(_processor.Pending);
        Assert.Equal(0x29, _local.AcknowledgeInterrupt());

        _apic.SetInput(9, false);
        _local.Write(0xB0, 0, 4);
        Assert.False(_processor.Pending);
        Assert.Equal(0x29 | Level, Get(0x10 + (2 * 9)));
    }

    [Fact]
    public void A_level_is_sent_when_its_input_is_unmasked()
    {
        Put(0x10 + (2 * 9), 0x29 | Level | Masked);
        _apic.SetInput(9, true);
        Assert.False(_processor.Pending);

        Put(0x10 + (2 * 9), 0x29 | Level);

        Assert.True(_processor.Pending);
    }

    [Fact]
    public void The_end_of_interrupt_register_works_like_the_broadcast()
    {
        Put(0x10 + (2 * 9), 0x29 | Level);
        _apic.SetInput(9, true);
        _local.AcknowledgeInterrupt();
        _apic.SetInput(9, false);

        _apic.Write(0x40, 0x29, 4);

        Assert.Equal(0x29 | Level, Get(0x10 + (2 * 9)));
    }

    [Fact]
    public void Switching_to_edge_clears_the_remote_request()
    {
        Put(0x10 + (2 * 9), 0x29 | Level);
        _apic.SetInput(9, true);

        Put(0x10 + (2 * 9), 0x29 | Masked);

        Assert.Equal(0x29 | Masked, Get(0x10 + (2 * 9)));
    }

    [Fact]
    public void Software_cannot_set_the_status_bits()
    {
        Put(0x10, 0xFFFFFFFF);
        Put(0x11, 0xFFFFFFFF);

        Assert.Equal(0x0001AFFFu, Get(0x10));
        Assert.Equal(0xFF000000u, Get(0x11));
    }

    [Fact]
    public void Sends_to_the_destination_of_the_entry()
    {
        Put(0x10 + (2 * 5) + 1, 7u << 24);
        Put(0x10 + (2 * 5), 0x25);

        _apic.SetInput(5, true);

        Assert.False(_processor.Pending);
    }

    [Fact]
    public void Absent_registers_read_zero()
    {
        Put(0x40, 0xFFFFFFFF);

        Assert.Equal(0u, Get(0x40));
        Assert.Equal(0u, Get(0x0F));
    }

    [Fact]
    public void Lines_reach_both_controllers_and_the_timer_reaches_input_2()
    {
        bool pic = false;
        Pic8259Pair pair = new(level => pic = level);
        IsaInterrupts lines = new(pair, _apic);
        pair.Write(0x20, 0x13, 1);
        pair.Write(0x21, 0x20, 1);
        pair.Write(0x21, 0x01, 1);
        Put(0x10 + (2 * 2), 0x30);

        lines[0].Set(true);

        Assert.True(pic);
        Assert.Equal(0x30, _local.AcknowledgeInterrupt());
    }

    private uint Get(int register)
    {
        _apic.Write(0, (uint)register, 4);
        return (uint)_apic.Read(0x10, 4);
    }

    private void Put(int register, uint value)
    {
        _apic.Write(0, (uint)register, 4);
        _apic.Write(0x10, value, 4);
    }
}
