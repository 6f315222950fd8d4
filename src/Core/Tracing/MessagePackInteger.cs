using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using MessagePack;

namespace KprobeTrace.Tracing;

/// <summary>Integers of an event chunk's columns: MessagePack in its shortest form.</summary>
/// <remarks>Sizes vary from value to value, so tables take the place of branches that no processor could predict.</remarks>
internal static unsafe class MessagePackInteger
{
    /// <summary>Most bytes an integer takes.</summary>
    internal const int MaxBytes = 9;

    /// <summary>By number of significant bits, with 64 added for negative values: type byte and bytes behind it.</summary>
    private static readonly (byte Type, byte Width)[] _forms = MakeForms();

    /// <summary>Bytes behind each type byte of an integer; 255 for all others.</summary>
    private static readonly byte[] _widths = MakeWidths();

    /// <summary>Writes a signed integer at <paramref name="target"/> and returns the byte behind it.</summary>
    /// <remarks>Up to <see cref="MaxBytes"/> bytes are written, even where the integer takes fewer.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static byte* Write(byte* target, long value)
    {
        // SAFETY: the caller guarantees MaxBytes writable bytes at target; bits are 0 to 63, so the index below 128.
        int sign = (int)(value >> 63);
        int bits = 64 - BitOperations.LeadingZeroCount((ulong)(value ^ sign));
        (byte type, byte width) = Unsafe.Add(
            ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(_forms), bits + (sign & 64));
        *target = width == 0 ? (byte)value : type;
        Unsafe.WriteUnaligned(
            target + 1, BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(Top(value, width)) : Top(value, width));
        return target + 1 + width;
    }

    /// <summary>Reads any integer; false when there is none between <paramref name="source"/> and the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryRead(ref byte* source, byte* end, out long value)
    {
        // SAFETY: no byte at or behind end is read: eight bytes only where they are there, else one by one.
        byte* at = source;
        if (end - at < MaxBytes)
        {
            return TryReadAtEnd(ref source, end, out value);
        }

        byte type = *at;
        int width = _widths[type];
        if (width > 8)
        {
            value = 0;
            return false;
        }

        ulong digits = Unsafe.ReadUnaligned<ulong>(at + 1);
        digits = BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(digits) : digits;
        value = Decode(type, width, digits);
        source = at + 1 + width;
        return true;
    }

    /// <summary>Bytes an integer with this type byte takes, or 0 when it is no integer's.</summary>
    internal static int Length(byte type) => _widths[type] == byte.MaxValue ? 0 : _widths[type] + 1;

    /// <summary>The lowest bytes of a value moved to the top, where a big-endian store puts them first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Top(long value, int width) => (ulong)value << (64 - (8 * width));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long Decode(byte type, int width, ulong digits)
    {
        if (width == 0)
        {
            return (sbyte)type;
        }

        // 0xCC to 0xCF are unsigned, 0xD0 to 0xD3 signed.
        int shift = 64 - (8 * width);
        return type >= MessagePackCode.Int8 ? (long)digits >> shift : (long)(digits >> shift);
    }

    private static bool TryReadAtEnd(ref byte* source, byte* end, out long value)
    {
        value = 0;
        if (source >= end)
        {
            return false;
        }

        byte type = *source;
        int width = _widths[type];
        if (width > 8 || end - source <= width)
        {
            return false;
        }

        // SAFETY: width bytes behind the type byte lie before end.
        ulong digits = 0;
        for (int i = 0; i < width; i++)
        {
            digits |= (ulong)source[i + 1] << (56 - (8 * i));
        }

        value = Decode(type, width, digits);
        source += width + 1;
        return true;
    }

    private static (byte Type, byte Width)[] MakeForms()
    {
        (byte, byte)[] forms = new (byte, byte)[128];
        for (int bits = 0; bits < 64; bits++)
        {
            forms[bits] = bits switch
            {
                <= 7 => (0, 0),
                8 => (MessagePackCode.UInt8, 1),
                <= 16 => (MessagePackCode.UInt16, 2),
                <= 32 => (MessagePackCode.UInt32, 4),
                _ => (MessagePackCode.UInt64, 8),
            };
            forms[bits + 64] = bits switch
            {
                <= 5 => (0, 0),
                <= 7 => (MessagePackCode.Int8, 1),
                <= 15 => (MessagePackCode.Int16, 2),
                <= 31 => (MessagePackCode.Int32, 4),
                _ => (MessagePackCode.Int64, 8),
            };
        }

        return forms;
    }

    private static byte[] MakeWidths()
    {
        byte[] widths = new byte[256];
        for (int type = 0; type < 256; type++)
        {
            widths[type] = type switch
            {
                <= MessagePackCode.MaxFixInt or >= MessagePackCode.MinNegativeFixInt => 0,
                >= MessagePackCode.UInt8 and <= MessagePackCode.Int64 => (byte)(1 << (type & 3)),
                _ => byte.MaxValue,
            };
        }

        return widths;
    }
}
