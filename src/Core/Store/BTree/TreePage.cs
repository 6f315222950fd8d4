using System.Buffers.Binary;

namespace KprobeTrace.Store.BTree;

/// <summary>A b-tree page in the making: cells grow down from the end, their offsets up from the header.</summary>
internal sealed class TreePage
{
    internal const byte IndexInterior = 0x02;
    internal const byte TableInterior = 0x05;
    internal const byte IndexLeaf = 0x0A;
    internal const byte TableLeaf = 0x0D;

    private readonly byte[] _bytes;
    private readonly int _header;
    private int _content;

    internal TreePage(int size, byte type)
    {
        _bytes = new byte[size];
        _bytes[0] = type;
        _header = type is IndexInterior or TableInterior ? 12 : 8;
        _content = size;
    }

    /// <summary>Cells on the page.</summary>
    internal int Count { get; private set; }

    /// <summary>Makes room for a cell, or returns false where the page is full.</summary>
    internal bool TryAdd(int length, out Span<byte> cell)
    {
        int content = _content - length;
        int pointer = _header + (2 * Count);
        if (content < pointer + 2)
        {
            cell = default;
            return false;
        }

        BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(pointer), (ushort)content);
        Count++;
        _content = content;
        cell = _bytes.AsSpan(content, length);
        return true;
    }

    /// <summary>Takes the last cell off the page.</summary>
    internal byte[] RemoveLast()
    {
        int pointer = _header + (2 * (Count - 1));
        int end = Count == 1
            ? _bytes.Length
            : BinaryPrimitives.ReadUInt16BigEndian(_bytes.AsSpan(pointer - 2));
        byte[] cell = _bytes[_content..end];
        Count--;
        _content = end;
        return cell;
    }

    /// <summary>The finished page; <paramref name="rightmost"/> is an interior page's last child.</summary>
    internal ReadOnlySpan<byte> Finish(uint rightmost = 0)
    {
        Span<byte> header = _bytes.AsSpan(0, _header);
        BinaryPrimitives.WriteUInt16BigEndian(header[1..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(header[3..], (ushort)Count);
        BinaryPrimitives.WriteUInt16BigEndian(header[5..], (ushort)_content);
        header[7] = 0;
        if (_header == 12)
        {
            BinaryPrimitives.WriteUInt32BigEndian(header[8..], rightmost);
        }

        // Between the offsets and the cells may stand the remains of an earlier page: the file is to be reproducible.
        int free = _header + (2 * Count);
        _bytes.AsSpan(free, _content - free).Clear();
        return _bytes;
    }

    /// <summary>Empties the page.</summary>
    internal void Clear()
    {
        Count = 0;
        _content = _bytes.Length;
    }
}
