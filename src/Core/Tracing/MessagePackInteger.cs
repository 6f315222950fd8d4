using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace KprobeTrace.Tracing;

/// <summary>Integers of an event chunk's columns: MessagePack in its shortest form.</summary>
internal static unsafe class MessagePackInteger
{
    /// <summary>Most bytes an integer takes.</summary>
    internal const int MaxBytes = 9;

    /// <summary>Writes a signed integer at <paramref name="target"/> and returns the byte behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static byte* Write(byte* target, long value)
    {
        // SAFETY: the caller guarantees MaxBytes writable bytes at target.
        if ((ulong)(value + 32) < 160)
        {
            *target = (byte)value;
            return target + 1;
        }

        return WriteLong(target, value);
    }

    /// <summary>Reads any integer; false when there is none between <paramref name="source"/> and the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryRead(ref byte* source, byte* end, out long value)
    {
        // SAFETY: no byte at or behind end is read.
        if (source < end)
        {
            sbyte first = (sbyte)*source;
            if (first >= -32)
            {
                source++;
                value = first;
                return true;
            }
        }

        return TryReadLong(ref source, end, out value);
    }

    private static byte* WriteLong(byte* target, long value)
    {
        // SAFETY: as in Write; no form is longer than MaxBytes.
        if (value >= 0)
        {
            if (value <= byte.MaxValue)
            {
                target[0] = 0xCC;
                target[1] = (byte)value;
                return target + 2;
            }

            if (value <= ushort.MaxValue)
            {
                target[0] = 0xCD;
                Unsafe.WriteUnaligned(target + 1, BinaryPrimitives.ReverseEndianness((ushort)value));
                return target + 3;
            }

            if (value <= uint.MaxValue)
            {
                target[0] = 0xCE;
                Unsafe.WriteUnaligned(target + 1, BinaryPrimitives.ReverseEndianness((uint)value));
                return target + 5;
            }

            target[0] = 0xCF;
        }
        else
        {
            if (value >= sbyte.MinValue)
            {
                target[0] = 0xD0;
                target[1] = (byte)value;
                return target + 2;
            }

            if (value >= short.MinValue)
            {
                target[0] = 0xD1;
                Unsafe.WriteUnaligned(target + 1, BinaryPrimitives.ReverseEndianness((short)value));
                return target + 3;
            }

            if (value >= int.MinValue)
            {
                target[0] = 0xD2;
                Unsafe.WriteUnaligned(target + 1, BinaryPrimitives.ReverseEndianness((int)value));
                return target + 5;
            }

            target[0] = 0xD3;
        }

        Unsafe.WriteUnaligned(target + 1, BinaryPrimitives.ReverseEndianness(value));
        return target + 9;
    }

    private static bool TryReadLong(ref byte* source, byte* end, out long value)
    {
        value = 0;
        if (source >= end)
        {
            return false;
        }

        byte type = *source;
        int width = type switch
        {
            0xCC or 0xD0 => 1,
            0xCD or 0xD1 => 2,
            0xCE or 0xD2 => 4,
            0xCF or 0xD3 => 8,
            _ => 0,
        };
        if (width == 0 || end - source <= width)
        {
            return false;
        }

        // SAFETY: width bytes behind the type byte lie before end.
        byte* digits = source + 1;
        value = type switch
        {
            0xCC => *digits,
            0xCD => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<ushort>(digits)),
            0xCE => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<uint>(digits)),
            0xD0 => (sbyte)*digits,
            0xD1 => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<short>(digits)),
            0xD2 => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<int>(digits)),
            _ => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<long>(digits)),
        };
        source += width + 1;
        return true;
    }
}
