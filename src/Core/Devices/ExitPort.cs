using KprobeTrace.Devices.Bus;

namespace KprobeTrace.Devices;

/// <summary>Port 0xF4: a guest that writes it ends the run with the value as its status.</summary>
internal sealed class ExitPort : IPortDevice
{
    /// <summary>The port.</summary>
    public const ushort Port = 0xF4;

    private readonly IPowerControl _power;

    /// <summary>Makes the port.</summary>
    public ExitPort(IPowerControl power)
    {
        ArgumentNullException.ThrowIfNull(power);
        _power = power;
    }

    /// <summary>Puts the port on the bus; it takes writes of 1, 2 and 4 bytes.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(Port, 4, this, wide: true);
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int size) => uint.MaxValue;

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (port == Port)
        {
            _power.ExitWith(value);
        }
    }
}
