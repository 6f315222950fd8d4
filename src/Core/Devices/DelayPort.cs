using System.Runtime.InteropServices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices;

/// <summary>Port 0x80, which PCs show power-on codes on and kernels write to for a short delay: a latch without effect.</summary>
internal sealed class DelayPort : IPortDevice, IStateful
{
    private State _state;

    /// <summary>Puts the latch at port 0x80.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(0x80, 1, this);
    }

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from) => _state = from.Read<State>();

    /// <inheritdoc/>
    public uint Read(ushort port, int size) => _state.Latch;

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size) => _state.Latch = value;

    /// <summary>What the port keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>What was written last.</summary>
        public uint Latch;
    }
}
