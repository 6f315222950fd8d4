using System.Buffers.Binary;

namespace KprobeTrace.Guest;

/// <summary>A sorted ORC table: which rule holds from which instruction on.</summary>
internal sealed class OrcTable
{
    private const int EntrySize = 6;

    private readonly ulong _base;
    private readonly uint[] _offsets;
    private readonly ReadOnlyMemory<byte> _entries;

    /// <summary>Decodes a table.</summary>
    /// <param name="ips">The instruction offsets, each relative to its own address.</param>
    /// <param name="ipsAddress">Address of the first.</param>
    /// <param name="entries">The entries, six bytes each.</param>
    public OrcTable(ReadOnlySpan<byte> ips, ulong ipsAddress, ReadOnlyMemory<byte> entries)
    {
        int count = Math.Min(ips.Length / 4, entries.Length / EntrySize);
        _offsets = new uint[count];
        _entries = entries;
        if (count == 0)
        {
            return;
        }

        ulong lowest = ulong.MaxValue;
        for (int i = 0; i < count; i++)
        {
            lowest = Math.Min(lowest, AddressAt(ips, ipsAddress, i));
        }

        _base = lowest;
        for (int i = 0; i < count; i++)
        {
            _offsets[i] = (uint)Math.Min(AddressAt(ips, ipsAddress, i) - lowest, uint.MaxValue);
            IsSorted &= i == 0 || _offsets[i] >= _offsets[i - 1];
        }
    }

    /// <summary>Gets a value telling whether the instructions rise, as look-up needs.</summary>
    public bool IsSorted { get; } = true;

    public int Count => _offsets.Length;

    /// <summary>How many rules compute the frame from the register of a number.</summary>
    public int RulesFrom(int register)
    {
        int count = 0;
        ReadOnlySpan<byte> entries = _entries.Span;
        for (int i = 0; i < _offsets.Length; i++)
        {
            count += (entries[(i * EntrySize) + 4] & 0xF) == register ? 1 : 0;
        }

        return count;
    }

    /// <summary>Finds the rule for an instruction.</summary>
    public bool TryFind(ulong ip, out short spOffset, out short bpOffset, out ushort bits)
    {
        spOffset = 0;
        bpOffset = 0;
        bits = 0;
        ulong offset = ip - _base;
        if (_offsets.Length == 0 || offset > uint.MaxValue)
        {
            return false;
        }

        int index = Array.BinarySearch(_offsets, (uint)offset);
        index = index >= 0 ? index : ~index - 1;

        // Several rules at one instruction: the last one holds.
        while (index >= 0 && index + 1 < _offsets.Length && _offsets[index + 1] == _offsets[index])
        {
            index++;
        }

        if (index < 0)
        {
            return false;
        }

        ReadOnlySpan<byte> entry = _entries.Span.Slice(index * EntrySize, EntrySize);
        spOffset = BinaryPrimitives.ReadInt16LittleEndian(entry);
        bpOffset = BinaryPrimitives.ReadInt16LittleEndian(entry[2..]);
        bits = BinaryPrimitives.ReadUInt16LittleEndian(entry[4..]);
        return true;
    }

    private static ulong AddressAt(ReadOnlySpan<byte> ips, ulong ipsAddress, int index) =>
        ipsAddress + ((ulong)index * 4) + (ulong)(long)BinaryPrimitives.ReadInt32LittleEndian(ips[(index * 4)..]);
}
