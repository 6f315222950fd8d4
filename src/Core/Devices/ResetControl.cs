using System.Runtime.InteropServices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices;

/// <summary>The reset control register of PC chip sets at port 0xCF9, in the middle of the absent PCI configuration port.</summary>
/// <remarks>
/// Bit 2 going from 0 to 1 resets; bits 1 and 3 choose how hard, which makes no difference here. Only a byte access to
/// 0xCF9 reaches the register: a 4-byte write to 0xCF8 is a PCI configuration address, whose second byte is not a reset.
/// </remarks>
internal sealed class ResetControl : IPortDevice, IStateful
{
    /// <summary>The register's port.</summary>
    public const ushort Port = 0xCF9;

    /// <summary>What to write there for a reset; the ACPI tables say so too.</summary>
    public const byte ResetValue = 0x06;

    private readonly IPowerControl _power;
    private State _state;

    /// <summary>Makes the register.</summary>
    public ResetControl(IPowerControl power)
    {
        ArgumentNullException.ThrowIfNull(power);
        _power = power;
    }

    /// <summary>Puts the register on the bus.</summary>
    public void Register(PortBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.Register(0xCF8, 4, this, wide: true);
    }

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from) => _state = from.Read<State>();

    /// <inheritdoc/>
    public uint Read(ushort port, int size) => port == Port && size == 1 ? _state.Register : uint.MaxValue;

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        if (port != Port || size != 1)
        {
            return;
        }

        bool reset = (value & ~_state.Register & 0x04) != 0;
        _state.Register = value & 0x0E;
        if (reset)
        {
            // The register is clear again after the reset.
            _state.Register = 0;
            _power.Reset();
        }
    }

    /// <summary>What the register keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>Bits 1 to 3, as they were written.</summary>
        public uint Register;
    }
}
