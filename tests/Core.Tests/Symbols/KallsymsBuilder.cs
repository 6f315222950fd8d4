using System.Buffers.Binary;
using System.Text;

namespace KprobeTrace.Tests.Symbols;

/// <summary>Writes kallsyms tables in the layouts that kernels have used.</summary>
internal sealed class KallsymsBuilder
{
    /// <summary>Where the bytes of <see cref="Build"/> are linked.</summary>
    public const ulong LinkAddress = 0xFFFF_FFFF_8200_0000;

    /// <summary>The base of relative addresses.</summary>
    public const ulong Base = 0xFFFF_FFFF_8100_0000;

    public KallsymsAddressing Addressing { get; init; } = KallsymsAddressing.BaseRelativeButPerCpu;

    /// <summary>8-byte markers, as before 4.20.</summary>
    public bool WideMarkers { get; init; }

    /// <summary>Two-byte lengths of names with more than 127 tokens, as from 6.1.</summary>
    public bool LongNames { get; init; }

    /// <summary>Sequence numbers of the names' order, as from 6.2.</summary>
    public bool Sequences { get; init; }

    /// <summary>Addresses behind the tokens and sequence numbers behind them, as from 6.5.</summary>
    public bool AddressesLast { get; init; }

    /// <summary>Alignment of each table.</summary>
    public int Alignment { get; init; } = 8;

    /// <summary>The layout of a kernel version, by the first kernel that had it.</summary>
    public static KallsymsBuilder Of(string layout) => layout switch
    {
        "4.4" => new() { Addressing = KallsymsAddressing.Absolute, WideMarkers = true },
        "4.6" => new() { WideMarkers = true },
        "4.6 UP" => new() { WideMarkers = true, Addressing = KallsymsAddressing.BaseRelative },
        "4.6 absolute" => new() { WideMarkers = true, Addressing = KallsymsAddressing.Absolute },
        "4.20" => new(),
        "4.20 UP" => new() { Addressing = KallsymsAddressing.BaseRelative },
        "4.20 absolute" => new() { Addressing = KallsymsAddressing.Absolute },
        "6.1" => new() { LongNames = true },
        "6.2" => new() { LongNames = true, Sequences = true },
        "6.2 UP" => new() { LongNames = true, Sequences = true, Addressing = KallsymsAddressing.BaseRelative },
        "6.2 absolute" => new() { LongNames = true, Sequences = true, Addressing = KallsymsAddressing.Absolute },
        "6.5" => new() { LongNames = true, Sequences = true, AddressesLast = true },
        "6.5 absolute" => new() { LongNames = true, Sequences = true, AddressesLast = true, Addressing = KallsymsAddressing.Absolute },
        "6.15" => new() { LongNames = true, Sequences = true, AddressesLast = true, Addressing = KallsymsAddressing.BaseRelative },
        "7.0" => new()
        {
            LongNames = true,
            Sequences = true,
            AddressesLast = true,
            Addressing = KallsymsAddressing.PlaceRelative,
            Alignment = 4,
        },
        _ => throw new ArgumentOutOfRangeException(nameof(layout), layout, "no such layout"),
    };

    public byte[] Build(IReadOnlyList<(ulong Address, char Type, string Name)> symbols)
    {
        MemoryStream image = new();

        // Something before the tables, not a multiple of 8 long, with zeros and numbers in it.
        for (int i = 0; i < 3000; i++)
        {
            Word(image, (uint)(i % 7 == 0 ? 0 : i * 300), 4);
        }

        image.Write("0\01\02\03\0decoy"u8);
        Align(image);
        if (!AddressesLast)
        {
            WriteAddresses(image, symbols);
        }

        Word(image, (uint)symbols.Count, 4);
        Align(image);
        WriteNames(image, symbols);
        if (!AddressesLast)
        {
            WriteSequences(image, symbols.Count);
        }

        WriteTokens(image);
        if (AddressesLast)
        {
            WriteAddresses(image, symbols);
            WriteSequences(image, symbols.Count);
        }

        image.Write(new byte[64]);
        return image.ToArray();
    }

    private static void Word(MemoryStream image, ulong value, int width)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        image.Write(bytes[..width]);
    }

    private void Align(MemoryStream image) => image.Write(new byte[-image.Length & (Alignment - 1)]);

    private void WriteAddresses(MemoryStream image, IReadOnlyList<(ulong Address, char Type, string Name)> symbols)
    {
        foreach ((ulong address, _, _) in symbols)
        {
            ulong word = Addressing switch
            {
                KallsymsAddressing.Absolute => address,
                KallsymsAddressing.PlaceRelative => address - (LinkAddress + (ulong)image.Length),
                KallsymsAddressing.BaseRelativeButPerCpu => address < Base ? address : Base - 1 - address,
                _ => address - Base,
            };
            Word(image, word, Addressing == KallsymsAddressing.Absolute ? 8 : 4);
        }

        Align(image);
        if (Addressing is KallsymsAddressing.BaseRelative or KallsymsAddressing.BaseRelativeButPerCpu)
        {
            Word(image, Base, 8);
        }
    }

    // Every byte is a token of itself, except 'Q', which stands for "_read_".
    private static string TokenOf(int value) => value == 'Q' ? "_read_" : value is >= ' ' and < 127
        ? ((char)value).ToString()
        : "x" + (char)('a' + (value % 26)) + (char)('a' + (value / 26));

    private void WriteNames(MemoryStream image, IReadOnlyList<(ulong Address, char Type, string Name)> symbols)
    {
        List<ulong> markers = [];
        long start = image.Length;
        for (int i = 0; i < symbols.Count; i++)
        {
            if (i % 256 == 0)
            {
                markers.Add((ulong)(image.Length - start));
            }

            byte[] tokens = Encoding.ASCII.GetBytes(
                symbols[i].Type + symbols[i].Name.Replace("_read_", "Q", StringComparison.Ordinal));
            if (tokens.Length >= 0x80 && LongNames)
            {
                image.WriteByte((byte)(tokens.Length | 0x80));
                image.WriteByte((byte)(tokens.Length >> 7));
            }
            else
            {
                image.WriteByte(checked((byte)tokens.Length));
            }

            image.Write(tokens);
        }

        Align(image);
        foreach (ulong marker in markers)
        {
            Word(image, marker, WideMarkers ? 8 : 4);
        }

        Align(image);
    }

    private void WriteSequences(MemoryStream image, int count)
    {
        for (int i = 0; Sequences && i < count; i++)
        {
            int number = i * 7919 % count;
            image.Write([(byte)(number >> 16), (byte)(number >> 8), (byte)number]);
        }

        Align(image);
    }

    private void WriteTokens(MemoryStream image)
    {
        List<int> index = [];
        long start = image.Length;
        for (int token = 0; token < 256; token++)
        {
            index.Add((int)(image.Length - start));
            image.Write(Encoding.ASCII.GetBytes(TokenOf(token) + '\0'));
        }

        Align(image);
        foreach (int offset in index)
        {
            Word(image, (uint)offset, 2);
        }

        Align(image);
    }
}
