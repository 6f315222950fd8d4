using System.Buffers.Binary;
using System.Text;

namespace KprobeTrace.Tests.Symbols;

/// <summary>Writes kallsyms tables in the layouts that kernels have used.</summary>
internal sealed class KallsymsBuilder
{
    /// <summary>8-byte addresses, as before 4.6.</summary>
    public bool AbsoluteAddresses { get; init; }

    /// <summary>Offsets without absolute per-CPU symbols.</summary>
    public bool PlainOffsets { get; init; }

    /// <summary>8-byte markers, as before 4.20.</summary>
    public bool WideMarkers { get; init; }

    /// <summary>Sequence numbers between markers and tokens, as from 6.2.</summary>
    public bool Sequences { get; init; }

    /// <summary>Addresses behind the tokens, as from 6.5.</summary>
    public bool AddressesLast { get; init; }

    public ulong Base { get; init; } = 0xFFFF_FFFF_8100_0000;

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
        WriteTokens(image);
        if (AddressesLast)
        {
            WriteAddresses(image, symbols);
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

    private static void Align(MemoryStream image) => image.Write(new byte[-image.Length & 7]);

    private void WriteAddresses(MemoryStream image, IReadOnlyList<(ulong Address, char Type, string Name)> symbols)
    {
        foreach ((ulong address, _, _) in symbols)
        {
            if (AbsoluteAddresses)
            {
                Word(image, address, 8);
            }
            else
            {
                bool perCpu = address < Base;
                ulong offset = PlainOffsets ? address - Base : perCpu ? address : Base - 1 - address;
                Word(image, (uint)offset, 4);
            }
        }

        Align(image);
        if (!AbsoluteAddresses)
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
            if (tokens.Length >= 0x80)
            {
                image.WriteByte((byte)(tokens.Length | 0x80));
                image.WriteByte((byte)(tokens.Length >> 7));
            }
            else
            {
                image.WriteByte((byte)tokens.Length);
            }

            image.Write(tokens);
        }

        Align(image);
        foreach (ulong marker in markers)
        {
            Word(image, marker, WideMarkers ? 8 : 4);
        }

        Align(image);
        if (Sequences)
        {
            for (int i = 0; i < symbols.Count; i++)
            {
                Word(image, (uint)(i * 7919 % symbols.Count), 3);
            }

            Align(image);
        }
    }

    private static void WriteTokens(MemoryStream image)
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
