using System.Buffers.Binary;
using System.Text;

namespace KprobeTrace.Guest;

/// <summary>Reads of numbers and strings on top of <see cref="IGuestMemory"/>.</summary>
internal static class GuestReads
{
    public static bool TryReadUInt64(this IGuestMemory memory, ulong address, out ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        bool read = memory.TryRead(address, bytes);
        value = read ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;
        return read;
    }

    public static bool TryReadUInt32(this IGuestMemory memory, ulong address, out uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        bool read = memory.TryRead(address, bytes);
        value = read ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;
        return read;
    }

    /// <summary>Reads a NUL-terminated string of at most <paramref name="limit"/> bytes; null when it cannot be read.</summary>
    public static string? ReadString(this IGuestMemory memory, ulong address, int limit)
    {
        Span<byte> bytes = stackalloc byte[256];
        StringBuilder text = new();
        while (limit > 0)
        {
            // Up to the next 256-byte boundary, so that no read crosses into a page that is not mapped.
            int length = Math.Min(limit, 256 - (int)(address & 255));
            if (!memory.TryRead(address, bytes[..length]))
            {
                return null;
            }

            int end = bytes[..length].IndexOf((byte)0);
            text.Append(Encoding.UTF8.GetString(bytes[..(end < 0 ? length : end)]));
            if (end >= 0)
            {
                break;
            }

            address += (ulong)length;
            limit -= length;
        }

        return text.ToString();
    }
}
