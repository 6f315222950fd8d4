using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>Turns an event's arguments, one MessagePack array, into the JSON object that the history stores.</summary>
/// <remarks>
/// Integers of 64 bits are written as SQLite holds them, in two's complement. Bytes that are no UTF-8 appear as the
/// four characters <c>\xNN</c>. What an argument never is (a map, arrays deeper than a definition makes them) becomes null.
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
    /// <param name="array">What <see cref="TraceReader.GetArguments"/> gave: one whole array, or nothing.</param>
    /// <param name="keys">The probe's <see cref="Keys"/>; values beyond them are left out.</param>
    internal ReadOnlySpan<byte> Convert(ReadOnlySpan<byte> array, byte[][] keys)
    {
        _length = 0;
        if (array.IsEmpty)
        {
            return default;
        }

        MessagePackCursor cursor = new(array);
        int count = Math.Min(cursor.ReadArrayHeader(), keys.Length);
        if (count == 0)
        {
            return default;
        }

        for (int i = 0; i < count; i++)
        {
            Append(keys[i]);
            Value(ref cursor, 0);
        }

        Append("}"u8);
        return _text.AsSpan(0, _length);
    }

    private void Value(ref MessagePackCursor cursor, int depth)
    {
        switch (cursor.Kind)
        {
            case MessagePackKind.Integer:
                Integer(cursor.ReadInteger());
                break;
            case MessagePackKind.Bytes:
                Text(cursor.ReadBytes());
                break;
            case MessagePackKind.Boolean:
                Integer(cursor.ReadBoolean() ? 1 : 0);
                break;
            case MessagePackKind.Real:
                Number(cursor.ReadReal());
                break;
            case MessagePackKind.Array when depth < MaxDepth:
                Array(ref cursor, depth);
                break;
            default:
                cursor.Skip();
                Append("null"u8);
                break;
        }
    }

    private void Array(ref MessagePackCursor cursor, int depth)
    {
        int count = cursor.ReadArrayHeader();
        Append("["u8);
        for (int i = 0; i < count; i++)
        {
            if (i > 0)
            {
                Append(","u8);
            }

            Value(ref cursor, depth + 1);
        }

        Append("]"u8);
    }

    private void Number(double value) => Append(double.IsFinite(value)
        ? Encoding.ASCII.GetBytes(value.ToString("R", CultureInfo.InvariantCulture))
        : "null"u8);

    private void Integer(long value)
    {
        Reserve(20);
        _ = Utf8Formatter.TryFormat(value, _text.AsSpan(_length), out int written);
        _length += written;
    }

    private void Text(ReadOnlySpan<byte> text)
    {
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
