using System.Runtime.InteropServices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Saving;
using KprobeTrace.Devices.Timing;

namespace KprobeTrace.Devices;

/// <summary>The system control ports of a PC: port 0x61 (B: timer 2 and speaker) and port 0x92 (A: A20 and fast reset).</summary>
/// <remarks>
/// Port 0x61: bit 0 is the gate of timer 2, bit 1 the speaker, bit 4 toggles with memory refresh every 15.085 µs,
/// bit 5 is the output of timer 2. Port 0x92: bit 0 set resets, bit 1 is the A20 gate, which is always open and reads
/// as what was written.
/// </remarks>
internal sealed class SystemControlPorts : IPortDevice, IStateful
{
    private const long RefreshPeriod = 15_085;

    private readonly IVirtualClock _clock;
    private readonly Pit8254 _pit;
    private readonly IPowerControl _power;
    private State _state = new() { PortA = 0x02 };

    /// <summary>Makes the ports.</summary>
    public SystemControlPorts(IVirtualClock clock, Pit8254 pit, IPowerControl power)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(pit);
        ArgumentNullException.ThrowIfNull(power);
        _clock = clock;
        _pit = pit;
        _power = power;
    }

    /// <summary>Puts the ports on the bus.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(0x61, 1, this);
        bus.Register(0x92, 1, this);
    }

    /// <summary>Closes the gate of timer 2 and opens A20.</summary>
    public void Reset()
    {
        _state.PortB = 0;
        _state.PortA = 0x02;
        _pit.SpeakerGate = false;
    }

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from) => _state = from.Read<State>();

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        if (port == 0x92)
        {
            return _state.PortA;
        }

        uint value = _state.PortB;
        value |= (_clock.Now / RefreshPeriod & 1) != 0 ? 0x10u : 0;
        value |= _pit.SpeakerOutput ? 0x20u : 0;
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (port == 0x92)
        {
            bool reset = (value & ~_state.PortA & 1) != 0;
            _state.PortA = (byte)(value & 0x03);
            if (reset)
            {
                _power.Reset();
            }

            return;
        }

        _state.PortB = (byte)(value & 0x0F);
        _pit.SpeakerGate = (value & 1) != 0;
    }

    /// <summary>What the ports keep.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>Port 0x92.</summary>
        public byte PortA;

        /// <summary>The bits of port 0x61 that can be written.</summary>
        public byte PortB;
    }
}
