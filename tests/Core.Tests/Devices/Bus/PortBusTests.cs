using KprobeTrace.Devices.Bus;
using Xunit;

namespace KprobeTrace.Tests.Devices.Bus;

public sealed class PortBusTests
{
    [Theory]
    [InlineData(1, 0xFFu)]
    [InlineData(2, 0xFFFFu)]
    [InlineData(4, 0xFFFFFFFFu)]
    public void Absent_ports_read_all_ones(int size, uint expected)
    {
        PortBus bus = new();

        bus.Write(0x300, 0x12345678, size);

        Assert.Equal(expected, bus.Read(0x300, size));
        Assert.Equal(expected, bus.Read(0xFFFF, size));
    }

    [Fact]
    public void Splits_wide_accesses_to_byte_devices()
    {
        PortBus bus = new();
        Log device = new();
        bus.Register(0x10, 2, device);

        bus.Write(0x10, 0xAABBCCDD, 4);
        uint value = bus.Read(0x10, 4);

        Assert.Equal(["w10/1=dd", "w11/1=cc", "r10/1", "r11/1"], device.Calls);
        Assert.Equal(0xFFFF1110, value);
    }

    [Fact]
    public void Passes_wide_accesses_whole_when_they_lie_in_the_device()
    {
        PortBus bus = new();
        Log device = new();
        bus.Register(0x10, 4, device, wide: true);

        bus.Write(0x10, 0xAABBCCDD, 4);
        bus.Write(0x12, 0xAABBCCDD, 4);
        bus.Read(0x11, 2);

        Assert.Equal(["w10/4=aabbccdd", "w12/1=dd", "w13/1=cc", "r11/2"], device.Calls);
    }

    private sealed class Log : IPortDevice
    {
        public List<string> Calls { get; } = [];

        public uint Read(ushort port, int size)
        {
            Calls.Add($"r{port:x}/{size}");
            return port;
        }

        public void Write(ushort port, uint value, int size) => Calls.Add($"w{port:x}/{size}={value:x}");
    }
}
