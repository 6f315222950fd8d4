using KprobeTrace.Devices.Bus;

namespace KprobeTrace.Devices;

/// <summary>Port 0x80, which PCs show power-on codes on and kernels write to for a short delay: a latch without effect.</summary>
internal sealed class DelayPort : IPortDevice
{
    private uint _latest;

    /// <summary>Puts the latch at port 0x80.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(0x80, 1, this);
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size) => _latest;

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size) => _latest = value;
}
