using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Loaders;

namespace KprobeTrace.Symbols;

/// <summary>Reads the symbol table section of an ELF file.</summary>
internal static class ElfSymbolReader
{
    private const uint SymbolTableSection = 2;
    private const uint NoBitsSection = 8;
    private const int EntrySize = 24;
    private const ushort IndexUndefined = 0;
    private const ushort IndexReserved = 0xFF00;
    private const ushort IndexAbsolute = 0xFFF1;
    private const int BindLocal = 0;
    private const int BindWeak = 2;
    private const int TypeObject = 1;
    private const int TypeFunction = 2;
    private const int MaxNameLength = 1024;

    /// <summary>Reads the symbols; an empty list when the file was stripped.</summary>
    /// <remarks>
    /// Functions and objects come before untyped labels, and weak symbols last, so that of several names for one
    /// address the most telling one is found first.
    /// </remarks>
    public static IReadOnlyList<Symbol> Read(ElfFile elf)
    {
        ArgumentNullException.ThrowIfNull(elf);
        List<(int Rank, Symbol Symbol)> symbols = [];
        foreach (ElfSection section in elf.Sections)
        {
            if (section.Type == SymbolTableSection && section.Link < elf.Sections.Count)
            {
                ReadSection(elf, elf.BytesOf(section).Span, elf.BytesOf(elf.Sections[(int)section.Link]).Span, symbols);
            }
        }

        // OrderBy is stable, which keeps the file's order among equals.
        return [.. symbols.OrderBy(static s => s.Symbol.Address).ThenBy(static s => s.Rank).Select(static s => s.Symbol)];
    }

    private static void ReadSection(
        ElfFile elf, ReadOnlySpan<byte> table, ReadOnlySpan<byte> names, List<(int Rank, Symbol Symbol)> into)
    {
        for (int at = 0; at + EntrySize <= table.Length; at += EntrySize)
        {
            ReadOnlySpan<byte> entry = table.Slice(at, EntrySize);
            int type = entry[4] & 0xF;
            int bind = entry[4] >> 4;
            ushort index = BinaryPrimitives.ReadUInt16LittleEndian(entry[6..]);
            if (type > TypeFunction || index == IndexUndefined || (index >= IndexReserved && index != IndexAbsolute))
            {
                continue;
            }

            string name = NameAt(names, BinaryPrimitives.ReadUInt32LittleEndian(entry));
            if (name.Length == 0)
            {
                continue;
            }

            ulong address = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
            ulong size = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]);
            char letter = LetterOf(elf, type, bind, index);
            int rank = bind == BindWeak ? 2 : type is TypeFunction or TypeObject ? 0 : 1;
            into.Add((rank, new Symbol(name, address, size, letter, "")));
        }
    }

    private static char LetterOf(ElfFile elf, int type, int bind, ushort index)
    {
        if (bind == BindWeak)
        {
            return type == TypeObject ? 'V' : 'W';
        }

        char letter = 'A';
        if (index < elf.Sections.Count)
        {
            ElfSection section = elf.Sections[index];
            bool writable = (section.Flags & 1) != 0;
            bool executable = (section.Flags & 4) != 0;
            letter = executable ? 'T' : section.Type == NoBitsSection ? 'B' : writable ? 'D' : 'R';
        }

        return bind == BindLocal ? char.ToLowerInvariant(letter) : letter;
    }

    private static string NameAt(ReadOnlySpan<byte> names, uint offset)
    {
        if (offset >= names.Length)
        {
            return "";
        }

        ReadOnlySpan<byte> name = names[(int)offset..];
        int end = name[..Math.Min(name.Length, MaxNameLength)].IndexOf((byte)0);
        return end < 0 ? "" : Encoding.UTF8.GetString(name[..end]);
    }
}
