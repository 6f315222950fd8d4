using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Fuzz.Engine;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Loaders;

namespace KprobeTrace.Fuzz.Targets;

/// <summary>ELF files with symbol tables.</summary>
internal sealed class ElfSymbolsTarget : IFuzzTarget
{
    public string Name => "elfsymbols";

    public string Summary => "damaged ELF files with sections and symbol tables";

    public byte[] Generate(FuzzRandom random)
    {
        StringBuilder names = new("\0");
        int count = random.Next(1, 40);
        byte[] table = new byte[24 * (count + 1)];
        for (int i = 1; i <= count; i++)
        {
            Span<byte> entry = table.AsSpan(24 * i);
            BinaryPrimitives.WriteUInt32LittleEndian(entry, (uint)names.Length);
            names.Append("symbol").Append(i).Append('\0');
            entry[4] = (byte)((random.Next(3) << 4) | random.Next(5));
            BinaryPrimitives.WriteUInt16LittleEndian(entry[6..], (ushort)random.Pick(1, 2, 0, 0xFFF1, 0xFF00, random.Next(65536)));
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], 0xFFFF_FFFF_8100_0000 + (ulong)random.Next(0x10000));
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], (ulong)random.Next(0x100));
        }

        byte[] file = new ElfBuilder { Entry = 0x100_0000 }
            .Segment(0xFFFF_FFFF_8100_0000, 0x100_0000, random.Bytes(random.Next(1, 600)))
            .Section(".text", 1, random.Bytes(16), 0xFFFF_FFFF_8100_0000, 6)
            .Section(".symtab", 2, table, link: 3)
            .Section(".strtab", 3, Encoding.ASCII.GetBytes(names.ToString()))
            .Build();
        return Mutator.Mutate(random, file);
    }

    public void Run(byte[] input)
    {
        ElfFile elf = ElfFile.Parse("fuzz", input);
        IReadOnlyList<Symbol> symbols = ElfSymbolReader.Read(elf);
        InvariantException.Require(symbols.Count <= input.Length * Math.Max(1, elf.Sections.Count) / 24, "more symbols than fit into the file");
        foreach (ElfProgramHeader segment in elf.Segments)
        {
            InvariantException.Require(elf.BytesOf(segment).Length <= input.Length, "a segment longer than its file");
        }

        SymbolTable table = new(symbols);
        foreach (Symbol symbol in symbols.Take(30))
        {
            _ = table.Format(symbol.Address + 1);
        }
    }
}
