using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Symbols;

/// <summary>Symbols of an image: those of its own table, of its ELF file and of a file beside it, each place once.</summary>
public sealed class ImageSymbolsTests : IDisposable
{
    private const ulong Text = KallsymsBuilder.Base;

    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void A_Linux_image_has_the_symbols_of_its_largest_table()
    {
        byte[] small = Table(300, "small");
        byte[] large = Table(400, "large");

        foreach (byte[][] stretches in (byte[][][])[[small, large], [large, small], [large, new byte[64]]])
        {
            SymbolTable symbols = ImageSymbols.Load(Image(isLinux: true, elf: null, stretches));
            Assert.Equal(400, symbols.Count);
            Assert.Equal(Text + (399 * 16), symbols.AddressOf("large399"));
        }
    }

    [Fact]
    public void Only_of_Linux_the_bytes_are_searched() =>
        Assert.Equal(0, ImageSymbols.Load(Image(isLinux: false, elf: null, Table(300, "f"))).Count);

    [Fact]
    public void An_image_without_symbols_has_none_and_one_with_an_ELF_file_has_its()
    {
        Assert.Equal(0, ImageSymbols.Load(Image(isLinux: true, elf: null, new byte[64])).Count);
        Assert.Equal(["f", "g"], Names(ImageSymbols.Load(Image(isLinux: false, Elf(("f", 0x1000), ("g", 0x1008))))));
    }

    [Fact]
    public void Symbols_of_several_places_are_one_table_and_what_one_said_another_does_not_repeat()
    {
        File.WriteAllText(_file, "ffffffff81000000 T f0\nffffffff81000001 T f0\n0000000000001000 T elf\n0000000000001000 T named\nffffffffc0000000 t inner [loop]\n");
        LoadedImage image = Image(isLinux: true, Elf(("elf", 0x1000), ("f0", Text), ("f0", 0x1008)), Table(300, "f"));

        SymbolTable inside = ImageSymbols.Load(image);
        SymbolTable all = ImageSymbols.Load(image, _file);

        Assert.Equal(302, inside.Count);
        Assert.Equal([0x1008, Text], inside.FindAll("f0").Select(static s => s.Address));
        Assert.Equal(304, all.Count);
        Assert.Equal([0x1008, Text, Text + 1], all.FindAll("f0").Select(static s => s.Address));
        Assert.Equal([0x1000UL], all.FindAll("elf").Select(static s => s.Address));
        Assert.Equal(0x1000UL, all.AddressOf("named"));
        Assert.Null(all.AddressOf("inner"));
    }

    [Fact]
    public void A_file_of_symbols_is_a_list_or_an_ELF_file()
    {
        LoadedImage image = Image(isLinux: false, elf: null);
        File.WriteAllText(_file, "ffffffff81000000 T listed\n");
        Assert.Equal(["listed"], Names(ImageSymbols.Load(image, _file)));
        File.WriteAllBytes(_file, ElfBytes(("inside", 0x1000)));
        Assert.Equal(["inside"], Names(ImageSymbols.Load(image, _file)));
    }

    [Theory]
    [InlineData("no symbols at all\n", ":1: expected 'ADDRESS TYPE NAME'")]
    [InlineData("\x7F" + "ELF", "")]
    [InlineData("PK\x03\x04zipped", "")]
    public void What_is_no_list_is_refused(string text, string said)
    {
        File.WriteAllText(_file, text);

        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => ImageSymbols.Load(Image(isLinux: false, elf: null), _file));
        Assert.StartsWith(_file, error.Message, StringComparison.Ordinal);
        Assert.Contains(said, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_ELF_file_without_symbols_was_stripped()
    {
        File.WriteAllBytes(_file, ElfBytes());

        Assert.Equal(
            $"{_file}: the ELF file has no symbol table; give one that was not stripped",
            Assert.Throws<KprobeTraceException>(() => ImageSymbols.Load(Image(isLinux: false, elf: null), _file)).Message);
    }

    private static IEnumerable<string> Names(SymbolTable symbols) => symbols.All().Select(static s => s.Name);

    private static byte[] Table(int count, string name) =>
        KallsymsBuilder.Of("6.5").Build([.. Enumerable.Range(0, count).Select(i => (Text + (ulong)(i * 16), 'T', $"{name}{i}"))]);

    private static LoadedImage Image(bool isLinux, ElfFile? elf, params byte[][] stretches) =>
        new(stretches.Select(static (b, i) => new LinkRange(KallsymsBuilder.LinkAddress + ((ulong)i << 24), (ulong)i << 24, (ulong)b.Length, b, false)))
        {
            Kind = ImageKind.LinuxElf,
            BaseName = "kernel",
            Sha256 = "",
            Segments = [],
            Cpu = new InitialCpuState { Mode = EntryMode.Long64, Rip = 0, Cr0 = 1, Cs = default, Data = default },
            EntryPhysical = 0,
            EntryLink = 0,
            MemorySize = 0,
            IsLinux = isLinux,
            Elf = elf,
        };

    private static ElfFile Elf(params (string Name, ulong Address)[] symbols) => ElfFile.Parse("kernel", ElfBytes(symbols));

    /// <summary>An ELF file with functions, each of one byte.</summary>
    private static byte[] ElfBytes(params (string Name, ulong Address)[] symbols)
    {
        StringBuilder names = new("\0");
        byte[] table = new byte[(symbols.Length + 1) * 24];
        for (int i = 0; i < symbols.Length; i++)
        {
            Span<byte> at = table.AsSpan((i + 1) * 24);
            BinaryPrimitives.WriteUInt32LittleEndian(at, (uint)names.Length);
            at[4] = 0x12;
            at[6] = 1;
            BinaryPrimitives.WriteUInt64LittleEndian(at[8..], symbols[i].Address);
            BinaryPrimitives.WriteUInt64LittleEndian(at[16..], 1);
            names.Append(symbols[i].Name).Append('\0');
        }

        return new ElfBuilder()
            .Section(".text", 1, new byte[16], address: 0x1000, flags: 6)
            .Section(".symtab", 2, table, link: 3)
            .Section(".strtab", 3, Encoding.ASCII.GetBytes(names.ToString()))
            .Build();
    }
}
