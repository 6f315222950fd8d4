using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Symbols;

public sealed class ElfSymbolReaderTests
{
    [Fact]
    public void Reads_functions_objects_and_labels_with_their_letters()
    {
        byte[] file = Build(
            ("file.c", 4, 0, 0xFFF1, 0),
            ("label", 0, 1, 1, 0x1000),
            ("start", 2, 1, 1, 0x1000),
            ("weak", 2, 2, 1, 0x1000),
            ("local", 2, 0, 1, 0x1010),
            ("counter", 1, 1, 2, 0x2000),
            ("zeroed", 1, 0, 3, 0x3000),
            ("constant", 0, 0, 0xFFF1, 5),
            ("missing", 0, 1, 0, 0));

        IReadOnlyList<Symbol> symbols = ElfSymbolReader.Read(ElfFile.Parse("kernel", file));

        Assert.Equal(
            ["a constant", "T start", "T label", "W weak", "t local", "D counter", "b zeroed"],
            symbols.Select(symbol => $"{symbol.Type} {symbol.Name}"));
    }

    [Fact]
    public void Damaged_tables_give_what_can_be_read()
    {
        byte[] file = Build(("start", 2, 1, 1, 0x1000));
        uint state = 7;

        for (int i = 0; i < 2000; i++)
        {
            byte[] damaged = [.. file];
            state = (state * 1664525) + 1013904223;
            damaged[64 + ((int)(state >> 8) % (damaged.Length - 64))] ^= (byte)(state >> 3 | 1);
            Exception? error = Record.Exception(() => ElfSymbolReader.Read(ElfFile.Parse("kernel", damaged)));
            Assert.True(error is null or KprobeTraceException, error?.ToString());
        }
    }

    private static byte[] Build(params (string Name, byte Type, byte Bind, ushort Section, ulong Address)[] symbols)
    {
        StringBuilder names = new("\0");
        byte[] table = new byte[(symbols.Length + 1) * 24];
        for (int i = 0; i < symbols.Length; i++)
        {
            Span<byte> at = table.AsSpan((i + 1) * 24);
            BinaryPrimitives.WriteUInt32LittleEndian(at, (uint)names.Length);
            at[4] = (byte)(symbols[i].Type | (symbols[i].Bind << 4));
            BinaryPrimitives.WriteUInt16LittleEndian(at[6..], symbols[i].Section);
            BinaryPrimitives.WriteUInt64LittleEndian(at[8..], symbols[i].Address);
            names.Append(symbols[i].Name).Append('\0');
        }

        return new ElfBuilder()
            .Section(".text", 1, new byte[16], address: 0x1000, flags: 6)
            .Section(".data", 1, new byte[16], address: 0x2000, flags: 3)
            .Section(".bss", 8, [], address: 0x3000, flags: 3)
            .Section(".symtab", 2, table, link: 5)
            .Section(".strtab", 3, Encoding.ASCII.GetBytes(names.ToString()))
            .Build();
    }
}
