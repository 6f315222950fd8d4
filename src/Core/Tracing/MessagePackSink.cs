using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Unicode;
using System.Text;
using MessagePack;

namespace KprobeTrace.Tracing;

/// <summary>Writes MessagePack into a growing buffer that keeps its memory when cleared.</summary>
/// <remarks>
/// What a trace holds is written by this and, where a column is filled in place, by <see cref="MessagePackInteger"/>. Values take their
/// shortest form, which the package knows; forms that are fixed, or coarser, for the sake of columns stand here.
/// </remarks>
internal sealed class MessagePackSink
{
    /// <summary>Most bytes of a number, or of the head of anything else.</summary>
    private const int MaxHead = 9;

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

    internal void WriteNil() => Take(1)[0] = MessagePackCode.Nil;

    internal void WriteArrayHeader(int count) => Took(MessagePackPrimitives.TryWriteArrayHeader(Room(), (uint)count, out int written), written);

    internal void WriteMapHeader(int count) => Took(MessagePackPrimitives.TryWriteMapHeader(Room(), (uint)count, out int written), written);

    /// <summary>Begins an array in the form of five bytes, however short it is.</summary>
    internal void WriteLongArrayHeader(int count) => WriteHead32(MessagePackCode.Array32, count);

    /// <summary>Begins a map in the form of five bytes, however short it is.</summary>
    internal void WriteLongMapHeader(int count) => WriteHead32(MessagePackCode.Map32, count);

    /// <summary>Writes a bin with a head of five bytes, however short it is.</summary>
    internal void WriteLongBin(ReadOnlySpan<byte> bytes)
    {
        WriteHead32(MessagePackCode.Bin32, bytes.Length);
        Append(bytes);
    }

    /// <summary>Writes an integer.</summary>
    internal void Write(long value) => Took(MessagePackPrimitives.TryWrite(Room(), value, out int written), written);

    /// <summary>Writes an unsigned integer.</summary>
    internal void Write(ulong value) => Took(MessagePackPrimitives.TryWrite(Room(), value, out int written), written);

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
            WriteHead32(MessagePackCode.UInt32, (int)(uint)value);
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
            to[0] = MessagePackCode.Int64;
            BinaryPrimitives.WriteInt64BigEndian(to[1..], value);
        }
    }

    /// <summary>Writes a str.</summary>
    internal void Write(string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        Took(MessagePackPrimitives.TryWriteStringHeader(Room(), (uint)length, out int written), written);
        Encoding.UTF8.GetBytes(text, Take(length));
    }

    /// <summary>Writes a bin.</summary>
    internal void Write(ReadOnlySpan<byte> bytes)
    {
        Took(MessagePackPrimitives.TryWriteBinHeader(Room(), (uint)bytes.Length, out int written), written);
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
            Take(1)[0] = (byte)(MessagePackCode.MinFixStr | text.Length);
        }
        else
        {
            WriteHead16(utf8 ? MessagePackCode.Str16 : MessagePackCode.Bin16, text.Length);
        }

        Append(text);
    }

    private void WriteUInt64(ulong value)
    {
        Span<byte> to = Take(9);
        to[0] = MessagePackCode.UInt64;
        BinaryPrimitives.WriteUInt64BigEndian(to[1..], value);
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

    /// <summary>Where a number or a head goes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Span<byte> Room()
    {
        Reserve(MaxHead);
        return _bytes.AsSpan(_length, MaxHead);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Took(bool isWritten, int count)
    {
        Debug.Assert(isWritten, "there is room for every head");
        _length += count;
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
