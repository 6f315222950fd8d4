using System.Buffers;
using System.Buffers.Binary;

namespace KprobeTrace.Tracing;

/// <summary>A growing buffer of bytes that keeps its memory when cleared.</summary>
internal sealed class ByteSink : IBufferWriter<byte>
{
    private byte[] _bytes;
    private int _length;

    internal ByteSink(int capacity = 4096) => _bytes = new byte[capacity];

    internal int Length => _length;

    internal ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

    /// <inheritdoc/>
    public void Advance(int count) => _length += count;

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _bytes.AsMemory(_length);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _bytes.AsSpan(_length);
    }

    internal void Clear() => _length = 0;

    internal void Append(ReadOnlySpan<byte> bytes)
    {
        Reserve(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
    }

    /// <summary>Appends a type byte with a 32-bit length behind it: the head of an array, a map or a bin.</summary>
    internal void AppendHead32(byte type, int count)
    {
        Span<byte> head = GetSpan(5);
        head[0] = type;
        BinaryPrimitives.WriteInt32BigEndian(head[1..], count);
        _length += 5;
    }

    /// <summary>Appends a short str.</summary>
    internal void AppendKey(string key)
    {
        Span<byte> target = GetSpan(key.Length + 1);
        target[0] = (byte)(0xA0 | key.Length);
        for (int i = 0; i < key.Length; i++)
        {
            target[i + 1] = (byte)key[i];
        }

        _length += key.Length + 1;
    }

    /// <summary>Appends an integer.</summary>
    internal unsafe void AppendInteger(long value)
    {
        Span<byte> target = GetSpan(MessagePackInteger.MaxBytes);

        // SAFETY: target has MaxBytes bytes and stays pinned while it is written.
        fixed (byte* start = target)
        {
            _length += (int)(MessagePackInteger.Write(start, value) - start);
        }
    }

    /// <summary>Appends an unsigned integer.</summary>
    internal void AppendUnsigned(ulong value)
    {
        if (value <= long.MaxValue)
        {
            AppendInteger((long)value);
            return;
        }

        Span<byte> target = GetSpan(9);
        target[0] = 0xCF;
        BinaryPrimitives.WriteUInt64BigEndian(target[1..], value);
        _length += 9;
    }

    private void Reserve(int count)
    {
        if (_bytes.Length - _length < count)
        {
            Array.Resize(ref _bytes, (int)Math.Max(Math.Min(2L * _bytes.Length, Array.MaxLength), _length + (long)count));
        }
    }
}
