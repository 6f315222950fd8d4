using KprobeTrace.Devices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Interrupts;
using KprobeTrace.Tests.Devices.Interrupts;
using Xunit;

namespace KprobeTrace.Tests.Devices;

/// <summary>The small devices: system control ports, reset control, exit and delay ports, keyboard controller.</summary>
public sealed class SystemPortTests
{
    private readonly TestTime _time = new();
    private readonly PortBus _bus = new();
    private readonly RecordingPower _power = new();
    private readonly LevelRecorder _irq;
    private readonly KeyboardController8042 _keyboard;

    public SystemPortTests()
    {
        (InterruptLine line, _irq) = LevelRecorder.Create();
        Pit8254 pit = new(_time.Clock, new InterruptLine());
        new SystemControlPorts(_time.Clock, pit, _power).Register(_bus);
        new ResetControl(_power).Register(_bus);
        new ExitPort(_power).Register(_bus);
        new DelayPort().Register(_bus);
        _keyboard = new KeyboardController8042(line, _power);
        _keyboard.Register(_bus);
    }

    [Fact]
    public void Port_0x92_resets_on_a_rising_bit_0_and_keeps_the_a20_bit()
    {
        Assert.Equal(0x02, In(0x92));
        Out(0x92, 0x02);
        Assert.Empty(_power.Calls);

        Out(0x92, 0x03);
        Out(0x92, 0x03);

        Assert.Equal(["reset"], _power.Calls);
    }

    [Fact]
    public void Port_0x61_keeps_its_low_bits_and_toggles_refresh()
    {
        Out(0x61, 0xFF);
        Assert.Equal(0x0F, In(0x61) & 0x0F);

        int first = In(0x61) & 0x10;
        _time.Advance(15_085);
        Assert.NotEqual(first, In(0x61) & 0x10);
    }

    [Theory]
    [InlineData(0x06)]
    [InlineData(0x0E)]
    public void Port_0xCF9_resets_when_bit_2_rises(byte value)
    {
        Out(0xCF9, 0x02);
        Assert.Empty(_power.Calls);

        Out(0xCF9, value);

        Assert.Equal(["reset"], _power.Calls);
    }

    [Fact]
    public void A_pci_configuration_address_is_no_reset()
    {
        _bus.Write(0xCF8, 0x80000600, 4);

        Assert.Empty(_power.Calls);
        Assert.Equal(uint.MaxValue, _bus.Read(0xCF8, 4));
        Assert.Equal(0xFF, In(0xCFB));
    }

    [Fact]
    public void The_exit_port_hands_on_its_value()
    {
        Out(0xF4, 0x31);
        _bus.Write(0xF4, 0x12345678, 4);
        Out(0xF5, 1);

        Assert.Equal(["exit 49", "exit 305419896"], _power.Calls);
    }

    [Fact]
    public void The_delay_port_is_a_latch()
    {
        Out(0x80, 0x5A);

        Assert.Equal(0x5A, In(0x80));
    }

    [Theory]
    [InlineData(0xFE)]
    [InlineData(0xF0)]
    public void The_keyboard_controller_resets_by_pulsing_line_0(byte command)
    {
        Out(0x64, command);
        Out(0x64, 0xFF);

        Assert.Equal(["reset"], _power.Calls);
    }

    [Fact]
    public void The_keyboard_controller_resets_through_its_output_port()
    {
        Out(0x64, 0xD1);
        Out(0x60, 0xDF);
        Assert.Empty(_power.Calls);

        Out(0x64, 0xD1);
        Out(0x60, 0xDE);
        Assert.Equal(["reset"], _power.Calls);
    }

    [Fact]
    public void The_keyboard_controller_is_idle_at_first()
    {
        Assert.Equal(0x14, In(0x64));
        Assert.False(_irq.Level);
    }

    [Theory]
    [InlineData(0xAA, 0x55)]
    [InlineData(0xAB, 0x00)]
    [InlineData(0xA9, 0x02)]
    [InlineData(0x20, 0x45)]
    [InlineData(0xD0, 0x03)]
    public void The_keyboard_controller_answers_at_once(byte command, int answer)
    {
        Out(0x64, command);

        Assert.Equal(0x01, In(0x64) & 0x03);
        Assert.Equal(answer, In(0x60));
        Assert.Equal(0x00, In(0x64) & 0x03);
    }

    [Fact]
    public void The_keyboard_controller_keeps_its_command_byte()
    {
        Out(0x64, 0x60);
        Out(0x60, 0x30);
        Out(0x64, 0x20);

        Assert.Equal(0x30, In(0x60));
        Out(0x64, 0xAE);
        Out(0x64, 0x20);
        Assert.Equal(0x20, In(0x60));
    }

    [Fact]
    public void A_byte_for_the_absent_keyboard_times_out_with_an_interrupt()
    {
        Out(0x60, 0xED);

        Assert.True(_irq.Level);
        Assert.Equal(0x41, In(0x64) & 0x61);
        Assert.Equal(0xFE, In(0x60));
        Assert.False(_irq.Level);
        Assert.Equal(0x00, In(0x64) & 0x41);
    }

    [Fact]
    public void The_auxiliary_loopback_does_not_come_back_as_auxiliary()
    {
        Out(0x64, 0xD3);
        Out(0x60, 0x5A);

        Assert.Equal(0x01, In(0x64) & 0x21);
        Assert.Equal(0x5A, In(0x60));
    }

    [Fact]
    public void Reset_restores_the_command_byte()
    {
        Out(0x64, 0x60);
        Out(0x60, 0x00);

        _keyboard.Reset();
        Out(0x64, 0x20);

        Assert.Equal(0x45, In(0x60));
    }

    private int In(ushort port) => (int)_bus.Read(port, 1);

    private void Out(ushort port, byte value) => _bus.Write(port, value, 1);
}
