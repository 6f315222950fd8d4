using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using Xunit;

namespace KprobeTrace.Tests.Devices.Interrupts;

public sealed class Pic8259PairTests
{
    private readonly PortBus _bus = new();
    private readonly Pic8259Pair _pic;
    private bool _output;

    public Pic8259PairTests()
    {
        _pic = new Pic8259Pair(level => _output = level);
        _pic.Register(_bus);
    }

    [Fact]
    public void Gives_the_programmed_vector_of_a_master_and_of_a_slave_input()
    {
        Initialise();

        _pic.SetInput(4, true);
        Assert.True(_output);
        Assert.Equal(0x24, _pic.Acknowledge());
        Assert.False(_output);
        Out(0x20, 0x20);

        _pic.SetInput(8, true);
        Assert.True(_output);
        Assert.Equal(0x28, _pic.Acknowledge());
        Assert.Equal(0x04, Service(0x20));
        Assert.Equal(0x01, Service(0xA0));
    }

    [Fact]
    public void Is_silent_until_it_is_initialised()
    {
        _pic.SetInput(0, true);

        Assert.False(_output);
        Assert.Equal(0xFFu, _bus.Read(0x21, 1));
    }

    [Fact]
    public void An_edge_is_taken_once_and_a_level_until_it_falls()
    {
        Initialise();
        _pic.SetInput(3, true);
        _pic.Acknowledge();
        Out(0x20, 0x20);
        Assert.False(_output);

        Out(0x4D0, 0x08);
        Assert.True(_output);
        _pic.Acknowledge();
        Out(0x20, 0x20);
        Assert.True(_output);

        _pic.SetInput(3, false);
        Assert.False(_output);
    }

    [Fact]
    public void The_edge_control_keeps_timer_keyboard_cascade_clock_and_coprocessor_at_edge()
    {
        Out(0x4D0, 0xFF);
        Out(0x4D1, 0xFF);

        Assert.Equal(0xF8u, _bus.Read(0x4D0, 1));
        Assert.Equal(0xDEu, _bus.Read(0x4D1, 1));
    }

    [Fact]
    public void A_request_that_goes_before_it_is_acknowledged_is_spurious()
    {
        Initialise();
        _pic.SetInput(4, true);
        _pic.SetInput(4, false);

        Assert.False(_output);
        Assert.Equal(0x27, _pic.Acknowledge());
        Assert.Equal(0, Service(0x20));
    }

    [Fact]
    public void A_masked_input_waits()
    {
        Initialise();
        Out(0x21, 0x10);
        _pic.SetInput(4, true);
        Assert.False(_output);
        Assert.Equal(0x10u, _bus.Read(0x20, 1));

        Out(0x21, 0x00);

        Assert.True(_output);
    }

    [Fact]
    public void Only_a_higher_input_interrupts_one_in_service()
    {
        Initialise();
        _pic.SetInput(3, true);
        _pic.Acknowledge();

        _pic.SetInput(4, true);
        Assert.False(_output);
        _pic.SetInput(1, true);
        Assert.True(_output);
        Assert.Equal(0x21, _pic.Acknowledge());

        Out(0x20, 0x20);
        Assert.Equal(0x08, Service(0x20));
        Out(0x20, 0x63);
        Assert.Equal(0x00, Service(0x20));
        Assert.True(_output);
    }

    [Fact]
    public void Slave_inputs_rank_between_master_inputs_1_and_3()
    {
        Initialise();
        _pic.SetInput(3, true);
        _pic.SetInput(12, true);
        Assert.Equal(0x2C, _pic.Acknowledge());

        _pic.SetInput(1, true);
        Assert.Equal(0x21, _pic.Acknowledge());
    }

    [Fact]
    public void A_second_slave_input_follows_the_end_of_the_first()
    {
        Initialise();
        _pic.SetInput(9, true);
        _pic.SetInput(10, true);
        Assert.Equal(0x29, _pic.Acknowledge());
        Assert.False(_output);

        Out(0xA0, 0x20);
        Out(0x20, 0x20);

        Assert.True(_output);
        Assert.Equal(0x2A, _pic.Acknowledge());
    }

    [Fact]
    public void Automatic_end_of_interrupt_leaves_nothing_in_service()
    {
        Initialise(icw4: 0x03);
        _pic.SetInput(8, true);
        _pic.SetInput(9, true);

        Assert.Equal(0x28, _pic.Acknowledge());
        Assert.Equal(0, Service(0x20));
        Assert.True(_output);
        Assert.Equal(0x29, _pic.Acknowledge());
    }

    [Fact]
    public void Rotation_makes_the_ended_input_the_lowest()
    {
        Initialise();
        _pic.SetInput(3, true);
        _pic.Acknowledge();
        Out(0x20, 0xA0);

        _pic.SetInput(3, false);
        _pic.SetInput(3, true);
        _pic.SetInput(4, true);

        Assert.Equal(0x24, _pic.Acknowledge());
    }

    [Fact]
    public void Rotation_in_automatic_mode_follows_each_acknowledge()
    {
        Initialise(icw4: 0x03);
        Out(0x20, 0x80);
        _pic.SetInput(0, true);
        Assert.Equal(0x20, _pic.Acknowledge());

        _pic.SetInput(0, false);
        _pic.SetInput(0, true);
        _pic.SetInput(5, true);

        Assert.Equal(0x25, _pic.Acknowledge());
    }

    [Fact]
    public void Set_priority_names_the_lowest_input()
    {
        Initialise();
        Out(0x20, 0xC4);
        _pic.SetInput(0, true);
        _pic.SetInput(5, true);

        Assert.Equal(0x25, _pic.Acknowledge());
    }

    [Fact]
    public void Special_mask_mode_lets_lower_inputs_through_a_masked_one_in_service()
    {
        Initialise();
        _pic.SetInput(3, true);
        _pic.Acknowledge();
        _pic.SetInput(6, true);
        Assert.False(_output);

        Out(0x21, 0x08);
        Out(0x20, 0x68);

        Assert.True(_output);
        Assert.Equal(0x26, _pic.Acknowledge());
    }

    [Fact]
    public void Special_fully_nested_mode_takes_a_higher_slave_input_during_a_lower_one()
    {
        Initialise(icw4: 0x11);
        _pic.SetInput(12, true);
        Assert.Equal(0x2C, _pic.Acknowledge());

        _pic.SetInput(9, true);

        Assert.True(_output);
        Assert.Equal(0x29, _pic.Acknowledge());
    }

    [Fact]
    public void A_poll_acknowledges()
    {
        Initialise();
        _pic.SetInput(5, true);

        Out(0x20, 0x0C);

        Assert.Equal(0x85u, _bus.Read(0x20, 1));
        Assert.Equal(0x20, Service(0x20));
        Assert.False(_output);

        Out(0x20, 0x0C);
        Assert.Equal(0x00u, _bus.Read(0x20, 1));
    }

    [Fact]
    public void Initialisation_ends_without_the_words_that_it_does_without()
    {
        Out(0x20, 0x12);
        Out(0x21, 0x40);
        Out(0x21, 0xEF);

        Assert.Equal(0xEFu, _bus.Read(0x21, 1));
        _pic.SetInput(4, true);
        Assert.Equal(0x44, _pic.Acknowledge());
    }

    private void Initialise(byte icw4 = 0x01)
    {
        Out(0x20, 0x11);
        Out(0x21, 0x20);
        Out(0x21, 0x04);
        Out(0x21, icw4);
        Out(0xA0, 0x11);
        Out(0xA1, 0x28);
        Out(0xA1, 0x02);
        Out(0xA1, (byte)(icw4 & ~0x10));
        Out(0x21, 0x00);
        Out(0xA1, 0x00);
    }

    private int Service(ushort port)
    {
        Out(port, 0x0B);
        int value = (int)_bus.Read(port, 1);
        Out(port, 0x0A);
        return value;
    }

    private void Out(ushort port, byte value) => _bus.Write(port, value, 1);
}
