using System.Buffers.Binary;

namespace KprobeTrace.Guest;

/// <summary>Places in code that serve one purpose, such as jump labels, by rising address.</summary>
internal sealed class CodeSites
{
    /// <summary>Most sites of one table; what a table claims beyond that is left out.</summary>
    internal const int Max = 4_000_000;

    private const int LongSite = 5;
    private const int ShortSite = 2;
    private readonly ulong[] _addresses;
    private readonly byte[] _sizes;

    private CodeSites(ulong[] addresses, byte[] sizes)
    {
        _addresses = addresses;
        _sizes = sizes;
    }

    /// <summary>Gets the sites of a table that does not exist.</summary>
    public static CodeSites None { get; } = new([], []);

    /// <summary>Gets the first bytes of the sites, by rising address.</summary>
    public IReadOnlyList<ulong> Addresses => _addresses;

    /// <summary>Tells whether a site begins at an address.</summary>
    public bool BeginAt(ulong address) => Array.BinarySearch(_addresses, address) >= 0;

    /// <summary>The site that holds an address; null when it lies in none.</summary>
    public GuestRange? At(ulong address)
    {
        int index = Array.BinarySearch(_addresses, address);
        index = index >= 0 ? index : ~index - 1;
        return index >= 0 && address - _addresses[index] < _sizes[index]
            ? new GuestRange(_addresses[index], _addresses[index] + _sizes[index])
            : null;
    }

    /// <summary>Sites of one byte or, as calls and jumps are, of five.</summary>
    internal static CodeSites Create(ulong[] addresses, bool isCall = false) =>
        Create(addresses, _ => isCall ? (byte)LongSite : (byte)1);

    /// <summary>Sites whose instruction is a jump or a nop, of two or five bytes; it is read to tell.</summary>
    /// <param name="addresses">Where they are.</param>
    /// <param name="readCode">Reads two bytes of code; false where it cannot.</param>
    internal static CodeSites CreateJumps(ulong[] addresses, CodeReader readCode) => Create(addresses, address =>
    {
        Span<byte> code = stackalloc byte[2];
        return readCode(address, code) && (code[0] == 0xEB || (code[0] == 0x66 && code[1] == 0x90)) ? (byte)ShortSite : (byte)LongSite;
    });

    /// <summary>The addresses in a table whose entries begin with a 4-byte offset from their own place.</summary>
    internal static ulong[] Relative(ReadOnlySpan<byte> table, ulong start, int entrySize)
    {
        List<ulong> addresses = [];
        for (int at = 0; at + entrySize <= table.Length && addresses.Count < Max; at += entrySize)
        {
            // Some tables are padded to a page; an entry that points at itself is padding.
            long offset = BinaryPrimitives.ReadInt32LittleEndian(table[at..]);
            if (offset != 0)
            {
                addresses.Add(start + (ulong)at + (ulong)offset);
            }
        }

        return [.. addresses];
    }

    /// <summary>The addresses in a table of 8-byte addresses.</summary>
    internal static ulong[] Absolute(ReadOnlySpan<byte> table)
    {
        ulong[] addresses = new ulong[Math.Min(table.Length / sizeof(ulong), Max)];
        for (int i = 0; i < addresses.Length; i++)
        {
            addresses[i] = BinaryPrimitives.ReadUInt64LittleEndian(table[(i * sizeof(ulong))..]);
        }

        return addresses;
    }

    private static CodeSites Create(ulong[] addresses, Converter<ulong, byte> size)
    {
        ulong[] sorted = [.. addresses];
        Array.Sort(sorted);
        return new CodeSites(sorted, Array.ConvertAll(sorted, size));
    }

    /// <summary>Reads code at an address; all bytes or none.</summary>
    internal delegate bool CodeReader(ulong address, Span<byte> code);
}
