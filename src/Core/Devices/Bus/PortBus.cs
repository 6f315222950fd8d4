namespace KprobeTrace.Devices.Bus;

/// <summary>The 64 Ki I/O ports and the devices behind them.</summary>
/// <remarks>
/// A port without a device reads all-ones and swallows writes. An access wider than a byte reaches a byte-wide device
/// as single bytes in ascending port order, and so does an access that only partly lies in a wide device.
/// </remarks>
internal sealed class PortBus
{
    private readonly byte[] _slots = new byte[0x10000];
    private readonly IPortDevice?[] _devices = new IPortDevice?[256];
    private readonly bool[] _wide = new bool[256];
    private int _count = 1;

    /// <summary>Puts a device at a range of ports, over whatever was there before.</summary>
    /// <param name="first">The first port.</param>
    /// <param name="count">How many ports.</param>
    /// <param name="device">The device.</param>
    /// <param name="wide">Whether the device takes accesses of 2 and 4 bytes whole; otherwise it sees single bytes.</param>
    public void Register(ushort first, int count, IPortDevice device, bool wide = false)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, 0x10000, nameof(count));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(_count, 255, nameof(device));
        _devices[_count] = device;
        _wide[_count] = wide;
        _slots.AsSpan(first, count).Fill((byte)_count);
        _count++;
    }

    /// <summary>Executes an IN of 1, 2 or 4 bytes.</summary>
    public uint Read(ushort port, int size)
    {
        byte slot = _slots[port];
        if (size == 1)
        {
            return slot == 0 ? 0xFF : _devices[slot]!.Read(port, 1) & 0xFF;
        }

        if (_wide[slot] && IsWithin(slot, port, size))
        {
            return _devices[slot]!.Read(port, size) & (size == 2 ? 0xFFFFu : uint.MaxValue);
        }

        uint value = 0;
        for (int i = 0; i < size; i++)
        {
            uint part = port + i > 0xFFFF ? 0xFF : Read((ushort)(port + i), 1);
            value |= part << (i * 8);
        }

        return value;
    }

    /// <summary>Executes an OUT of 1, 2 or 4 bytes.</summary>
    public void Write(ushort port, uint value, int size)
    {
        byte slot = _slots[port];
        if (size == 1)
        {
            if (slot != 0)
            {
                _devices[slot]!.Write(port, value & 0xFF, 1);
            }

            return;
        }

        if (_wide[slot] && IsWithin(slot, port, size))
        {
            _devices[slot]!.Write(port, size == 2 ? value & 0xFFFF : value, size);
            return;
        }

        for (int i = 0; i < size && port + i <= 0xFFFF; i++)
        {
            Write((ushort)(port + i), (value >> (i * 8)) & 0xFF, 1);
        }
    }

    private bool IsWithin(byte slot, ushort port, int size)
    {
        int last = port + size - 1;
        return last <= 0xFFFF && _slots[last] == slot;
    }
}
