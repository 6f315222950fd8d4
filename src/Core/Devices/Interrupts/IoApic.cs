using KprobeTrace.Devices.Bus;

namespace KprobeTrace.Devices.Interrupts;

/// <summary>An I/O APIC with 24 inputs (Intel 82093AA data sheet, with the EOI register of later chip sets).</summary>
/// <remarks>
/// Inputs are asserted or not: the polarity bit of a redirection entry is stored and has no effect. An edge that comes
/// while its entry is masked is lost, as the data sheet has it.
/// </remarks>
internal sealed class IoApic : IInterruptInput, IMmioDevice
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
    private readonly ulong[] _entries = new ulong[InputCount];
    private readonly bool[] _levels = new bool[InputCount];
    private uint _selected;
    private uint _id;

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
        Array.Fill(_entries, Masked);
        _selected = 0;
        _id = 0;
    }

    /// <inheritdoc/>
    public void SetInput(int input, bool level)
    {
        bool rising = level && !_levels[input];
        _levels[input] = level;
        ulong entry = _entries[input];
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
            0x00 => _selected,
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
                _selected = (uint)value & 0xFF;
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

    /// <summary>Ends level-triggered interrupts of a vector; an input that is still asserted asks again.</summary>
    internal void EndOfInterrupt(byte vector)
    {
        for (int i = 0; i < InputCount; i++)
        {
            ulong entry = _entries[i];
            if ((byte)entry == vector && (entry & RemoteIrr) != 0)
            {
                _entries[i] = entry & ~RemoteIrr;
                DeliverLevel(i);
            }
        }
    }

    private uint ReadSelected()
    {
        switch (_selected)
        {
            case 0:
            case 2:
                return _id;
            case 1:
                return Version;
            default:
                uint index = (_selected - 0x10) >> 1;
                return _selected < 0x10 || index >= InputCount ? 0
                    : (_selected & 1) == 0 ? (uint)_entries[index] : (uint)(_entries[index] >> 32);
        }
    }

    private void WriteSelected(uint value)
    {
        if (_selected == 0)
        {
            _id = value & 0x0F000000;
            return;
        }

        uint index = (_selected - 0x10) >> 1;
        if (_selected < 0x10 || index >= InputCount)
        {
            return;
        }

        ulong before = _entries[index];
        ulong written = (_selected & 1) == 0
            ? (before & 0xFFFFFFFF_00000000) | value
            : (before & 0xFFFFFFFF) | ((ulong)value << 32);
        ulong entry = (written & Writable) | (before & RemoteIrr);
        if ((entry & LevelTriggered) == 0)
        {
            // Kernels switch an entry to edge and back to get rid of a stuck remote IRR.
            entry &= ~RemoteIrr;
        }

        _entries[index] = entry;
        if ((entry & LevelTriggered) != 0)
        {
            DeliverLevel((int)index);
        }
    }

    private void DeliverLevel(int input)
    {
        ulong entry = _entries[input];
        if (_levels[input] && (entry & (Masked | RemoteIrr)) == 0)
        {
            _entries[input] = entry | RemoteIrr;
            Deliver(entry);
        }
    }

    private void Deliver(ulong entry) => _bus.Deliver(new ApicMessage(
        (ApicDeliveryMode)((entry >> 8) & 7),
        (byte)entry,
        (byte)(entry >> 56),
        (entry & (1 << 11)) != 0,
        (entry & LevelTriggered) != 0));
}
