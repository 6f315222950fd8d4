using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text;

namespace KprobeTrace.Queries;

/// <summary>Writes UTF-8 text to a stream through a buffer, without intermediate strings.</summary>
public sealed class Utf8Output : IDisposable
{
    private const int Size = 1 << 16;

    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private readonly byte[] _buffer = new byte[Size];
    private int _used;

    /// <summary>Writes to <paramref name="stream"/>, which is closed too unless <paramref name="leaveOpen"/> is set.</summary>
    public Utf8Output(Stream stream, bool leaveOpen = false)
    {
        _stream = stream;
        _leaveOpen = leaveOpen;
    }

    /// <summary>Bytes written so far.</summary>
    public long Length { get; private set; }

    /// <summary>Writes one byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteByte(byte value)
    {
        if (_used == Size)
        {
            Flush();
        }

        _buffer[_used++] = value;
    }

    /// <summary>Writes UTF-8 bytes.</summary>
    public void Write(scoped ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > Size - _used)
        {
            Flush();
            if (utf8.Length >= Size)
            {
                _stream.Write(utf8);
                Length += utf8.Length;
                return;
            }
        }

        utf8.CopyTo(_buffer.AsSpan(_used));
        _used += utf8.Length;
    }

    /// <summary>Writes text.</summary>
    public void Write(string text) => Write(text.AsSpan());

    /// <summary>Writes text.</summary>
    public void Write(ReadOnlySpan<char> text)
    {
        while (text.Length > 0)
        {
            int part = Math.Min(text.Length, 4096);
            if (part < text.Length && char.IsHighSurrogate(text[part - 1]))
            {
                part--;
            }

            Room(part * 3);
            _used += Encoding.UTF8.GetBytes(text[..part], _buffer.AsSpan(_used));
            text = text[part..];
        }
    }

    /// <summary>Writes an integer in decimal.</summary>
    public void WriteInteger(long value)
    {
        Room(20);
        _ = Utf8Formatter.TryFormat(value, _buffer.AsSpan(_used), out int written);
        _used += written;
    }

    /// <summary>Writes an unsigned integer in decimal, with zeros in front up to <paramref name="digits"/> digits.</summary>
    public void WriteUnsigned(ulong value, int digits = 1)
    {
        Room(20 + digits);
        _ = Utf8Formatter.TryFormat(
            value, _buffer.AsSpan(_used), out int written, new System.Buffers.StandardFormat('D', (byte)digits));
        _used += written;
    }

    /// <summary>Writes <c>0x</c> and the number in lower-case hexadecimal.</summary>
    public void WriteHex(ulong value)
    {
        Room(18);
        _buffer[_used++] = (byte)'0';
        _buffer[_used++] = (byte)'x';
        int digits = Math.Max(1, (67 - System.Numerics.BitOperations.LeadingZeroCount(value)) >> 2);
        ReadOnlySpan<byte> hex = "0123456789abcdef"u8;
        for (int i = digits - 1; i >= 0; i--)
        {
            _buffer[_used + i] = hex[(int)(value & 0xF)];
            value >>= 4;
        }

        _used += digits;
    }

    /// <summary>Writes a number as JSON does, the shortest text that reads back the same.</summary>
    public void WriteDouble(double value)
    {
        Room(40);
        _ = Utf8Formatter.TryFormat(value, _buffer.AsSpan(_used), out int written);
        _used += written;
    }

    /// <summary>Writes blanks.</summary>
    public void WriteBlanks(int count)
    {
        for (; count > 0; count--)
        {
            WriteByte((byte)' ');
        }
    }

    /// <summary>Hands everything to the stream.</summary>
    public void Flush()
    {
        _stream.Write(_buffer, 0, _used);
        Length += _used;
        _used = 0;
        _stream.Flush();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Flush();
        if (!_leaveOpen)
        {
            _stream.Dispose();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Room(int bytes)
    {
        if (Size - _used < bytes)
        {
            Flush();
        }
    }
}
