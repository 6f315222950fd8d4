using System.Buffers.Binary;
using System.Text;

namespace KprobeTrace.Symbols;

/// <summary>Recovers a Linux kernel's own symbol table (kallsyms) from the kernel's bytes.</summary>
/// <remarks>
/// Nothing but the bytes is needed: no section headers, no symbols. The tables stand in read-only data in this order
/// (scripts/kallsyms.c):
/// <code>
/// to 6.4      addresses | offsets, relative base; count; names; markers; [sequence numbers]; token table; token index
/// from 6.5    count; names; markers; token table; token index; offsets; relative base; [sequence numbers]
/// </code>
/// The search starts at the token table, whose entries for the digits are the digits themselves, and is settled by the
/// token index behind it. The markers (name offsets of every 256th symbol, 8 bytes each before 4.20 and 4 bytes since)
/// are found by walking backwards, the names by agreement with count and markers. Addresses are 8-byte words, or
/// 4-byte offsets from a base; with absolute per-CPU symbols a non-negative offset is the value itself and a negative
/// one counts down from the base.
/// </remarks>
public static class KallsymsReader
{
    private const int TokenCount = 256;
    private const int NamesPerMarker = 256;
    private const int MaxNameLength = 1024;
    private const int MaxMarkerStep = NamesPerMarker * 512;

    // Steps of the search; real kernels take about a million, and made-up bytes must not keep it busy.
    private const long SearchBudget = 400_000_000;

    /// <summary>Reads the table; an empty list when the bytes hold none.</summary>
    /// <param name="bytes">A stretch of kernel memory or file that holds the kernel's read-only data.</param>
    public static IReadOnlyList<Symbol> Read(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> digits = "0\01\02\03\04\05\06\07\08\09\0"u8;
        long budget = SearchBudget;
        int from = 0;
        while (bytes[from..].IndexOf(digits) is int found and >= 0)
        {
            int zero = from + found;
            if (TryFindTokens(bytes, zero, out int tokens, out int tokensEnd, out int[] index)
                && TryFindNames(bytes, tokens, ref budget, out int countAt, out int names, out int count)
                && TryFindAddresses(bytes, countAt, tokensEnd, count, out ulong[] addresses))
            {
                return Expand(bytes, names, count, tokens, index, addresses);
            }

            from = zero + 1;
        }

        return [];
    }

    // The index behind the table repeats where each token starts, so it settles both the start and the right match.
    private static bool TryFindTokens(
        ReadOnlySpan<byte> bytes, int zero, out int table, out int indexEnd, out int[] index)
    {
        table = 0;
        indexEnd = 0;
        index = new int[TokenCount];
        int[] starts = new int[TokenCount];
        int at = zero;
        for (int token = '0'; token < TokenCount; token++)
        {
            starts[token] = at;
            int length = bytes[at..].IndexOf((byte)0);
            if (length is < 0 or > MaxNameLength)
            {
                return false;
            }

            at += length + 1;
        }

        for (int align = 4; align <= 8; align += 4)
        {
            int indexAt = (at + align - 1) & -align;
            if (indexAt + (TokenCount * 2) > bytes.Length)
            {
                return false;
            }

            for (int token = 0; token < TokenCount; token++)
            {
                index[token] = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(indexAt + (token * 2))..]);
            }

            table = zero - index['0'];
            if (table >= 0 && Agrees(bytes, table, index, starts))
            {
                indexEnd = indexAt + (TokenCount * 2);
                return true;
            }
        }

        return false;
    }

    private static bool Agrees(ReadOnlySpan<byte> bytes, int table, int[] index, int[] starts)
    {
        if (index[0] != 0)
        {
            return false;
        }

        for (int token = 1; token < TokenCount; token++)
        {
            bool right = token < '0'
                ? index[token] > index[token - 1] && index[token] < index['0'] && bytes[table + index[token] - 1] == 0
                : table + index[token] == starts[token];
            if (!right)
            {
                return false;
            }
        }

        return true;
    }

    // Markers stand before the token table, with at most the sequence numbers (3 bytes a symbol) and padding between.
    private static bool TryFindNames(
        ReadOnlySpan<byte> bytes, int tokens, ref long budget, out int countAt, out int names,
        out int count)
    {
        for (int markers = (tokens - 4) & -4; markers >= 8 && budget > 0; markers -= 4)
        {
            budget--;
            if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[markers..]) != 0)
            {
                continue;
            }

            if (TryNamesBefore(bytes, markers, 4, tokens, ref budget, out countAt, out names, out count)
                || TryNamesBefore(bytes, markers, 8, tokens, ref budget, out countAt, out names, out count))
            {
                return true;
            }
        }

        countAt = 0;
        names = 0;
        count = 0;
        return false;
    }

    private static bool TryNamesBefore(
        ReadOnlySpan<byte> bytes, int markers, int width, int tokens, ref long budget, out int countAt, out int names,
        out int count)
    {
        countAt = 0;
        names = 0;
        count = 0;
        long last = 0;
        int run = 1;
        for (int at = markers + width; at + width <= tokens; at += width, run++)
        {
            long marker = width == 4
                ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..])
                : (long)BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);
            if (marker - last is < NamesPerMarker * 2 or > MaxMarkerStep)
            {
                break;
            }

            last = marker;
        }

        // A lone zero is no array of markers, except in a kernel of at most 256 symbols, which does not exist.
        if (run < 2 || last > markers)
        {
            return false;
        }

        // The names end, but for padding, where the markers begin: try every place they may begin, the closest first.
        long lowest = Math.Max(8, markers - last - MaxMarkerStep);
        for (long start = (markers - last - NamesPerMarker) & -4; start >= lowest && budget > 0; start -= 4)
        {
            budget -= 2;
            for (int gap = 4; gap <= 8; gap += 4)
            {
                int at = (int)start - gap;
                uint symbols = BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
                if (symbols > 0 && symbols <= int.MaxValue - NamesPerMarker
                    && MarkersFor((int)symbols) <= run && MarkersFor((int)symbols) >= run - 1
                    && NamesAgree(bytes, (int)start, (int)symbols, markers, width, ref budget))
                {
                    countAt = at;
                    names = (int)start;
                    count = (int)symbols;
                    return true;
                }
            }
        }

        return false;
    }

    private static int MarkersFor(int symbols) => (symbols + NamesPerMarker - 1) / NamesPerMarker;

    private static bool NamesAgree(
        ReadOnlySpan<byte> bytes, int names, int count, int markers, int width, ref long budget)
    {
        int at = names;
        for (int i = 0; i < count; i++)
        {
            budget--;
            if (i % NamesPerMarker == 0
                && BinaryPrimitives.ReadUInt32LittleEndian(bytes[(markers + (i / NamesPerMarker * width))..])
                    != (uint)(at - names))
            {
                return false;
            }

            int length = NameLength(bytes, ref at);
            if (length == 0 || length > markers - at)
            {
                return false;
            }

            at += length;
        }

        return markers - at < 16;
    }

    // Up to 6.0 the length is one byte; since then a set top bit means that a second byte holds the higher bits.
    private static int NameLength(ReadOnlySpan<byte> bytes, ref int at)
    {
        int length = bytes[at++];
        if ((length & 0x80) != 0)
        {
            length = (length & 0x7F) | (bytes[at++] << 7);
        }

        return length;
    }

    private static bool TryFindAddresses(
        ReadOnlySpan<byte> bytes, int countAt, int tokensEnd, int count, out ulong[] addresses)
    {
        addresses = new ulong[count];
        long offsetsSize = ((long)count * 4 + 7) & -8;
        long after = (tokensEnd + 7) & -8;
        int baseBefore = (countAt - 8) & -8;
        return TryOffsets(bytes, baseBefore - offsetsSize, baseBefore, addresses)
            || TryOffsets(bytes, after, after + offsetsSize, addresses)
            || TryOffsets(bytes, tokensEnd, tokensEnd + ((long)count * 4), addresses)
            || TryAbsolute(bytes, (countAt & -8) - ((long)count * 8), addresses);
    }

    private static bool TryOffsets(ReadOnlySpan<byte> bytes, long offsets, long baseAt, ulong[] addresses)
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

        ulong before = 0;
        for (int i = 0; i < addresses.Length; i++)
        {
            int offset = BinaryPrimitives.ReadInt32LittleEndian(table[(i * 4)..]);
            ulong address = !anyNegative ? origin + (uint)offset
                : offset >= 0 ? (ulong)offset
                : origin - 1 - (ulong)(long)offset;
            if (address < before)
            {
                return false;
            }

            addresses[i] = before = address;
        }

        return true;
    }

    private static bool TryAbsolute(ReadOnlySpan<byte> bytes, long table, ulong[] addresses)
    {
        if (table < 0)
        {
            return false;
        }

        ulong before = 0;
        for (int i = 0; i < addresses.Length; i++)
        {
            ulong address = BinaryPrimitives.ReadUInt64LittleEndian(bytes[((int)table + (i * 8))..]);
            if (address < before)
            {
                return false;
            }

            addresses[i] = before = address;
        }

        return (long)before < 0;
    }

    private static List<Symbol> Expand(
        ReadOnlySpan<byte> bytes, int names, int count, int tokens, int[] index, ulong[] addresses)
    {
        List<Symbol> symbols = new(count);
        Span<byte> name = stackalloc byte[MaxNameLength];
        int at = names;
        for (int i = 0; i < count; i++)
        {
            int length = NameLength(bytes, ref at);
            int used = 0;
            foreach (byte token in bytes.Slice(at, length))
            {
                ReadOnlySpan<byte> text = bytes[(tokens + index[token])..];
                text = text[..text.IndexOf((byte)0)];
                if (used + text.Length > name.Length)
                {
                    break;
                }

                text.CopyTo(name[used..]);
                used += text.Length;
            }

            at += length;
            if (used > 1)
            {
                symbols.Add(new Symbol(
                    Encoding.ASCII.GetString(name[1..used]), addresses[i], 0, (char)name[0], ""));
            }
        }

        return symbols;
    }
}
