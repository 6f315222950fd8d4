using System.Buffers.Binary;

namespace KprobeTrace.Symbols;

/// <summary>The addresses of a kallsyms table, in every form that kernels for x86-64 have used.</summary>
/// <remarks>
/// <list type="bullet">
/// <item>8-byte addresses: before 4.6, and later without CONFIG_KALLSYMS_BASE_RELATIVE;</item>
/// <item>4-byte offsets from a base that stands behind them: 4.6 to 6.19; with absolute per-CPU symbols (4.6 to 6.14, for more
/// than one processor) a non-negative offset is the value itself and a negative one counts down from the base;</item>
/// <item>4-byte offsets from the place where each of them stands, without a base: from 7.0.</item>
/// </list>
/// All are sorted, and text comes before the read-only data that holds the table: so each form is told from the others.
/// </remarks>
internal static class KallsymsAddresses
{
    /// <summary>Finds the addresses of a table, before its count of symbols or behind its token index.</summary>
    /// <param name="bytes">The bytes that hold the table.</param>
    /// <param name="link">Link address of the first byte.</param>
    /// <param name="countAt">Where the count of symbols stands.</param>
    /// <param name="tokensEnd">End of the token index.</param>
    /// <param name="addresses">The addresses, as many as symbols.</param>
    public static bool TryFind(ReadOnlySpan<byte> bytes, ulong link, int countAt, int tokensEnd, Span<ulong> addresses)
    {
        long offsetsSize = (((long)addresses.Length * 4) + 7) & -8;
        long after = (tokensEnd + 7) & -8;
        int baseBefore = (countAt - 8) & -8;
        return TryFromBase(bytes, baseBefore - offsetsSize, baseBefore, addresses)
            || TryFromBase(bytes, after, after + offsetsSize, addresses)
            || TryFromBase(bytes, tokensEnd, tokensEnd + ((long)addresses.Length * 4), addresses)
            || TryAbsolute(bytes, (countAt & -8) - ((long)addresses.Length * 8), addresses)
            || TryAbsolute(bytes, after, addresses)
            || TryFromPlace(bytes, link, (tokensEnd + 3) & -4, addresses)
            || TryFromPlace(bytes, link, after, addresses);
    }

    private static bool TryFromBase(ReadOnlySpan<byte> bytes, long offsets, long baseAt, Span<ulong> addresses)
    {
        if (offsets < 0 || baseAt + 8 > bytes.Length)
        {
            return false;
        }

        ulong origin = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(int)baseAt..]);
        if ((long)origin >= 0 || (origin & 0xFFF) != 0)
        {
            return false;
        }

        ReadOnlySpan<byte> table = bytes.Slice((int)offsets, addresses.Length * 4);
        bool anyNegative = false;
        for (int i = 0; i < addresses.Length; i++)
        {
            anyNegative |= BinaryPrimitives.ReadInt32LittleEndian(table[(i * 4)..]) < 0;
        }

        for (int i = 0; i < addresses.Length; i++)
        {
            int offset = BinaryPrimitives.ReadInt32LittleEndian(table[(i * 4)..]);
            addresses[i] = !anyNegative ? origin + (uint)offset
                : offset >= 0 ? (ulong)offset
                : origin - 1 - (ulong)(long)offset;
        }

        return AreSorted(addresses);
    }

    private static bool TryAbsolute(ReadOnlySpan<byte> bytes, long table, Span<ulong> addresses)
    {
        if (table < 0 || table + ((long)addresses.Length * 8) > bytes.Length)
        {
            return false;
        }

        for (int i = 0; i < addresses.Length; i++)
        {
            addresses[i] = BinaryPrimitives.ReadUInt64LittleEndian(bytes[((int)table + (i * 8))..]);
        }

        return AreSorted(addresses);
    }

    private static bool TryFromPlace(ReadOnlySpan<byte> bytes, ulong link, long table, Span<ulong> addresses)
    {
        if (table + ((long)addresses.Length * 4) > bytes.Length)
        {
            return false;
        }

        ulong first = link + (ulong)table;
        for (int i = 0; i < addresses.Length; i++)
        {
            ulong place = first + ((ulong)i * 4);
            addresses[i] = place + (ulong)(long)BinaryPrimitives.ReadInt32LittleEndian(bytes[((int)table + (i * 4))..]);
        }

        return AreSorted(addresses) && addresses[0] < first;
    }

    // The last symbols are the kernel's, so they lie in the upper half.
    private static bool AreSorted(ReadOnlySpan<ulong> addresses)
    {
        for (int i = 1; i < addresses.Length; i++)
        {
            if (addresses[i] < addresses[i - 1])
            {
                return false;
            }
        }

        return (long)addresses[^1] < 0 && addresses[^1] > addresses[0];
    }
}
