using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>Turns an event's arguments, one MessagePack array, into the JSON object that the history stores.</summary>
/// <remarks>
/// Integers of 64 bits are written as SQLite holds them, in two's complement. Bytes that are no UTF-8 appear as the
/// four characters <c>\xNN</c>. Nothing in the input is believed: what does not parse becomes null.
/// </remarks>
internal sealed class ArgumentJson
{
    private const int MaxDepth = 8;

    private byte[] _text = new byte[1024];
    private int _length;

    /// <summary>The keys of a probe's arguments as they stand in the JSON text: <c>{"a":</c>, <c>,"b":</c> …</summary>
    internal static byte[][] Keys(IReadOnlyList<TraceArgument> arguments)
    {
        byte[][] keys = new byte[arguments.Count][];
        for (int i = 0; i < keys.Length; i++)
        {
            keys[i] = Encoding.UTF8.GetBytes((i == 0 ? "{\"" : ",\"") + arguments[i].Name + "\":");
        }

        return keys;
    }

    /// <summary>The JSON text, valid until the next call; empty where there are no arguments.</summary>
    internal ReadOnlySpan<byte> Convert(ReadOnlySpan<byte> array, byte[][] keys)
    {
        _length = 0;
        if (array.IsEmpty)
        {
            return default;
        }

        int position = 0;
        int count = Math.Min(ReadArrayLength(array, ref position), keys.Length);
        if (count <= 0)
        {
            return default;
        }

        for (int i = 0; i < count; i++)
        {
            Append(keys[i]);
            if (!Value(array, ref position, 0))
            {
                position = array.Length;
            }
        }

        Append("}"u8);
        return _text.AsSpan(0, _length);
    }

    private static int ReadArrayLength(ReadOnlySpan<byte> bytes, ref int position)
    {
        byte code = bytes[position];
        if ((code & 0xF0) == 0x90)
        {
            position++;
            return code & 0x0F;
        }

        if (code == 0xDC && bytes.Length >= position + 3)
        {
            position += 3;
            return BinaryPrimitives.ReadUInt16BigEndian(bytes[(position - 2)..]);
        }

        if (code == 0xDD && bytes.Length >= position + 5)
        {
            position += 5;
            return (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(bytes[(position - 4)..]), int.MaxValue);
        }

        position = bytes.Length;
        return 0;
    }

    /// <summary>Writes one value; false (and null in the text) where the bytes do not parse.</summary>
    private bool Value(ReadOnlySpan<byte> bytes, ref int position, int depth)
    {
        if (position >= bytes.Length)
        {
            Append("null"u8);
            return false;
        }

        byte code = bytes[position];
        switch (code)
        {
            case < 0x80:
                position++;
                Integer(code);
                return true;
            case >= 0xE0:
                position++;
                Integer((sbyte)code);
                return true;
            case >= 0xA0 and < 0xC0:
                position++;
                return Text(bytes, ref position, (uint)(code & 0x1F));
            case 0xC2 or 0xC3:
                position++;
                Integer(code - 0xC2);
                return true;
            case 0xC4 or 0xD9:
                return Unsigned(bytes, ref position, 1, out ulong length8) && Text(bytes, ref position, length8);
            case 0xC5 or 0xDA:
                return Unsigned(bytes, ref position, 2, out ulong length16) && Text(bytes, ref position, length16);
            case 0xC6 or 0xDB:
                return Unsigned(bytes, ref position, 4, out ulong length32) && Text(bytes, ref position, length32);
            case 0xCA or 0xCB:
                return Number(bytes, ref position, code == 0xCA ? 4 : 8);
            case 0xCC or 0xCD or 0xCE or 0xCF:
                if (!Unsigned(bytes, ref position, 1 << (code - 0xCC), out ulong unsigned))
                {
                    return false;
                }

                Integer(unchecked((long)unsigned));
                return true;
            case 0xD0 or 0xD1 or 0xD2 or 0xD3:
                int size = 1 << (code - 0xD0);
                if (!Unsigned(bytes, ref position, size, out ulong raw))
                {
                    return false;
                }

                Integer(unchecked((long)(raw << (64 - (8 * size)))) >> (64 - (8 * size)));
                return true;
            case (>= 0x90 and < 0xA0) or 0xDC or 0xDD when depth < MaxDepth:
                return Array(bytes, ref position, depth);
            default:
                position = code == 0xC0 ? position + 1 : bytes.Length;
                Append("null"u8);
                return code == 0xC0;
        }
    }

    private bool Array(ReadOnlySpan<byte> bytes, ref int position, int depth)
    {
        int count = ReadArrayLength(bytes, ref position);
        Append("["u8);
        bool whole = true;
        for (int i = 0; i < count && whole; i++)
        {
            if (i > 0)
            {
                Append(","u8);
            }

            whole = Value(bytes, ref position, depth + 1);
        }

        Append("]"u8);
        return whole;
    }

    private bool Unsigned(ReadOnlySpan<byte> bytes, ref int position, int size, out ulong value)
    {
        value = 0;
        position++;
        if (bytes.Length - position < size)
        {
            Append("null"u8);
            return false;
        }

        for (int i = 0; i < size; i++)
        {
            value = (value << 8) | bytes[position++];
        }

        return true;
    }

    private bool Number(ReadOnlySpan<byte> bytes, ref int position, int size)
    {
        if (!Unsigned(bytes, ref position, size, out ulong raw))
        {
            return false;
        }

        double value = size == 4 ? BitConverter.UInt32BitsToSingle((uint)raw) : BitConverter.UInt64BitsToDouble(raw);
        Append(double.IsFinite(value)
            ? Encoding.ASCII.GetBytes(value.ToString("R", CultureInfo.InvariantCulture))
            : "null"u8);
        return true;
    }

    private void Integer(long value)
    {
        Reserve(20);
        _ = Utf8Formatter.TryFormat(value, _text.AsSpan(_length), out int written);
        _length += written;
    }

    private bool Text(ReadOnlySpan<byte> bytes, ref int position, ulong length)
    {
        if ((ulong)(bytes.Length - position) < length)
        {
            Append("null"u8);
            return false;
        }

        ReadOnlySpan<byte> text = bytes.Slice(position, (int)length);
        position += (int)length;
        Append("\""u8);
        bool valid = Utf8.IsValid(text);
        Reserve((text.Length * 6) + 1);
        while (!text.IsEmpty)
        {
            byte first = text[0];
            if (first < 0x80)
            {
                Character(first);
                text = text[1..];
            }
            else if (valid)
            {
                _text[_length++] = first;
                text = text[1..];
            }
            else if (Rune.DecodeFromUtf8(text, out _, out int used) == System.Buffers.OperationStatus.Done)
            {
                text[..used].CopyTo(_text.AsSpan(_length));
                _length += used;
                text = text[used..];
            }
            else
            {
                "\\\\x"u8.CopyTo(_text.AsSpan(_length));
                HexByte(_length + 3, first);
                _length += 5;
                text = text[1..];
            }
        }

        Append("\""u8);
        return true;
    }

    private void Character(byte value)
    {
        if (value is (byte)'"' or (byte)'\\')
        {
            _text[_length++] = (byte)'\\';
            _text[_length++] = value;
        }
        else if (value >= 0x20 && value != 0x7F)
        {
            _text[_length++] = value;
        }
        else
        {
            "\\u00"u8.CopyTo(_text.AsSpan(_length));
            HexByte(_length + 4, value);
            _length += 6;
        }
    }

    private void HexByte(int at, byte value)
    {
        ReadOnlySpan<byte> digits = "0123456789abcdef"u8;
        _text[at] = digits[value >> 4];
        _text[at + 1] = digits[value & 0xF];
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        Reserve(bytes.Length);
        bytes.CopyTo(_text.AsSpan(_length));
        _length += bytes.Length;
    }

    private void Reserve(int room)
    {
        if (_text.Length - _length < room)
        {
            System.Array.Resize(ref _text, Math.Max(_text.Length * 2, _length + room));
        }
    }
}
