using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Unicode;

namespace KprobeTrace.Tracing;

/// <summary>Writes MessagePack into a growing buffer that keeps its memory when cleared.</summary>
/// <remarks>
/// What a trace holds is written by this and, where a column is filled in place, by <see cref="MessagePackInteger"/>.
/// Values take their shortest form unless a method says otherwise.
/// </remarks>
internal sealed class MessagePackSink
{
    /// <summary>The first count of an array or a map that is no part of the type byte.</summary>
    private const int ShortCount = 16;

    /// <summary>The first length of a str that is no part of the type byte.</summary>
    private const int ShortText = 32;

    private byte[] _bytes;
    private int _length;

    internal MessagePackSink(int capacity = 4096) => _bytes = new byte[capacity];

    internal int Length => _length;

    internal ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

    internal void Clear() => _length = 0;

    /// <summary>Appends bytes that are MessagePack already.</summary>
    internal void Append(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(bytes.Length));

    internal void WriteNil() => Take(1)[0] = MessagePackType.Nil;

    internal void WriteArrayHeader(int count) => WriteHeader(MessagePackType.Array, MessagePackType.Array16, count);

    internal void WriteMapHeader(int count) => WriteHeader(MessagePackType.Map, MessagePackType.Map16, count);

    /// <summary>Begins an array in the form of five bytes, however short it is.</summary>
    internal void WriteLongArrayHeader(int count) => WriteHead32(MessagePackType.Array32, count);

    /// <summary>Begins a map in the form of five bytes, however short it is.</summary>
    internal void WriteLongMapHeader(int count) => WriteHead32(MessagePackType.Map32, count);

    /// <summary>Writes a bin with a head of five bytes, however short it is.</summary>
    internal void WriteLongBin(ReadOnlySpan<byte> bytes)
    {
        WriteHead32(MessagePackType.Bin32, bytes.Length);
        Append(bytes);
    }

    /// <summary>Writes an integer.</summary>
    internal unsafe void Write(long value)
    {
        Reserve(MessagePackInteger.MaxBytes);

        // SAFETY: MaxBytes bytes have been reserved, and the array stays pinned while they are written.
        fixed (byte* start = &_bytes[_length])
        {
            _length += (int)(MessagePackInteger.Write(start, value) - start);
        }
    }

    /// <summary>Writes an unsigned integer.</summary>
    internal void Write(ulong value)
    {
        if (value <= long.MaxValue)
        {
            Write((long)value);
            return;
        }

        WriteUInt64(value);
    }

    /// <summary>
    /// Writes an unsigned integer in one, five or nine bytes: the values of an argument are so as long from hit to hit as they can be.
    /// </summary>
    internal void WriteCoarse(ulong value)
    {
        if (value < 0x80)
        {
            Take(1)[0] = (byte)value;
        }
        else if (value <= uint.MaxValue)
        {
            WriteHead32(MessagePackType.UInt32, (int)(uint)value);
        }
        else
        {
            WriteUInt64(value);
        }
    }

    /// <summary>Writes a signed integer in one, five or nine bytes, a negative one in one or nine.</summary>
    internal void WriteCoarse(long value)
    {
        if (value >= 0)
        {
            WriteCoarse((ulong)value);
        }
        else if (value >= -32)
        {
            Take(1)[0] = (byte)value;
        }
        else
        {
            Span<byte> to = Take(9);
            to[0] = MessagePackType.Int64;
            BinaryPrimitives.WriteInt64BigEndian(to[1..], value);
        }
    }

    /// <summary>Writes a str.</summary>
    internal void Write(string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        WriteTextHead(length);
        Encoding.UTF8.GetBytes(text, Take(length));
    }

    /// <summary>Writes a bin.</summary>
    internal void Write(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length <= byte.MaxValue)
        {
            Span<byte> head = Take(2);
            head[0] = MessagePackType.Bin8;
            head[1] = (byte)bytes.Length;
        }
        else if (bytes.Length <= ushort.MaxValue)
        {
            WriteHead16(MessagePackType.Bin16, bytes.Length);
        }
        else
        {
            WriteHead32(MessagePackType.Bin32, bytes.Length);
        }

        Append(bytes);
    }

    /// <summary>
    /// Writes a text of at most 65,535 bytes that the guest holds: a str, or a bin where it is no UTF-8. From 32 bytes on, and for each
    /// bin, the head takes three bytes.
    /// </summary>
    internal void WriteGuestText(ReadOnlySpan<byte> text)
    {
        bool utf8 = Utf8.IsValid(text);
        if (utf8 && text.Length < ShortText)
        {
            Take(1)[0] = (byte)(MessagePackType.Str | text.Length);
        }
        else
        {
            WriteHead16(utf8 ? MessagePackType.Str16 : MessagePackType.Bin16, text.Length);
        }

        Append(text);
    }

    private void WriteUInt64(ulong value)
    {
        Span<byte> to = Take(9);
        to[0] = MessagePackType.UInt64;
        BinaryPrimitives.WriteUInt64BigEndian(to[1..], value);
    }

    private void WriteTextHead(int length)
    {
        if (length < ShortText)
        {
            Take(1)[0] = (byte)(MessagePackType.Str | length);
        }
        else if (length <= byte.MaxValue)
        {
            Span<byte> head = Take(2);
            head[0] = MessagePackType.Str8;
            head[1] = (byte)length;
        }
        else if (length <= ushort.MaxValue)
        {
            WriteHead16(MessagePackType.Str16, length);
        }
        else
        {
            WriteHead32(MessagePackType.Str32, length);
        }
    }

    /// <summary>Begins an array or a map, whose forms of five bytes follow those of three.</summary>
    private void WriteHeader(byte shortest, byte form16, int count)
    {
        if (count < ShortCount)
        {
            Take(1)[0] = (byte)(shortest | count);
        }
        else if (count <= ushort.MaxValue)
        {
            WriteHead16(form16, count);
        }
        else
        {
            WriteHead32((byte)(form16 + 1), count);
        }
    }

    private void WriteHead16(byte type, int count)
    {
        Span<byte> head = Take(3);
        head[0] = type;
        BinaryPrimitives.WriteUInt16BigEndian(head[1..], (ushort)count);
    }

    private void WriteHead32(byte type, int count)
    {
        Span<byte> head = Take(5);
        head[0] = type;
        BinaryPrimitives.WriteInt32BigEndian(head[1..], count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Span<byte> Take(int count)
    {
        Reserve(count);
        Span<byte> taken = _bytes.AsSpan(_length, count);
        _length += count;
        return taken;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Reserve(int count)
    {
        if (_bytes.Length - _length < count)
        {
            Grow(count);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow(int count) =>
        Array.Resize(ref _bytes, (int)Math.Max(Math.Min(2L * _bytes.Length, Array.MaxLength), _length + (long)count));
}
