using System.Buffers.Binary;
using System.Text;
using MessagePack;

namespace KprobeTrace.Tracing;

/// <summary>Reads MessagePack that nobody vouches for.</summary>
/// <remarks>
/// Every length is held against the bytes that are left before anything is allocated, and nothing recurses. Wrong
/// types and cut-off values are <see cref="MalformedTraceException"/>.
/// </remarks>
internal ref struct MessagePackCursor
{
    private static readonly MessagePackKind[] _kinds = MakeKinds();

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

    /// <summary>What the next value is; <see cref="MessagePackKind.None"/> at the end.</summary>
    internal readonly MessagePackKind Kind => _position < _bytes.Length ? _kinds[_bytes[_position]] : MessagePackKind.None;

    /// <summary>Length of an array: at most the bytes that are left, since each element takes one.</summary>
    internal int ReadArrayHeader()
    {
        byte type = Next();
        uint count = type switch
        {
            >= MessagePackCode.MinFixArray and <= MessagePackCode.MaxFixArray => type & 0xFu,
            MessagePackCode.Array16 => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            MessagePackCode.Array32 => BinaryPrimitives.ReadUInt32BigEndian(Take(4)),
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
            >= MessagePackCode.MinFixMap and <= MessagePackCode.MaxFixMap => type & 0xFu,
            MessagePackCode.Map16 => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            MessagePackCode.Map32 => BinaryPrimitives.ReadUInt32BigEndian(Take(4)),
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
            <= MessagePackCode.MaxFixInt => type,
            >= MessagePackCode.MinNegativeFixInt => (sbyte)type,
            MessagePackCode.UInt8 => Next(),
            MessagePackCode.UInt16 => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            MessagePackCode.UInt32 => BinaryPrimitives.ReadUInt32BigEndian(Take(4)),
            MessagePackCode.UInt64 => (long)BinaryPrimitives.ReadUInt64BigEndian(Take(8)),
            MessagePackCode.Int8 => (sbyte)Next(),
            MessagePackCode.Int16 => BinaryPrimitives.ReadInt16BigEndian(Take(2)),
            MessagePackCode.Int32 => BinaryPrimitives.ReadInt32BigEndian(Take(4)),
            MessagePackCode.Int64 => BinaryPrimitives.ReadInt64BigEndian(Take(8)),
            _ => throw Wrong("integer", type),
        };
    }

    internal bool ReadBoolean()
    {
        byte type = Next();
        return type is MessagePackCode.False or MessagePackCode.True ? type == MessagePackCode.True : throw Wrong("true or false", type);
    }

    /// <summary>A floating-point number of either width.</summary>
    internal double ReadReal()
    {
        byte type = Next();
        return type switch
        {
            MessagePackCode.Float32 => BinaryPrimitives.ReadSingleBigEndian(Take(4)),
            MessagePackCode.Float64 => BinaryPrimitives.ReadDoubleBigEndian(Take(8)),
            _ => throw Wrong("floating-point number", type),
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
            >= MessagePackCode.MinFixStr and <= MessagePackCode.MaxFixStr => type & 0x1Fu,
            MessagePackCode.Bin8 or MessagePackCode.Str8 => Next(),
            MessagePackCode.Bin16 or MessagePackCode.Str16 => BinaryPrimitives.ReadUInt16BigEndian(Take(2)),
            MessagePackCode.Bin32 or MessagePackCode.Str32 => BinaryPrimitives.ReadUInt32BigEndian(Take(4)),
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
        if (Kind != MessagePackKind.Array)
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
        switch (Kind)
        {
            case MessagePackKind.Map:
                return 2L * ReadMapHeader();
            case MessagePackKind.Array:
                return ReadArrayHeader();
            case MessagePackKind.Bytes:
                ReadBytes();
                return 0;
            case MessagePackKind.Integer:
                Take(MessagePackInteger.Length(_bytes[_position]));
                return 0;
            case MessagePackKind.Real:
                Take(_bytes[_position] == MessagePackCode.Float32 ? 5 : 9);
                return 0;
            case MessagePackKind.Nil or MessagePackKind.Boolean:
                Next();
                return 0;
            default:
                throw Wrong("value without extension type", Next());
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

    private static MessagePackKind[] MakeKinds()
    {
        MessagePackKind[] kinds = new MessagePackKind[256];
        for (int type = 0; type < kinds.Length; type++)
        {
            kinds[type] = type switch
            {
                <= MessagePackCode.MaxFixInt or >= MessagePackCode.MinNegativeFixInt or (>= MessagePackCode.UInt8 and <= MessagePackCode.Int64) => MessagePackKind.Integer,
                <= MessagePackCode.MaxFixMap or MessagePackCode.Map16 or MessagePackCode.Map32 => MessagePackKind.Map,
                <= MessagePackCode.MaxFixArray or MessagePackCode.Array16 or MessagePackCode.Array32 => MessagePackKind.Array,
                <= MessagePackCode.MaxFixStr or (>= MessagePackCode.Bin8 and <= MessagePackCode.Bin32) or (>= MessagePackCode.Str8 and <= MessagePackCode.Str32) => MessagePackKind.Bytes,
                MessagePackCode.Nil => MessagePackKind.Nil,
                MessagePackCode.False or MessagePackCode.True => MessagePackKind.Boolean,
                MessagePackCode.Float32 or MessagePackCode.Float64 => MessagePackKind.Real,
                _ => MessagePackKind.None,
            };
        }

        return kinds;
    }
}
