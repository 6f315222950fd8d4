namespace KprobeTrace.Cpu.Simd;

/// <summary>The CRC32 instruction: polynomial 11EDC6F41h, bits reflected (Intel SDM vol. 2, CRC32).</summary>
internal static class Crc32C
{
    private static readonly uint[] _byteRemainders = ByteRemainders();

    /// <summary>Adds bytes to a checksum, the lowest first.</summary>
    /// <param name="crc">The checksum so far.</param>
    /// <param name="value">The operand.</param>
    /// <param name="bytes">Its size: 1, 2, 4 or 8.</param>
    public static uint Accumulate(uint crc, ulong value, int bytes)
    {
        for (int i = 0; i < bytes; i++)
        {
            crc = _byteRemainders[(byte)(crc ^ value)] ^ (crc >> 8);
            value >>= 8;
        }
        return crc;
    }

    private static uint[] ByteRemainders()
    {
        uint[] table = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            uint rest = i;
            for (int bit = 0; bit < 8; bit++)
            {
                rest = (rest >> 1) ^ ((rest & 1) != 0 ? 0x82F6_3B78 : 0);
            }
            table[i] = rest;
        }
        return table;
    }
}
