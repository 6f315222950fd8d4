using System.Text;

namespace KprobeTrace.Tests.Tracing;

/// <summary>MessagePack taken apart value by value as its specification says it, without anything of ours.</summary>
/// <remarks>Integers become <see cref="Int128"/>, arrays arrays of objects, maps dictionaries; str is text, bin bytes.</remarks>
internal static class PlainMessagePack
{
    /// <summary>Reads bytes that are one value and nothing else.</summary>
    public static object? Read(ReadOnlySpan<byte> bytes)
    {
        int at = 0;
        object? value = Read(bytes, ref at);
        return at == bytes.Length ? value : throw new FormatException($"{bytes.Length - at} bytes follow the value");
    }

    /// <summary>Reads the value at an offset and steps over it.</summary>
    public static object? Read(ReadOnlySpan<byte> bytes, ref int at)
    {
        byte type = bytes[at++];
        switch (type)
        {
            case < 0x80:
                return (Int128)type;
            case >= 0xE0:
                return (Int128)type - 256;
            case < 0x90:
                return Map(bytes, ref at, type & 0x0F);
            case < 0xA0:
                return Array(bytes, ref at, type & 0x0F);
            case < 0xC0:
                return Text(bytes, ref at, type & 0x1F);
            case 0xC0:
                return null;
            case 0xC2 or 0xC3:
                return type == 0xC3;
            case 0xC4 or 0xC5 or 0xC6:
                return Bytes(bytes, ref at, (int)Number(bytes, ref at, 1 << (type - 0xC4))).ToArray();
            case 0xCC or 0xCD or 0xCE or 0xCF:
                return Number(bytes, ref at, 1 << (type - 0xCC));
            case 0xD0 or 0xD1 or 0xD2 or 0xD3:
                int width = 1 << (type - 0xD0);
                Int128 value = Number(bytes, ref at, width);
                return value >= Int128.One << ((8 * width) - 1) ? value - (Int128.One << (8 * width)) : value;
            case 0xD9 or 0xDA or 0xDB:
                return Text(bytes, ref at, (int)Number(bytes, ref at, 1 << (type - 0xD9)));
            case 0xDC or 0xDD:
                return Array(bytes, ref at, (int)Number(bytes, ref at, type == 0xDC ? 2 : 4));
            case 0xDE or 0xDF:
                return Map(bytes, ref at, (int)Number(bytes, ref at, type == 0xDE ? 2 : 4));
            default:
                throw new FormatException($"type byte {type:x2} at offset {at - 1}");
        }
    }

    private static Int128 Number(ReadOnlySpan<byte> bytes, ref int at, int width)
    {
        Int128 value = 0;
        for (int i = 0; i < width; i++)
        {
            value = (value * 256) + bytes[at++];
        }

        return value;
    }

    private static ReadOnlySpan<byte> Bytes(ReadOnlySpan<byte> bytes, ref int at, int length)
    {
        at += length;
        return bytes.Slice(at - length, length);
    }

    private static string Text(ReadOnlySpan<byte> bytes, ref int at, int length) =>
        new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Bytes(bytes, ref at, length));

    private static object?[] Array(ReadOnlySpan<byte> bytes, ref int at, int count)
    {
        object?[] values = new object?[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = Read(bytes, ref at);
        }

        return values;
    }

    private static Dictionary<object, object?> Map(ReadOnlySpan<byte> bytes, ref int at, int count)
    {
        Dictionary<object, object?> map = [];
        for (int i = 0; i < count; i++)
        {
            object key = Read(bytes, ref at) ?? throw new FormatException("a key is nil");
            map.Add(key, Read(bytes, ref at));
        }

        return map;
    }
}
