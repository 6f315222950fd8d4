using System.Buffers.Binary;
using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Guest;

/// <summary>A synthetic module with every table, and what its coming and going does to the checks of addresses.</summary>
public sealed class ModuleTablesTests
{
    private const ulong Module = GuestImage.Text + 0x1_0000;
    private const ulong Core = Module + 0x1000;
    private const ulong Init = Module + 0x3000;
    private const ulong Data = Module + 0x4000;
    private const ulong Kallsyms = Module + 0x5000;

    private readonly GuestRam _ram = new(GuestImage.Text, 0x20000);
    private readonly SymbolTable _symbols = GuestImage.Symbols(
        ("_stext", GuestImage.Text), ("_text", GuestImage.Text), ("_etext", GuestImage.Text + 0x1000), ("_end", GuestImage.Text + 0x4000));

    private readonly LinuxGuest _linux;
    private readonly ImageText _text;

    public ModuleTablesTests()
    {
        LoadedImage image = GuestImage.Load(static _ => { });
        _linux = new LinuxGuest(image, _symbols, Types(), _ram);
        _text = new ImageText(image, _symbols, new GuestTables(image, _symbols, null));
        _ram.Write(Module, 1, 4).Write(Module + 8, "tmod\0"u8)
            .Write(Module + 24, Core).Write(Module + 32, 0x1000, 4).Write(Module + 36, 0x800, 4)
            .Write(Module + 40, Init).Write(Module + 48, 0x800, 4).Write(Module + 52, 0x800, 4)
            .Write(Module + 56, Kallsyms);

        // A short nop, a jump of five bytes, and one in init text.
        _ram.Write(Core + 0x100, [0x66, 0x90]).Write(Core + 0x110, [0xE9, 0, 0, 0, 0]).Write(Init + 0x10, [0x0F, 0x1F, 0x44, 0, 0]);
        Table(64, Data, 16, Core + 0x110, Core + 0x100, Init + 0x10);
        Table(80, Data + 0x100, 12, Core + 0x120, Init + 0x20, GuestImage.Text + 0x30);
        Table(96, Data + 0x200, 12, Core + 0x130);
        Table(112, Data + 0x300, 8, Core + 0x140);
        _ram.Write(Module + 128, Data + 0x400).Write(Module + 136, 2, 4)
            .Write(Data + 0x400, Core + 0x200).Write(Data + 0x408, GuestImage.Text + 0x40);
        _ram.Write(Module + 144, Core + 0x300).Write(Module + 152, 0x30, 4).Write(Module + 160, Core + 0x400).Write(Module + 168, 0x10, 4);
        WriteSymbols(
            ("first", Core), ("listed", Core + 0x200), ("next", Core + 0x220), ("old_style", Core + 0x300),
            ("another", Core + 0x320), ("plain", Core + 0x330), ("noinstr", Core + 0x400), ("last", Core + 0x410), ("early", Init));
    }

    [Fact]
    public void Tables_hold_what_lies_in_the_modules_text()
    {
        ModuleTables tables = _linux.ReadModule(Module)!.Tables;

        Assert.Equal([Core + 0x100, Core + 0x110, Init + 0x10], tables.JumpLabels.Addresses);
        Assert.Equal(new GuestRange(Core + 0x100, Core + 0x102), tables.JumpLabels.At(Core + 0x101));
        Assert.Equal(new GuestRange(Core + 0x110, Core + 0x115), tables.JumpLabels.At(Core + 0x114));
        Assert.Equal([Core + 0x120, Init + 0x20], tables.BugSites.Addresses);
        Assert.Equal([Core + 0x130], tables.ExceptionSites.Addresses);
        Assert.Equal(new GuestRange(Core + 0x140, Core + 0x145), tables.StaticCalls.At(Core + 0x144));
        Assert.Equal([Core + 0x200], tables.BlacklistedFunctions);
        Assert.Equal([new GuestRange(Core + 0x300, Core + 0x330), new GuestRange(Core + 0x400, Core + 0x410)], tables.BlacklistedText);
    }

    [Fact]
    public void Tables_count_from_when_the_module_comes_until_it_goes()
    {
        Assert.False(_text.IsBugSite(Core + 0x120));
        _text.SetModule(_linux.ReadModule(Module)!);

        Assert.True(_text.IsBugSite(Core + 0x120));
        Assert.False(_text.IsBugSite(Core + 0x121));
        Assert.True(_text.IsJumpLabel(Core + 0x114));
        Assert.False(_text.IsJumpLabel(Core + 0x115));
        Assert.Equal(["listed", "old_style", "another", "noinstr"], _text.Blacklist.Select(r => r.Name));
        Assert.Equal(new GuestRange(Core + 0x200, Core + 0x220, "listed"), _text.Blacklist[0]);

        _text.RemoveModule("tmod");
        Assert.False(_text.IsBugSite(Core + 0x120));
        Assert.False(_text.IsJumpLabel(Core + 0x114));
        Assert.Empty(_text.Blacklist);
    }

    [Fact]
    public void Sites_of_init_text_go_with_it()
    {
        _text.SetModule(_linux.ReadModule(Module)!);
        Assert.True(_text.IsBugSite(Init + 0x20));
        Assert.True(_text.IsJumpLabel(Init + 0x12));

        _ram.Write(Module, 0, 4).Write(Module + 40, 0).Write(Module + 48, 0, 4).Write(Module + 52, 0, 4);
        _text.SetModule(_linux.ReadModule(Module)!);

        Assert.False(_text.IsBugSite(Init + 0x20));
        Assert.False(_text.IsJumpLabel(Init + 0x12));
        Assert.True(_text.IsBugSite(Core + 0x120));
    }

    [Fact]
    public void Module_text_follows_the_state_the_guest_gives_the_module()
    {
        _text.ModuleState = module => _linux.ReadModuleState(module.Address)!.Value;
        _text.SetModule(_linux.ReadModule(Module)!);
        Assert.Equal((KernelTextKind.Module, KernelTextKind.ModuleInit), (_text.Classify(Core), _text.Classify(Init)));

        _ram.Write(Module, 0, 4);
        Assert.Equal((KernelTextKind.Module, KernelTextKind.ModuleGone), (_text.Classify(Core), _text.Classify(Init)));

        _ram.Write(Module, 2, 4);
        Assert.Equal((KernelTextKind.ModuleGone, KernelTextKind.ModuleGone), (_text.Classify(Core), _text.Classify(Init)));
    }

    [Theory]
    [InlineData(0x7FFFFFFF, 0)]
    [InlineData(0xFFFFFFFF, 0)]
    [InlineData(0x10000, 0)]
    [InlineData(3, 0xFFFF_8000_0000_0000)]
    public void A_table_that_cannot_be_read_is_empty(uint count, ulong at)
    {
        _ram.Write(Module + 72, count, 4).Write(Module + 64, at == 0 ? Data : at);
        _ram.Write(Module + 136, count, 4).Write(Module + 128, at == 0 ? Data : at);

        ModuleTables tables = _linux.ReadModule(Module)!.Tables;

        Assert.Empty(tables.JumpLabels.Addresses);
        Assert.Empty(tables.BlacklistedFunctions);
        Assert.NotEmpty(tables.BugSites.Addresses);
    }

    [Fact]
    public void A_table_may_end_with_the_last_byte_that_can_be_read()
    {
        ulong last = GuestImage.Text + 0x2_0000 - 8;
        _ram.Write(Module + 128, last).Write(Module + 136, 1, 4).Write(last, Core + 0x200);

        Assert.Equal([Core + 0x200], _linux.ReadModule(Module)!.Tables.BlacklistedFunctions);
        _ram.Write(Module + 136, 2, 4);
        Assert.Empty(_linux.ReadModule(Module)!.Tables.BlacklistedFunctions);
    }

    /// <summary>Where an area of text without kprobes lies in the module's text of 0x800 bytes, and whether it counts.</summary>
    [Theory]
    [InlineData(0x7F0, 0x10, true)]
    [InlineData(0x7F0, 0x11, false)]
    [InlineData(0, 0x800, true)]
    [InlineData(0x10, 0, false)]
    [InlineData(-1, 2, false)]
    [InlineData(0x7FF, 1, true)]
    [InlineData(0x800, 1, false)]
    public void An_area_counts_where_all_of_it_is_there(int start, uint size, bool counts)
    {
        ulong at = Core + (ulong)(long)start;
        _ram.Write(Module + 144, at).Write(Module + 152, size, 4).Write(Module + 168, 0, 4);

        Assert.Equal(counts ? [new GuestRange(at, at + size)] : [], _linux.ReadModule(Module)!.Tables.BlacklistedText);
    }

    [Fact]
    public void A_blacklisted_area_without_symbols_ends_the_walk()
    {
        _ram.Write(Module + 160, Core).Write(Module + 168, 0x1000, 4).Write(Kallsyms + 8, 0, 4);

        _text.SetModule(_linux.ReadModule(Module)!);

        Assert.Empty(_text.Blacklist);
    }

    private static Btf Types()
    {
        BtfBuilder types = new();
        int number = types.Int("unsigned int", 4);
        int word = types.Int("unsigned long", 8);
        int character = types.Int("char", 1);
        int name = types.Array(character, number, 16);
        int pointer = types.Pointer(0);
        int layout = types.Struct(
            "module_layout", 16, ("base", pointer, 0, 0), ("size", number, 64, 0), ("text_size", number, 96, 0));
        types.Struct(
            "module", 256, ("state", number, 0, 0), ("name", name, 64, 0), ("core_layout", layout, 192, 0),
            ("init_layout", layout, 320, 0), ("kallsyms", pointer, 448, 0),
            ("jump_entries", pointer, 512, 0), ("num_jump_entries", number, 576, 0),
            ("bug_table", pointer, 640, 0), ("num_bugs", number, 704, 0),
            ("extable", pointer, 768, 0), ("num_exentries", number, 832, 0),
            ("static_call_sites", pointer, 896, 0), ("num_static_call_sites", number, 960, 0),
            ("kprobe_blacklist", pointer, 1024, 0), ("num_kprobe_blacklist", number, 1088, 0),
            ("kprobes_text_start", word, 1152, 0), ("kprobes_text_size", number, 1216, 0),
            ("noinstr_text_start", word, 1280, 0), ("noinstr_text_size", number, 1344, 0));
        types.Struct(
            "mod_kallsyms", 32, ("symtab", pointer, 0, 0), ("num_symtab", number, 64, 0), ("strtab", pointer, 128, 0),
            ("typetab", pointer, 192, 0));
        return Btf.Parse("kernel", types.Build());
    }

    /// <summary>Writes a table of relative entries and the pointer and count that name it.</summary>
    private void Table(int member, ulong at, int entrySize, params ulong[] targets)
    {
        _ram.Write(Module + (ulong)member, at).Write(Module + (ulong)member + 8, (ulong)targets.Length, 4);
        Span<byte> entry = stackalloc byte[4];
        foreach (ulong target in targets)
        {
            BinaryPrimitives.WriteInt32LittleEndian(entry, (int)(target - at));
            _ram.Write(at, entry);
            at += (ulong)entrySize;
        }
    }

    private void WriteSymbols(params (string Name, ulong Address)[] symbols)
    {
        ulong table = Kallsyms + 0x100;
        ulong strings = Kallsyms + 0x400;
        ulong letters = Kallsyms + 0x600;
        _ram.Write(Kallsyms, table).Write(Kallsyms + 8, (ulong)symbols.Length, 4).Write(Kallsyms + 16, strings).Write(Kallsyms + 24, letters);
        uint offset = 1;
        for (int i = 0; i < symbols.Length; i++)
        {
            ulong entry = table + ((ulong)i * 24);
            _ram.Write(entry, offset, 4).Write(entry + 6, 1, 2).Write(entry + 8, symbols[i].Address)
                .Write(strings + offset, System.Text.Encoding.ASCII.GetBytes(symbols[i].Name + "\0")).Write(letters + (ulong)i, (byte)'t', 1);
            offset += (uint)symbols[i].Name.Length + 1;
        }
    }
}
