using System.Buffers.Binary;
using System.Text;

namespace KprobeTrace.Tracing;

/// <summary>Reads MessagePack that nobody vouches for.</summary>
/// <remarks>
/// Every length is held against the bytes that are left before anything is allocated, and nothing recurses. Wrong
/// types and cut-off values are <see cref="MalformedTraceException"/>.
/// </remarks>
internal ref struct MessagePackCursor
{
    private readonly ReadOnlySpan<byte> _bytes;
    private int _position;

    internal MessagePackCursor(ReadOnlySpan<byte> bytes, int position = 0)
    {
        _bytes = bytes;
        _position = position;
    }

    /// <summary>Offset of the next value.</summary>
    internal readonly int Position => _position;

    internal readonly bool AtEnd => _position == _bytes.Length;

    /// <summary>Length of an array: at most the bytes that are left, since each element takes one.</summary>
    internal int ReadArrayHeader()
    {
        byte type = Next();
        uint count = type switch
        {
            >= 0x90 and <= 0x9F => type & 0xFu,
            0xDC => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            0xDD => BinaryPrimitives.ReadUInt32BigEndian(Take(4)),
            _ => throw Wrong("array", type),
        };
        return Fit(count, 1);
    }

    /// <summary>Number of pairs of a map: at most half the bytes that are left.</summary>
    internal int ReadMapHeader()
    {
        byte type = Next();
        uint count = type switch
        {
            >= 0x80 and <= 0x8F => type & 0xFu,
            0xDE => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            0xDF => BinaryPrimitives.ReadUInt32BigEndian(Take(4)),
            _ => throw Wrong("map", type),
        };
        return Fit(count, 2);
    }

    /// <summary>Any integer, as the 64 bits of its two's complement.</summary>
    internal long ReadInteger()
    {
        byte type = Next();
        return type switch
        {
            <= 0x7F => type,
            >= 0xE0 => (sbyte)type,
            0xCC => Next(),
            0xCD => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            0xCE => BinaryPrimitives.ReadUInt32BigEndian(Take(4)),
            0xCF => (long)BinaryPrimitives.ReadUInt64BigEndian(Take(8)),
            0xD0 => (sbyte)Next(),
            0xD1 => BinaryPrimitives.ReadInt16BigEndian(Take(2)),
            0xD2 => BinaryPrimitives.ReadInt32BigEndian(Take(4)),
            0xD3 => BinaryPrimitives.ReadInt64BigEndian(Take(8)),
            _ => throw Wrong("integer", type),
        };
    }

    internal ulong ReadUnsigned() => (ulong)ReadInteger();

    /// <summary>An integer from <paramref name="low"/> to <paramref name="high"/>.</summary>
    internal int ReadInt32(int low, int high)
    {
        long value = ReadInteger();
        return value >= low && value <= high
            ? (int)value
            : throw new MalformedTraceException($"the number {value} at payload offset {_position} is out of range");
    }

    /// <summary>The bytes of a str or a bin.</summary>
    internal ReadOnlySpan<byte> ReadBytes()
    {
        byte type = Next();
        uint count = type switch
        {
            >= 0xA0 and <= 0xBF => type & 0x1Fu,
            0xC4 or 0xD9 => Next(),
            0xC5 or 0xDA => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            0xC6 or 0xDB => BinaryPrimitives.ReadUInt32BigEndian(Take(4)),
            _ => throw Wrong("str or bin", type),
        };
        return Take(Fit(count, 1));
    }

    /// <summary>A str as text; what is no UTF-8 reads as U+FFFD.</summary>
    internal string ReadString() => Encoding.UTF8.GetString(ReadBytes());

    /// <summary>Steps over as many integers.</summary>
    internal void SkipIntegers(int count)
    {
        ReadOnlySpan<byte> bytes = _bytes;
        int at = _position;
        for (; count > 0; count--)
        {
            int width = at < bytes.Length ? MessagePackInteger.Length(bytes[at]) : 0;
            if (width == 0)
            {
                _position = at;
                ReadInteger(); // says what is wrong
            }

            at += width;
        }

        _position = at;
        if (at > bytes.Length)
        {
            throw new MalformedTraceException($"the payload ends within a value at offset {bytes.Length}");
        }
    }

    /// <summary>Steps over one value of any type, however nested, and checks that it is whole.</summary>
    internal void Skip()
    {
        int start = _position;
        long values = SkipOne();
        for (; values > 0; values--)
        {
            if (SkipOne() > 0)
            {
                _position = start;
                SkipNested();
                return;
            }
        }
    }

    /// <summary>Steps over one array and checks that it is whole.</summary>
    internal void SkipArray()
    {
        byte type = _position < _bytes.Length ? _bytes[_position] : (byte)0;
        if (type is (< 0x90 or > 0x9F) and not (0xDC or 0xDD))
        {
            ReadArrayHeader(); // says what is wrong
        }

        Skip();
    }

    private void SkipNested()
    {
        // What is left to step over at each level of nesting; the level itself is bounded by the format.
        Span<long> left = stackalloc long[TraceFormat.MaxDepth + 1];
        int depth = 0;
        left[0] = 1;
        while (true)
        {
            while (left[depth] == 0)
            {
                if (depth-- == 0)
                {
                    return;
                }
            }

            left[depth]--;
            long children = SkipOne();
            if (children > 0)
            {
                if (++depth > TraceFormat.MaxDepth)
                {
                    throw new MalformedTraceException(
                        $"values nest deeper than {TraceFormat.MaxDepth} levels at payload offset {_position}");
                }

                left[depth] = children;
            }
        }
    }

    /// <summary>Steps over a scalar or the head of an array or map; the number of values that belong to the latter.</summary>
    private long SkipOne()
    {
        byte type = _position < _bytes.Length ? _bytes[_position] : (byte)0xC0;
        switch (type)
        {
            case <= 0x7F or >= 0xE0 or 0xC0 or 0xC2 or 0xC3:
                Next();
                return 0;
            case >= 0x80 and <= 0x8F or 0xDE or 0xDF:
                return 2L * ReadMapHeader();
            case >= 0x90 and <= 0x9F or 0xDC or 0xDD:
                return ReadArrayHeader();
            case >= 0xA0 and <= 0xBF or >= 0xC4 and <= 0xC6 or >= 0xD9 and <= 0xDB:
                ReadBytes();
                return 0;
            case >= 0xCC and <= 0xD3:
                Take(MessagePackInteger.Length(type));
                return 0;
            case 0xCA:
                Take(5);
                return 0;
            case 0xCB:
                Take(9);
                return 0;
            default:
                throw Wrong("value without extension type", type);
        }
    }

    private byte Next() => Take(1)[0];

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - _position)
        {
            throw new MalformedTraceException($"the payload ends within a value at offset {_position}");
        }

        ReadOnlySpan<byte> taken = _bytes.Slice(_position, count);
        _position += count;
        return taken;
    }

    private readonly int Fit(uint count, int bytesEach)
    {
        int left = _bytes.Length - _position;
        return count <= (uint)(left / bytesEach)
            ? (int)count
            : throw new MalformedTraceException(
                $"a length of {count} at payload offset {_position} exceeds the {left} bytes left");
    }

    private readonly MalformedTraceException Wrong(string wanted, byte type) =>
        new($"expected {wanted} at payload offset {_position - 1}, found type byte 0x{type:x2}");
}
