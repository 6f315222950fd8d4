using System.Buffers.Binary;
using System.Text.Unicode;
using KprobeTrace.Probes;

namespace KprobeTrace.Recording;

/// <summary>Encodes the fetched arguments of a hit as the MessagePack array that an event carries.</summary>
/// <remarks>
/// Numbers are integers, strings str (bin where the guest's bytes are no UTF-8), arrays arrays, and nil stands for what
/// could not be read. The buffer is kept from hit to hit.
/// </remarks>
internal sealed class ArgumentEncoder
{
    private const int NumberBytes = 9;
    private byte[] _buffer = new byte[512];
    private int _length;

    /// <summary>Encodes all arguments; the result is good until the next call.</summary>
    public ReadOnlySpan<byte> Encode(FetchBuffer values)
    {
        _length = 0;
        IReadOnlyList<ProbeArgument> arguments = values.Arguments;
        if (arguments.Count == 0)
        {
            return default;
        }

        PutArray(arguments.Count);
        for (int i = 0; i < arguments.Count; i++)
        {
            Put(values, i, arguments[i]);
        }

        return _buffer.AsSpan(0, _length);
    }

    private void Put(FetchBuffer values, int index, ProbeArgument argument)
    {
        int elements = argument.Count;
        if (elements > 0)
        {
            PutArray(elements);
        }

        for (int element = 0; element < Math.Max(1, elements); element++)
        {
            if (values.IsFaulted(index, element))
            {
                PutNil();
            }
            else if (argument.Type.IsString)
            {
                PutText(values.Text(index, element));
            }
            else
            {
                PutNumber(values.Items(index)[element], argument.Type.IsSigned);
            }
        }
    }

    private void PutNil() => Reserve(1)[0] = 0xC0;

    private void PutArray(int count)
    {
        if (count < 16)
        {
            Reserve(1)[0] = (byte)(0x90 | count);
            return;
        }

        Span<byte> to = Reserve(3);
        to[0] = 0xDC;
        BinaryPrimitives.WriteUInt16BigEndian(to[1..], (ushort)count);
    }

    private void PutNumber(ulong value, bool isSigned)
    {
        if (isSigned && (long)value < 0)
        {
            PutNegative((long)value);
        }
        else if (value < 0x80)
        {
            Reserve(1)[0] = (byte)value;
        }
        else if (value <= uint.MaxValue)
        {
            Span<byte> to = Reserve(5);
            to[0] = 0xCE;
            BinaryPrimitives.WriteUInt32BigEndian(to[1..], (uint)value);
        }
        else
        {
            Span<byte> to = Reserve(NumberBytes);
            to[0] = 0xCF;
            BinaryPrimitives.WriteUInt64BigEndian(to[1..], value);
        }
    }

    private void PutNegative(long value)
    {
        if (value >= -32)
        {
            Reserve(1)[0] = (byte)value;
            return;
        }

        Span<byte> to = Reserve(NumberBytes);
        to[0] = 0xD3;
        BinaryPrimitives.WriteInt64BigEndian(to[1..], value);
    }

    private void PutText(ReadOnlySpan<byte> text)
    {
        bool utf8 = Utf8.IsValid(text);
        if (utf8 && text.Length < 32)
        {
            Reserve(1)[0] = (byte)(0xA0 | text.Length);
        }
        else
        {
            Span<byte> to = Reserve(3);
            to[0] = utf8 ? (byte)0xDA : (byte)0xC5;
            BinaryPrimitives.WriteUInt16BigEndian(to[1..], (ushort)text.Length);
        }

        text.CopyTo(Reserve(text.Length));
    }

    private Span<byte> Reserve(int length)
    {
        if (_buffer.Length - _length < length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + length));
        }

        Span<byte> room = _buffer.AsSpan(_length, length);
        _length += length;
        return room;
    }
}
