using System.Buffers.Binary;
using System.Text;

namespace KprobeTrace.Symbols;

/// <summary>Recovers a Linux kernel's own symbol table (kallsyms) from the kernel's bytes.</summary>
/// <remarks>
/// Nothing but the bytes is needed: no section headers, no symbols. The tables stand in read-only data in this order
/// (scripts/kallsyms.c):
/// <code>
/// to 6.4      addresses | offsets, relative base; count; names; markers; [sequence numbers]; token table; token index
/// from 6.5    count; names; markers; token table; token index; addresses | offsets, relative base; sequence numbers
/// from 7.0    count; names; markers; token table; token index; offsets; sequence numbers
/// </code>
/// The search starts at the token table, whose entries for the digits are the digits themselves, and is settled by the
/// token index behind it. The markers (name offsets of every 256th symbol, 8 bytes each before 4.20 and 4 bytes since)
/// are found by walking backwards, the names by agreement with count and markers; <see cref="KallsymsAddresses"/> tells
/// the forms of addresses apart.
/// </remarks>
internal static class KallsymsReader
{
    private const int TokenCount = 256;
    private const int NamesPerMarker = 256;
    private const int MaxNameLength = 1024;

    // One byte of length, one token.
    private const int ShortestName = 2;
    private const int MaxMarkerStep = NamesPerMarker * 512;

    // Steps of the search; real kernels take about a million, and made-up bytes must not keep it busy.
    private const long SearchBudget = 400_000_000;

    /// <summary>Reads the table; an empty list when the bytes hold none.</summary>
    /// <param name="bytes">A stretch of kernel memory or file that holds the kernel's read-only data.</param>
    /// <param name="linkAddress">Link address of the first byte; from 7.0 on addresses are relative to where they stand.</param>
    public static IReadOnlyList<Symbol> Read(ReadOnlySpan<byte> bytes, ulong linkAddress)
    {
        ReadOnlySpan<byte> digits = "0\01\02\03\04\05\06\07\08\09\0"u8;
        long budget = SearchBudget;
        int from = 0;
        while (bytes[from..].IndexOf(digits) is int found and >= 0)
        {
            int zero = from + found;
            if (TryFindTokens(bytes, zero, out int tokens, out int tokensEnd, out int[] index)
                && TryFindNames(bytes, tokens, ref budget, out NameTable names))
            {
                ulong[] addresses = new ulong[names.Count];
                if (KallsymsAddresses.TryFind(bytes, linkAddress, names.CountAt, tokensEnd, addresses))
                {
                    return Expand(bytes, names, tokens, index, addresses);
                }
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
    private static bool TryFindNames(ReadOnlySpan<byte> bytes, int tokens, ref long budget, out NameTable names)
    {
        for (int markers = (tokens - 4) & -4; markers >= 8 && budget > 0; markers -= 4)
        {
            budget--;
            if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[markers..]) != 0)
            {
                continue;
            }

            if (TryNamesBefore(bytes, markers, 4, tokens, ref budget, out names)
                || TryNamesBefore(bytes, markers, 8, tokens, ref budget, out names))
            {
                return true;
            }
        }

        names = default;
        return false;
    }

    private static bool TryNamesBefore(
        ReadOnlySpan<byte> bytes, int markers, int width, int tokens, ref long budget, out NameTable names)
    {
        names = default;
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

        // The names end, but for padding, where the markers begin: try every place they may begin, the closest first. The
        // last marker may have a single name.
        long lowest = Math.Max(8, markers - last - MaxMarkerStep);
        for (long start = (markers - last - ShortestName) & -4; start >= lowest && budget > 0; start -= 4)
        {
            budget -= 2;
            for (int gap = 4; gap <= 8; gap += 4)
            {
                int at = (int)start - gap;
                uint symbols = BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
                if (symbols <= NamesPerMarker || symbols > int.MaxValue - NamesPerMarker
                    || MarkersFor((int)symbols) > run || MarkersFor((int)symbols) < run - 1)
                {
                    continue;
                }

                names = new NameTable(at, (int)start, (int)symbols, LongNames: true);
                if (Agrees(bytes, names, markers, width, ref budget, out bool anyLong))
                {
                    return true;
                }

                names = names with { LongNames = false };
                if (anyLong && Agrees(bytes, names, markers, width, ref budget, out _))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static int MarkersFor(int symbols) => (symbols + NamesPerMarker - 1) / NamesPerMarker;

    private static bool Agrees(
        ReadOnlySpan<byte> bytes, NameTable names, int markers, int width, ref long budget, out bool anyLong)
    {
        anyLong = false;
        int at = names.Start;
        for (int i = 0; i < names.Count; i++)
        {
            budget--;
            if (i % NamesPerMarker == 0
                && BinaryPrimitives.ReadUInt32LittleEndian(bytes[(markers + (i / NamesPerMarker * width))..])
                    != (uint)(at - names.Start))
            {
                return false;
            }

            anyLong |= (bytes[at] & 0x80) != 0;
            int length = NameLength(bytes, names.LongNames, ref at);
            if (length == 0 || length > markers - at)
            {
                return false;
            }

            at += length;
        }

        return markers - at < 16;
    }

    // Up to 6.0 the length is one byte; since then a set top bit means that a second byte holds the higher bits.
    private static int NameLength(ReadOnlySpan<byte> bytes, bool longNames, ref int at)
    {
        int length = bytes[at++];
        if (longNames && (length & 0x80) != 0)
        {
            length = (length & 0x7F) | (bytes[at++] << 7);
        }

        return length;
    }

    private static List<Symbol> Expand(
        ReadOnlySpan<byte> bytes, NameTable names, int tokens, int[] index, ulong[] addresses)
    {
        List<Symbol> symbols = new(names.Count);
        Span<byte> name = stackalloc byte[MaxNameLength];
        int at = names.Start;
        for (int i = 0; i < names.Count; i++)
        {
            int length = NameLength(bytes, names.LongNames, ref at);
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

    private readonly record struct NameTable(int CountAt, int Start, int Count, bool LongNames);
}
