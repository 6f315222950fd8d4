using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Tests.Loaders;
using KprobeTrace.Tests.Symbols;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Recording;

/// <summary>
/// The least that is taken for a Linux kernel: a banner, symbols, types, and page tables that map it high and modules higher. Its code,
/// data and types are what a test writes.
/// </summary>
internal sealed class SmallKernel
{
    /// <summary>Where the image is linked to.</summary>
    public const ulong Link = 0xFFFF_FFFF_8100_0000;

    /// <summary>Where its data begins.</summary>
    public const ulong Data = Link + 0x8000;

    /// <summary>Where modules lie.</summary>
    public const ulong Modules = 0xFFFF_FFFF_C000_0000;

    /// <summary>Where the offsets of per-CPU areas are.</summary>
    public const ulong Offsets = Link + TextSize;

    private const ulong Physical = 0x100_0000;
    private const ulong ModulesPhysical = 0x1C0_0000;
    private const int Size = 0x1_0000;
    private const ulong TextSize = 0x1000;
    private const int TopTable = 0x4000;
    private const int HighTable = 0x5000;
    private const int LowTable = 0x6000;
    private const int Directory = 0x7000;
    private const int ModuleDirectory = 0x3000;

    private readonly byte[] _image = new byte[Size];
    private readonly Dictionary<string, ulong> _symbols = new()
    {
        ["_stext"] = Link,
        ["_etext"] = Link + TextSize,
        ["_end"] = Link + Size,
        ["__per_cpu_offset"] = Offsets,
        ["init_top_pgt"] = Link + TopTable,
    };

    public SmallKernel()
    {
        Guest.Code.mov(eax, (uint)Physical + TopTable);
        Guest.Code.mov(cr3, rax);
        Guest.Code.mov(rax, Link + 0x100);
        Guest.Code.jmp(rax);
        Guest.Code.db(Enumerable.Repeat((byte)0x90, 0x100 - Guest.Assemble().Length).ToArray());
        Guest.Code.mov(rsp, Link + 0x3000);
    }

    /// <summary>Its text, which runs high with a stack.</summary>
    public FlatGuest Guest { get; } = new(Link);

    /// <summary>Its types.</summary>
    public BtfBuilder Types { get; } = new();

    /// <summary>Bytes of its data.</summary>
    public Span<byte> At(ulong address) => _image.AsSpan((int)(address - Link));

    /// <summary>Writes a number into its data.</summary>
    public SmallKernel Write(ulong address, ulong value, int size = 8)
    {
        BitConverter.GetBytes(value).AsSpan(0, size).CopyTo(At(address));
        return this;
    }

    /// <summary>Gives an address a name besides those of the places in its text.</summary>
    public SmallKernel Symbol(string name, ulong address)
    {
        _symbols[name] = address;
        return this;
    }

    /// <summary>The file.</summary>
    public byte[] Build()
    {
        byte[] text = Guest.Assemble();
        if (text.Length > (int)TextSize)
        {
            throw new InvalidOperationException($"{text.Length} bytes of text where {TextSize} have room");
        }

        text.CopyTo(_image, 0);
        "Linux version 6.1.0-small (x) #1\0"u8.CopyTo(_image.AsSpan(0x2000));
        WriteTables();
        return new ElfBuilder { Entry = Physical }
            .Segment(Link, Physical, _image)
            .Section(".text", 1, new byte[16], address: Link, flags: 6)
            .Section(".symtab", 2, SymbolTable(out byte[] names), link: 3)
            .Section(".strtab", 3, names)
            .Section(".BTF", 1, Types.Build())
            .Build();
    }

    private void WriteTables()
    {
        Word(TopTable, Physical + LowTable + 3);
        Word(TopTable + (511 * 8), Physical + HighTable + 3);
        Word(LowTable, Physical + Directory + 3);
        Word(HighTable + (510 * 8), Physical + Directory + 3);
        Word(HighTable + (511 * 8), Physical + ModuleDirectory + 3);
        Word(ModuleDirectory, ModulesPhysical + 0x83);
        for (int i = 0; i < 16; i++)
        {
            Word(Directory + (i * 8), ((ulong)i << 21) + 0x83);
        }

        void Word(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_image.AsSpan(at), value);
    }

    private byte[] SymbolTable(out byte[] names)
    {
        StringBuilder text = new("\0");
        List<byte> table = [.. new byte[24]];
        foreach ((string name, ulong address) in Guest.Addresses.Concat(_symbols))
        {
            byte[] entry = new byte[24];
            BinaryPrimitives.WriteInt32LittleEndian(entry, text.Length);
            entry[4] = 0x12;
            entry[6] = 1;
            BinaryPrimitives.WriteUInt64LittleEndian(entry.AsSpan(8), address);
            table.AddRange(entry);
            text.Append(name).Append('\0');
        }

        names = Encoding.ASCII.GetBytes(text.ToString());
        return [.. table];
    }
}
