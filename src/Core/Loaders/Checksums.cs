using System.Buffers.Binary;

namespace KprobeTrace.Loaders;

/// <summary>The reflected CRC-32 (IEEE 802.3) and CRC-64 (ECMA-182) that gzip and xz guard their data with.</summary>
internal static class Checksums
{
    private const uint Polynomial32 = 0xEDB88320;
    private const ulong Polynomial64 = 0xC96C5795D7870F42;

    private static readonly ulong[] _table32 = Build(Polynomial32);
    private static readonly ulong[] _table64 = Build(Polynomial64);

    /// <summary>The CRC-32 of <paramref name="bytes"/>.</summary>
    public static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        ulong[] table = _table32;
        ulong crc = uint.MaxValue;
        while (bytes.Length >= 8)
        {
            crc = Fold(table, BinaryPrimitives.ReadUInt64LittleEndian(bytes) ^ crc);
            bytes = bytes[8..];
        }

        return ~(uint)Tail(table, crc, bytes);
    }

    /// <summary>The CRC-64 of <paramref name="bytes"/>.</summary>
    public static ulong Crc64(ReadOnlySpan<byte> bytes)
    {
        ulong[] table = _table64;
        ulong crc = ulong.MaxValue;
        while (bytes.Length >= 8)
        {
            crc = Fold(table, BinaryPrimitives.ReadUInt64LittleEndian(bytes) ^ crc);
            bytes = bytes[8..];
        }

        return ~Tail(table, crc, bytes);
    }

    // Eight tables, so that eight bytes are folded in one step: table k advances a byte past k further zero bytes.
    private static ulong[] Build(ulong polynomial)
    {
        ulong[] table = new ulong[8 * 256];
        for (uint value = 0; value < 256; value++)
        {
            ulong crc = value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ polynomial : crc >> 1;
            }

            table[value] = crc;
        }

        for (int i = 256; i < table.Length; i++)
        {
            ulong before = table[i - 256];
            table[i] = (before >> 8) ^ table[before & 0xFF];
        }

        return table;
    }

    private static ulong Fold(ulong[] table, ulong x) =>
        table[0x700 + (x & 0xFF)] ^ table[0x600 + ((x >> 8) & 0xFF)]
        ^ table[0x500 + ((x >> 16) & 0xFF)] ^ table[0x400 + ((x >> 24) & 0xFF)]
        ^ table[0x300 + ((x >> 32) & 0xFF)] ^ table[0x200 + ((x >> 40) & 0xFF)]
        ^ table[0x100 + ((x >> 48) & 0xFF)] ^ table[x >> 56];

    private static ulong Tail(ulong[] table, ulong crc, ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            crc = (crc >> 8) ^ table[(crc ^ value) & 0xFF];
        }

        return crc;
    }
}
