using KprobeTrace.Devices.Bus;
using Xunit;

namespace KprobeTrace.Tests.Devices.Bus;

public sealed class MmioBusTests
{
    [Fact]
    public void Absent_addresses_read_all_ones()
    {
        MmioBus bus = new();

        bus.Write(0xF0000000, 1, 8);

        Assert.Equal(ulong.MaxValue, bus.Read(0xF0000000, 8));
        Assert.Equal(0xFFFFu, bus.Read(0xF0000000, 2));
        Assert.Equal(0xFFu, bus.Read(ulong.MaxValue, 1));
    }

    [Fact]
    public void Reaches_the_device_with_an_offset_into_its_region()
    {
        MmioBus bus = new();
        Cells device = new();
        bus.Register(0x1000, 0x100, device);
        bus.Register(0x2000, 0x100, new Cells());

        bus.Write(0x1010, 0x1122334455667788, 4);

        Assert.Equal(0x55667788u, device.Values[0x10]);
        Assert.Equal(0x55667788u, bus.Read(0x1010, 4));
    }

    [Fact]
    public void Takes_an_access_apart_that_leaves_the_region()
    {
        MmioBus bus = new();
        Cells device = new();
        bus.Register(0x1000, 0x10, device);

        bus.Write(0x100E, 0x44332211, 4);

        Assert.Equal(0x11u, device.Values[0xE]);
        Assert.Equal(0x22u, device.Values[0xF]);
        Assert.Equal(0xFFFF2211, bus.Read(0x100E, 4));
    }

    [Fact]
    public void A_region_can_be_moved_and_switched_off()
    {
        MmioBus bus = new();
        Cells device = new();
        MmioRegion region = bus.Register(0x1000, 0x10, device);

        region.Start = 0x5000;
        bus.Write(0x5000, 7, 4);
        Assert.Equal(7u, bus.Read(0x5000, 4));
        Assert.Equal(uint.MaxValue, bus.Read(0x1000, 4));

        region.Enabled = false;
        Assert.Null(bus.Find(0x5000, 4));
        Assert.Equal(uint.MaxValue, bus.Read(0x5000, 4));
    }

    private sealed class Cells : IMmioDevice
    {
        public Dictionary<ulong, ulong> Values { get; } = [];

        public ulong Read(ulong offset, int size) => Values.GetValueOrDefault(offset);

        public void Write(ulong offset, ulong value, int size) => Values[offset] = value;
    }
}
