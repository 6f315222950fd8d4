using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KprobeTrace.Devices.Bus;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>An I/O APIC with 24 inputs (Intel 82093AA data sheet, with the EOI register of later chip sets).</summary>
/// <remarks>
/// Inputs are asserted or not: the polarity bit of a redirection entry is stored and has no effect. An edge that comes
/// while its entry is masked is lost, as the data sheet has it.
/// </remarks>
internal sealed class IoApic : IInterruptInput, IMmioDevice, IStateful
{
    /// <summary>Where the registers are.</summary>
    public const ulong DefaultBase = 0xFEC00000;

    /// <summary>Bytes of the register region.</summary>
    public const ulong RegionLength = 0x1000;

    /// <summary>Number of inputs.</summary>
    public const int InputCount = 24;

    private const uint Version = 0x20 | ((InputCount - 1) << 16);
    private const ulong RemoteIrr = 1 << 14;
    private const ulong LevelTriggered = 1 << 15;
    private const ulong Masked = 1 << 16;

    // Delivery status and remote IRR are the hardware's.
    private const ulong Writable = 0xFF00_0000_0001_AFFF;

    private readonly ApicBus _bus;
    private State _state;

    /// <summary>Makes an I/O APIC with every input masked and attaches it to the bus.</summary>
    public IoApic(ApicBus bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _bus = bus;
        bus.Attach(this);
        Reset();
    }

    /// <summary>Masks every input and forgets what is in service; input levels are the devices'.</summary>
    public void Reset()
    {
        ((Span<ulong>)_state.RedirectionTable).Fill(Masked);
        _state.RegisterSelect = 0;
        _state.Id = 0;
    }

    /// <inheritdoc/>
    public void SetInput(int input, bool level)
    {
        bool rising = level && !_state.Inputs[input];
        _state.Inputs[input] = level;
        ulong entry = _state.RedirectionTable[input];
        if ((entry & LevelTriggered) != 0)
        {
            DeliverLevel(input);
        }
        else if (rising && (entry & Masked) == 0)
        {
            Deliver(entry);
        }
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, int size)
    {
        uint value = (offset & ~3UL) switch
        {
            0x00 => _state.RegisterSelect,
            0x10 => ReadSelected(),
            _ => 0,
        };
        return value >> ((int)(offset & 3) * 8);
    }

    /// <inheritdoc/>
    /// <remarks>Registers take aligned 4-byte writes; the select register, of which one byte counts, any.</remarks>
    public void Write(ulong offset, ulong value, int size)
    {
        switch (offset)
        {
            case 0x00:
                _state.RegisterSelect = (uint)value & 0xFF;
                break;
            case 0x10 when size >= 4:
                WriteSelected((uint)value);
                break;
            case 0x40:
                EndOfInterrupt((byte)value);
                break;
            default:
                break;
        }
    }

    /// <inheritdoc/>
    public void Save(StateWriter to) => to.Write(_state);

    /// <inheritdoc/>
    public void Load(StateReader from) => _state = from.Read<State>();

    /// <summary>Ends level-triggered interrupts of a vector; an input that is still asserted asks again.</summary>
    internal void EndOfInterrupt(byte vector)
    {
        for (int i = 0; i < InputCount; i++)
        {
            ulong entry = _state.RedirectionTable[i];
            if ((byte)entry == vector && (entry & RemoteIrr) != 0)
            {
                _state.RedirectionTable[i] = entry & ~RemoteIrr;
                DeliverLevel(i);
            }
        }
    }

    private uint ReadSelected()
    {
        switch (_state.RegisterSelect)
        {
            case 0:
            case 2:
                return _state.Id;
            case 1:
                return Version;
            default:
                int index = (int)((_state.RegisterSelect - 0x10) >> 1);
                return _state.RegisterSelect < 0x10 || index >= InputCount ? 0
                    : (_state.RegisterSelect & 1) == 0 ? (uint)_state.RedirectionTable[index] : (uint)(_state.RedirectionTable[index] >> 32);
        }
    }

    private void WriteSelected(uint value)
    {
        if (_state.RegisterSelect == 0)
        {
            _state.Id = value & 0x0F000000;
            return;
        }

        int index = (int)((_state.RegisterSelect - 0x10) >> 1);
        if (_state.RegisterSelect < 0x10 || index >= InputCount)
        {
            return;
        }

        ulong before = _state.RedirectionTable[index];
        ulong written = (_state.RegisterSelect & 1) == 0
            ? (before & 0xFFFFFFFF_00000000) | value
            : (before & 0xFFFFFFFF) | ((ulong)value << 32);
        ulong entry = (written & Writable) | (before & RemoteIrr);
        if ((entry & LevelTriggered) == 0)
        {
            // Kernels switch an entry to edge and back to get rid of a stuck remote IRR.
            entry &= ~RemoteIrr;
        }

        _state.RedirectionTable[index] = entry;
        if ((entry & LevelTriggered) != 0)
        {
            DeliverLevel(index);
        }
    }

    private void DeliverLevel(int input)
    {
        ulong entry = _state.RedirectionTable[input];
        if (_state.Inputs[input] && (entry & (Masked | RemoteIrr)) == 0)
        {
            _state.RedirectionTable[input] = entry | RemoteIrr;
            Deliver(entry);
        }
    }

    private void Deliver(ulong entry) => _bus.Deliver(new ApicMessage(
        (ApicDeliveryMode)((entry >> 8) & 7),
        (byte)entry,
        (byte)(entry >> 56),
        (entry & (1 << 11)) != 0,
        (entry & LevelTriggered) != 0));

    /// <summary>What the I/O APIC keeps.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct State
    {
        /// <summary>IOREDTBL.</summary>
        public Entries RedirectionTable;

        /// <summary>IOREGSEL.</summary>
        public uint RegisterSelect;

        /// <summary>IOAPICID.</summary>
        public uint Id;

        /// <summary>The levels of the inputs.</summary>
        public Levels Inputs;
    }

    /// <summary>An entry for each input.</summary>
    [InlineArray(InputCount)]
    private struct Entries
    {
        private ulong _first;
    }

    /// <summary>A level for each input.</summary>
    [InlineArray(InputCount)]
    private struct Levels
    {
        private bool _first;
    }
}
