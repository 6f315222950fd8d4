using KprobeTrace.Devices.Acpi;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Devices.Timing;
using KprobeTrace.Tests.Devices.Interrupts;
using Xunit;

namespace KprobeTrace.Tests.Devices.Acpi;

public sealed class AcpiPowerManagementTests
{
    private const long HalfPeriod = 1L << 31;

    private readonly TestTime _time = new();
    private readonly PortBus _bus = new();
    private readonly RecordingPower _power = new();
    private readonly LevelRecorder _irq;

    public AcpiPowerManagementTests()
    {
        (InterruptLine line, _irq) = LevelRecorder.Create();
        new AcpiPowerManagement(_time.Clock, line, _power).Register(_bus);
    }

    [Fact]
    public void Sleep_type_5_switches_off()
    {
        _bus.Write(0x604, 5 << 10, 2);
        Assert.Empty(_power.Calls);
        Assert.Equal((5u << 10) | 1, _bus.Read(0x604, 2));

        _bus.Write(0x604, (5 << 10) | (1 << 13), 2);

        Assert.Equal(["off"], _power.Calls);
        Assert.Equal((5u << 10) | 1, _bus.Read(0x604, 2));
    }

    [Fact]
    public void Other_sleep_types_do_nothing()
    {
        _bus.Write(0x604, (1 << 10) | (1 << 13), 2);

        Assert.Empty(_power.Calls);
    }

    [Fact]
    public void Sleeps_by_byte_accesses_too()
    {
        _bus.Write(0x605, 0x34, 1);

        Assert.Equal(["off"], _power.Calls);
    }

    [Fact]
    public void The_timer_cannot_be_written_and_takes_no_register_with_it()
    {
        _bus.Write(0x602, 0x0101, 2);
        uint before = _bus.Read(0x602, 2);

        for (ushort port = 0x608; port < 0x60C; port++)
        {
            _bus.Write(port, 0xFF, 1);
        }

        _bus.Write(0x608, uint.MaxValue, 4);
        Assert.Equal((before, 1u), (_bus.Read(0x602, 2), _bus.Read(0x604, 2)));
        Assert.Empty(_power.Calls);
    }

    [Fact]
    public void Is_always_in_acpi_mode()
    {
        _bus.Write(0x604, 0, 2);

        Assert.Equal(1u, _bus.Read(0x604, 2));
    }

    [Fact]
    public void The_timer_runs_at_its_frequency()
    {
        _time.Advance(10_000_000_000);
        Assert.Equal(35_795_450u, _bus.Read(0x608, 4));

        _bus.Write(0x608, 0, 4);
        Assert.Equal(35_795_450u & 0xFFFF, _bus.Read(0x608, 2));
        Assert.Equal(35_795_450u >> 16, _bus.Read(0x60A, 2));
    }

    [Fact]
    public void The_timer_carry_interrupts_until_its_status_is_cleared()
    {
        TickRate rate = new(AcpiPowerManagement.TimerFrequency);
        _bus.Write(0x602, 0x0001, 2);
        Assert.Equal(rate.ToNanoseconds(HalfPeriod), _time.Clock.NextDeadline);

        _time.AdvanceTo(rate.ToNanoseconds(HalfPeriod));
        Assert.True(_irq.Level);
        Assert.Equal(1u, _bus.Read(0x600, 2));

        _bus.Write(0x600, 0x0001, 2);
        Assert.False(_irq.Level);
        Assert.Equal(0u, _bus.Read(0x600, 2));
        Assert.Equal(rate.ToNanoseconds(2 * HalfPeriod), _time.Clock.NextDeadline);
    }

    [Fact]
    public void Status_and_enable_can_be_read_together()
    {
        _bus.Write(0x600, 0xFFFF0000, 4);

        Assert.Equal(0x05210000u, _bus.Read(0x600, 4));
    }
}
