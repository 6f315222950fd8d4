namespace KprobeTrace.Store.BTree;

/// <summary>SQLite's variable-length integers: big-endian groups of seven bits, the ninth byte whole.</summary>
internal static class Varint
{
    /// <summary>Bytes of the longest one.</summary>
    internal const int MaxLength = 9;

    /// <summary>Writes <paramref name="value"/> and returns how many bytes it took.</summary>
    internal static int Write(Span<byte> destination, ulong value)
    {
        if (value < 0x80)
        {
            destination[0] = (byte)value;
            return 1;
        }

        if (value < 0x4000)
        {
            destination[1] = (byte)(value & 0x7F);
            destination[0] = (byte)((value >> 7) | 0x80);
            return 2;
        }

        if (value >> 56 != 0)
        {
            destination[8] = (byte)value;
            value >>= 8;
            for (int i = 7; i >= 0; i--)
            {
                destination[i] = (byte)((value & 0x7F) | 0x80);
                value >>= 7;
            }

            return MaxLength;
        }

        int length = 3;
        while (value >> (7 * length) != 0)
        {
            length++;
        }

        for (int i = length - 1; i >= 0; i--)
        {
            destination[i] = (byte)((value & 0x7F) | 0x80);
            value >>= 7;
        }

        destination[length - 1] &= 0x7F;
        return length;
    }
}
