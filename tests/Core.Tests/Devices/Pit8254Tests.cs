using KprobeTrace.Devices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Timing;
using KprobeTrace.Tests.Devices.Interrupts;
using Xunit;

namespace KprobeTrace.Tests.Devices;

public sealed class Pit8254Tests
{
    private static readonly TickRate _rate = new(Pit8254.Frequency);

    private readonly TestTime _time = new();
    private readonly PortBus _bus = new();
    private readonly LevelRecorder _irq;
    private readonly Pit8254 _pit;

    public Pit8254Tests()
    {
        (InterruptLine line, _irq) = LevelRecorder.Create();
        _pit = new Pit8254(_time.Clock, line);
        _pit.Register(_bus);
        new SystemControlPorts(_time.Clock, _pit, new RecordingPower()).Register(_bus);
    }

    [Fact]
    public void Rests_until_it_is_programmed()
    {
        _time.Advance(1_000_000_000);

        Assert.Equal(0, _irq.Rises);
        Assert.Equal(long.MaxValue, _time.Clock.NextDeadline);
    }

    /// <summary>The status that the read-back command latches: the null count flag in bit 6, until the counter has taken a count.</summary>
    [Fact]
    public void A_counter_has_no_count_before_it_is_given_one()
    {
        Out(0x43, 0xE2);
        Assert.Equal(0x40, In(0x40) & 0x40);
        Out(0x43, 0x34);
        Out(0x40, 0x10);
        Out(0x40, 0);
        _time.Advance(10_000);
        Out(0x43, 0xE2);
        Assert.Equal(0x34, In(0x40) & 0x7F);
    }

    [Fact]
    public void Largest_count_gives_18_interrupts_a_second()
    {
        Out(0x43, 0x36);
        Out(0x40, 0);
        Out(0x40, 0);
        int before = _irq.Rises;

        _time.Advance(10_000_000_000);

        Assert.Equal(182, _irq.Rises - before);
    }

    [Theory]
    [InlineData(0x34)]
    [InlineData(0x36)]
    [InlineData(0x3C)]
    [InlineData(0x3E)]
    public void Modes_2_and_3_repeat_without_drift(byte control)
    {
        Program(0, control, 11932);
        int before = _irq.Rises;

        AdvanceTicks(1 + (11932 * 1000));

        Assert.Equal(1000, _irq.Rises - before);
    }

    [Fact]
    public void Mode_0_interrupts_once_after_count_plus_one_ticks()
    {
        Program(0, 0x30, 100);
        Assert.False(_irq.Level);

        AdvanceTicks(100);
        Assert.False(_irq.Level);
        Assert.Equal(1, ReadCount(0));

        AdvanceTicks(1);
        Assert.True(_irq.Level);
        AdvanceTicks(3);
        Assert.Equal(0xFFFD, ReadCount(0));
        Assert.Equal(1, _irq.Rises);
        Assert.Equal(long.MaxValue, _time.Clock.NextDeadline);
    }

    [Fact]
    public void Mode_0_stops_when_the_first_byte_of_a_new_count_is_written()
    {
        Program(0, 0x30, 100);
        AdvanceTicks(200);
        Assert.True(_irq.Level);

        Out(0x40, 50);
        Assert.False(_irq.Level);
        AdvanceTicks(1000);
        Assert.False(_irq.Level);

        Out(0x40, 0);
        AdvanceTicks(51);
        Assert.True(_irq.Level);
    }

    [Fact]
    public void Mode_4_strobes_one_tick_after_the_count()
    {
        Program(0, 0x38, 100);
        Assert.True(_irq.Level);
        int before = _irq.Rises;

        AdvanceTicks(101);
        Assert.Equal(before, _irq.Rises);
        AdvanceTicks(1);
        Assert.Equal(before + 1, _irq.Rises);
        AdvanceTicks(100_000);
        Assert.Equal(before + 1, _irq.Rises);
    }

    [Fact]
    public void A_count_of_zero_is_the_longest()
    {
        Program(0, 0x30, 0);

        AdvanceTicks(0x10000);
        Assert.False(_irq.Level);
        AdvanceTicks(1);
        Assert.True(_irq.Level);
    }

    [Fact]
    public void A_new_count_in_mode_2_waits_for_the_end_of_the_period()
    {
        Program(0, 0x34, 1000);
        int before = _irq.Rises;
        AdvanceTicks(1 + 500);

        Out(0x40, 0x10);
        Out(0x40, 0x27);
        Assert.Equal(500, ReadCount(0));
        AdvanceTicks(500);
        Assert.Equal(before + 1, _irq.Rises);
        Assert.Equal(10000, ReadCount(0));
        AdvanceTicks(9999);
        Assert.Equal(before + 1, _irq.Rises);
        AdvanceTicks(1);
        Assert.Equal(before + 2, _irq.Rises);
    }

    [Fact]
    public void A_latched_count_stands_until_it_is_read()
    {
        Program(0, 0x34, 1000);
        AdvanceTicks(1 + 100);
        Out(0x43, 0x00);
        AdvanceTicks(100);
        Out(0x43, 0x00);
        AdvanceTicks(100);

        Assert.Equal(900, ReadCount(0));
        Assert.Equal(700, ReadCount(0));
    }

    [Fact]
    public void Single_byte_access_reads_and_writes_one_byte()
    {
        Program(0, 0x14, 0x80);
        AdvanceTicks(1 + 0x10);
        Assert.Equal(0x70, In(0x40));
        Assert.Equal(0x70, In(0x40));

        Out(0x43, 0x24);
        Out(0x40, 0x12);
        AdvanceTicks(1);
        Assert.Equal(0x12, In(0x40));
    }

    [Fact]
    public void Counts_in_decimal_when_told()
    {
        Program(0, 0x31, 0x1000);
        AdvanceTicks(1 + 1);
        Assert.Equal(0x0999, ReadCount(0));

        AdvanceTicks(1000);
        Assert.Equal(0x9999, ReadCount(0));
    }

    [Fact]
    public void Mode_3_counts_by_two_and_its_output_is_high_for_the_longer_half()
    {
        Out(0x61, 0x01);
        Program(2, 0xB6, 5);
        string output = "";
        for (int i = 0; i < 10; i++)
        {
            AdvanceTicks(1);
            output += (In(0x61) & 0x20) != 0 ? "1" : "0";
        }

        Assert.Equal("1110011100", output);
    }

    [Fact]
    public void Read_back_latches_status_and_then_count()
    {
        Program(0, 0x34, 1000);
        Out(0x43, 0xE2);
        Assert.Equal(0xF4, In(0x40));

        AdvanceTicks(1 + 10);
        Out(0x43, 0xC2);
        AdvanceTicks(5);
        Assert.Equal(0xB4, In(0x40));
        Assert.Equal(990, ReadLatched(0));
    }

    [Fact]
    public void The_gate_at_port_0x61_holds_counter_2_and_its_output_shows_there()
    {
        Out(0x61, 0x00);
        Program(2, 0xB0, 100);
        AdvanceTicks(1000);
        Assert.Equal(0, In(0x61) & 0x21);

        Out(0x61, 0x01);
        AdvanceTicks(50);
        Out(0x61, 0x00);
        AdvanceTicks(1000);
        Assert.Equal(50, ReadCount(2));
        Out(0x61, 0x01);
        AdvanceTicks(49);
        Assert.Equal(0, In(0x61) & 0x20);
        AdvanceTicks(1);
        Assert.Equal(0x20, In(0x61) & 0x20);
    }

    [Theory]
    [InlineData(0xB2, "1100011111")]
    [InlineData(0xBA, "1111101111")]
    public void Modes_1_and_5_wait_for_a_trigger(byte control, string expected)
    {
        Out(0x61, 0x00);
        Program(2, control, 3);
        string output = "";
        for (int i = 0; i < 10; i++)
        {
            if (i == 2)
            {
                Out(0x61, 0x01);
            }

            AdvanceTicks(1);
            output += (In(0x61) & 0x20) != 0 ? "1" : "0";
        }

        // The third tick loads the count, so what the trigger does shows from there on.
        Assert.Equal(expected, output);
    }

    [Fact]
    public void A_trigger_begins_modes_1_and_2_anew()
    {
        Out(0x61, 0x01);
        Program(2, 0xB4, 100);
        AdvanceTicks(1 + 60);
        Assert.Equal(40, ReadCount(2));

        Out(0x61, 0x00);
        AdvanceTicks(7);
        Assert.Equal(0x20, In(0x61) & 0x20);
        Out(0x61, 0x01);
        AdvanceTicks(1 + 10);
        Assert.Equal(90, ReadCount(2));
    }

    [Fact]
    public void Reset_stops_the_counters()
    {
        Program(0, 0x34, 1000);

        _pit.Reset();
        int before = _irq.Rises;
        AdvanceTicks(5000);

        Assert.Equal(before, _irq.Rises);
        Assert.False(_irq.Level);
    }

    private void AdvanceTicks(long ticks) =>
        _time.AdvanceTo(_rate.ToNanoseconds(_rate.ToTicks(_time.Clock.Now) + ticks));

    private void Program(int channel, byte control, int count)
    {
        Out(0x43, control);
        Out((ushort)(0x40 + channel), (byte)count);
        if ((control & 0x30) == 0x30)
        {
            Out((ushort)(0x40 + channel), (byte)(count >> 8));
        }
    }

    private int ReadCount(int channel)
    {
        Out(0x43, (byte)(channel << 6));
        return ReadLatched(channel);
    }

    private int ReadLatched(int channel)
    {
        int low = In((ushort)(0x40 + channel));
        return low | (In((ushort)(0x40 + channel)) << 8);
    }

    private int In(ushort port) => (int)_bus.Read(port, 1);

    private void Out(ushort port, byte value) => _bus.Write(port, value, 1);
}
