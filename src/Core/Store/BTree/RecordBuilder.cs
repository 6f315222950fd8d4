using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace KprobeTrace.Store.BTree;

/// <summary>Encodes one row in SQLite's record format.</summary>
/// <remarks>
/// A record is a header (its own length and one serial type a column, all varints) and the values behind it.
/// https://www.sqlite.org/fileformat2.html, section 2.1. The builder keeps room for the header in front of the
/// values, so that neither is moved when the record is complete.
/// </remarks>
internal sealed class RecordBuilder
{
    private const int HeaderRoom = 160;
    private const int MaxColumns = 60;

    /// <summary>Serial type of an integer by the number of bits it needs with its sign.</summary>
    private static ReadOnlySpan<byte> TypeOfBits =>
    [
        1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4,
        5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6,
    ];

    /// <summary>Bytes that an integer of a serial type takes.</summary>
    private static ReadOnlySpan<byte> SizeOfType => [0, 1, 2, 3, 4, 6, 8];

    private readonly byte[] _types = new byte[HeaderRoom];
    private byte[] _body = new byte[4096];
    private int _typeCount;
    private int _end = HeaderRoom;

    /// <summary>Starts a new record.</summary>
    internal void Begin()
    {
        _typeCount = 0;
        _end = HeaderRoom;
    }

    /// <summary>Adds NULL.</summary>
    internal void Null() => _types[_typeCount++] = 0;

    /// <summary>Adds an integer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Integer(ulong value) => Integer(unchecked((long)value));

    /// <summary>Adds an integer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Integer(long value)
    {
        if ((ulong)value <= 1)
        {
            _types[_typeCount++] = (byte)(8 + value);
            return;
        }

        int bits = 65 - BitOperations.LeadingZeroCount((ulong)(value ^ (value >> 63)));
        byte type = TypeOfBits[Math.Min(bits, 64)];
        int size = SizeOfType[type];
        _types[_typeCount++] = type;
        if (_end + 8 > _body.Length)
        {
            Grow(8);
        }

        BinaryPrimitives.WriteInt64BigEndian(_body.AsSpan(_end), value << (64 - (8 * size)));
        _end += size;
    }

    /// <summary>Adds an integer for each of some numbers.</summary>
    /// <param name="numbers">Numbers, of which some are added.</param>
    /// <param name="which">Where those stand, in the order of the columns.</param>
    internal void Integers(ReadOnlySpan<ulong> numbers, ReadOnlySpan<int> which)
    {
        int room = 8 * which.Length;
        if (_end + room > _body.Length)
        {
            Grow(room);
        }

        Span<byte> body = _body;
        Span<byte> types = _types.AsSpan(_typeCount, which.Length);
        int end = _end;
        for (int i = 0; i < types.Length; i++)
        {
            long value = (long)numbers[which[i]];
            if ((ulong)value <= 1)
            {
                types[i] = (byte)(8 + value);
                continue;
            }

            int bits = 65 - BitOperations.LeadingZeroCount((ulong)(value ^ (value >> 63)));
            byte type = TypeOfBits[Math.Min(bits, 64)];
            int size = SizeOfType[type];
            types[i] = type;
            BinaryPrimitives.WriteInt64BigEndian(body[end..], value << (64 - (8 * size)));
            end += size;
        }

        _end = end;
        _typeCount += types.Length;
    }

    /// <summary>Adds an integer or NULL for each cell.</summary>
    /// <param name="cells">The cells.</param>
    /// <param name="textAt">Which of them stands for a text, unless it is NULL; none below 0.</param>
    /// <param name="text">That text in UTF-8.</param>
    internal void Cells(ReadOnlySpan<long?> cells, int textAt = -1, ReadOnlySpan<byte> text = default)
    {
        for (int i = 0; i < cells.Length; i++)
        {
            if (cells[i] is not { } value)
            {
                Null();
            }
            else if (i == textAt)
            {
                Text(text);
            }
            else
            {
                Integer(value);
            }
        }
    }

    /// <summary>Adds UTF-8 text.</summary>
    internal void Text(ReadOnlySpan<byte> utf8) => Bytes(utf8, 13);

    /// <summary>Adds bytes.</summary>
    internal void Blob(ReadOnlySpan<byte> bytes) => Bytes(bytes, 12);

    /// <summary>The whole record; valid until the next <see cref="Begin"/>.</summary>
    internal ReadOnlySpan<byte> End()
    {
        // The header holds its own length; with at most 60 columns of at most 5 bytes it needs one byte or two.
        int headerLength = _typeCount + 1;
        if (headerLength > 127)
        {
            headerLength++;
        }

        int start = HeaderRoom - headerLength;
        int lengthBytes = Varint.Write(_body.AsSpan(start), (ulong)headerLength);
        _types.AsSpan(0, _typeCount).CopyTo(_body.AsSpan(start + lengthBytes));
        return _body.AsSpan(start, _end - start);
    }

    private void Bytes(ReadOnlySpan<byte> bytes, int baseType)
    {
        if (_typeCount > HeaderRoom - 12)
        {
            throw new InvalidOperationException($"a record holds at most {MaxColumns} columns");
        }

        _typeCount += Varint.Write(_types.AsSpan(_typeCount), ((ulong)bytes.Length * 2) + (ulong)baseType);
        if (_end + bytes.Length + 8 > _body.Length)
        {
            Grow(bytes.Length + 8);
        }

        bytes.CopyTo(_body.AsSpan(_end));
        _end += bytes.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow(int room) => Array.Resize(ref _body, Math.Max(_body.Length * 2, _end + room));
}
