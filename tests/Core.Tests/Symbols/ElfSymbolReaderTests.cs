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

    [Theory]
    [InlineData(0, 1, 1, "T f")]
    [InlineData(0, 0, 1, "t f")]
    [InlineData(1, 2, 1, "V f")]
    [InlineData(0, 2, 1, "W f")]
    [InlineData(2, 2, 2, "W f")]
    [InlineData(2, 1, 2, "D f")]
    [InlineData(1, 0, 2, "d f")]
    [InlineData(1, 1, 3, "B f")]
    [InlineData(1, 1, 5, "R f")]
    [InlineData(1, 0, 5, "r f")]
    [InlineData(1, 1, 6, "R f")]
    [InlineData(1, 1, 7, "A f")]
    [InlineData(1, 1, 0xFEFF, "A f")]
    [InlineData(0, 1, 0xFFF1, "A f")]
    [InlineData(0, 0, 0xFFF1, "a f")]
    [InlineData(0, 1, 0, null)]
    [InlineData(0, 1, 0xFF00, null)]
    [InlineData(0, 1, 0xFFF0, null)]
    [InlineData(0, 1, 0xFFF2, null)]
    [InlineData(0, 1, 0xFFFF, null)]
    [InlineData(3, 0, 1, null)]
    [InlineData(4, 0, 1, null)]
    [InlineData(6, 0, 1, null)]
    public void The_letter_tells_type_binding_and_section(byte type, byte bind, ushort section, string? expected)
    {
        IReadOnlyList<Symbol> symbols = ElfSymbolReader.Read(ElfFile.Parse("kernel", Build(("f", type, bind, section, 0x1000))));

        Assert.Equal(expected is null ? [] : [expected], symbols.Select(static s => $"{s.Type} {s.Name}"));
    }

    [Fact]
    public void A_symbol_has_its_address_its_size_and_no_module()
    {
        IReadOnlyList<Symbol> symbols = ElfSymbolReader.Read(ElfFile.Parse("kernel", Build(("f", 2, 1, 1, 0xFFFF_FFFF_8100_0010))));

        Assert.Equal([new Symbol("f", 0xFFFF_FFFF_8100_0010, 0x123456789, 'T', "")], symbols);
    }

    [Fact]
    public void Of_one_address_typed_symbols_come_first_and_weak_ones_last_each_in_the_files_order()
    {
        byte[] file = Build(
            ("z", 2, 1, 1, 0x1008), ("weak1", 2, 2, 1, 0x1000), ("label1", 0, 1, 1, 0x1000), ("object", 1, 0, 1, 0x1000), ("weak0", 0, 2, 1, 0x1000),
            ("label0", 0, 0, 1, 0x1000), ("function", 2, 0, 1, 0x1000));

        Assert.Equal(
            ["object", "function", "label1", "label0", "weak1", "weak0", "z"],
            ElfSymbolReader.Read(ElfFile.Parse("kernel", file)).Select(static s => s.Name));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(1023, true)]
    [InlineData(1024, false)]
    public void A_name_has_one_to_1023_bytes(int length, bool isRead)
    {
        string name = new('n', length);

        IReadOnlyList<Symbol> symbols = ElfSymbolReader.Read(ElfFile.Parse("kernel", Build((name, 2, 1, 1, 0x1000))));

        Assert.Equal(isRead ? [name] : [], symbols.Select(static s => s.Name));
    }

    [Fact]
    public void A_symbol_without_a_name_or_of_another_kind_is_left_out_and_those_behind_it_are_read()
    {
        byte[] file = Build(("a", 2, 1, 1, 0x1000), ("", 2, 1, 1, 0x1001), ("b", 2, 1, 1, 0x1002), ("c", 3, 0, 1, 0x1003), ("d", 2, 1, 0, 0x1004), ("e", 2, 1, 1, 0x1005));

        Assert.Equal(["a", "b", "e"], ElfSymbolReader.Read(ElfFile.Parse("kernel", file)).Select(static s => s.Name));
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
            BinaryPrimitives.WriteUInt64LittleEndian(at[16..], 0x123456789);
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
