using System.Text;

namespace KprobeTrace.Export;

/// <summary>Writes Protocol Buffers messages, nested ones included, into one growing buffer.</summary>
/// <remarks>https://protobuf.dev/programming-guides/encoding.</remarks>
internal sealed class ProtobufWriter
{
    private byte[] _bytes = new byte[1 << 16];
    private int _length;

    /// <summary>What was written.</summary>
    internal ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    internal void Clear() => _length = 0;

    /// <summary>A field of a varint type.</summary>
    internal void Varint(int field, ulong value)
    {
        Raw(((ulong)field << 3) | 0);
        Raw(value);
    }

    /// <summary>A field of bytes or text.</summary>
    internal void Bytes32(int field, ReadOnlySpan<byte> value)
    {
        Raw(((ulong)field << 3) | 2);
        Raw((ulong)value.Length);
        Room(value.Length);
        value.CopyTo(_bytes.AsSpan(_length));
        _length += value.Length;
    }

    /// <summary>A field of text.</summary>
    internal void Text(int field, string value) => Bytes32(field, Encoding.UTF8.GetBytes(value));

    /// <summary>Begins a nested message; its length is filled in by <see cref="End"/>.</summary>
    internal int Begin(int field)
    {
        Raw(((ulong)field << 3) | 2);
        Room(4);
        _length += 4;
        return _length;
    }

    /// <summary>Ends the nested message that <see cref="Begin"/> gave <paramref name="start"/> for.</summary>
    internal void End(int start)
    {
        // Four bytes hold any length up to 2^28 - 1; the padding is legal.
        uint length = (uint)(_length - start);
        _bytes[start - 4] = (byte)(length | 0x80);
        _bytes[start - 3] = (byte)((length >> 7) | 0x80);
        _bytes[start - 2] = (byte)((length >> 14) | 0x80);
        _bytes[start - 1] = (byte)((length >> 21) & 0x7F);
    }

    private void Raw(ulong value)
    {
        Room(10);
        while (value >= 0x80)
        {
            _bytes[_length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _bytes[_length++] = (byte)value;
    }

    private void Room(int bytes)
    {
        if (_bytes.Length - _length < bytes)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + bytes));
        }
    }
}
