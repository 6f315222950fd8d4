using System.Text;
using KprobeTrace.Guest;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Guest;

/// <summary>Modules as each span of kernels keeps them in memory, and lists and sizes at their limits.</summary>
public sealed class ModuleLayoutTests
{
    private const ulong Ram = GuestImage.Text + 0x10_0000;
    private const ulong List = Ram + 0x100;
    private const ulong First = Ram + 0x1000;
    private const ulong Second = Ram + 0x2000;
    private const ulong Core = 0xFFFF_FFFF_C000_0000;
    private const ulong Init = 0xFFFF_FFFF_C010_0000;
    private const int Link = 0x40;
    private const int Name = 0x18;
    private const int Layout = 0x80;
    private const int Kallsyms = 0x200;

    private readonly GuestRam _ram = new(Ram, 0x10_0000);
    private readonly SymbolTable _symbols = GuestImage.Symbols(("modules", List));

    /// <summary>The layouts that there have been, with the core, its text, the init part and its text.</summary>
    public static TheoryData<string, object[]> Layouts => new()
    {
        // struct module_layout { base; size; text_size; … } core_layout, init_layout: 4.5 to 6.3.
        { "4.5", [new GuestRange(Core, Core + 0x5000), new GuestRange(Core, Core + 0x3000), new GuestRange(Init, Init + 0x2000), new GuestRange(Init, Init + 0x1000)] },

        // struct module_memory { base; size; } mem[7]: since 6.4, of which 0 is text and 4 init text.
        { "6.4", [new GuestRange(Core, Core + 0x5000), new GuestRange(Core, Core + 0x5000), new GuestRange(Init, Init + 0x2000), new GuestRange(Init, Init + 0x2000)] },

        // A structure of its own without a text size.
        { "memory", [new GuestRange(Core, Core + 0x5000), new GuestRange(Core, Core + 0x5000), new GuestRange(Init, Init + 0x2000), new GuestRange(Init, Init + 0x2000)] },
        { "none", [default(GuestRange), default(GuestRange), default(GuestRange), default(GuestRange)] },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Module_has_the_memory_that_its_layout_says(string layout, object[] ranges)
    {
        WriteModule(First, "loop", layout, 0x5000, 0x3000, 0x2000, 0x1000);

        GuestModule module = Guest(layout).ReadModule(First)!;

        Assert.Equal<object[]>(ranges, [module.Core, module.CoreText, module.Init, module.InitText]);
        Assert.Equal(("loop", First, 2u), (module.Name, module.Address, module.State));
        Assert.Equal(
            layout == "none" ? [(0ul, 0ul)] : [(Core, Core + 0x5000), (Init, Init + 0x2000)], module.Ranges);
    }

    [Theory]
    [InlineData("4.5")]
    [InlineData("6.4")]
    public void Module_whose_init_part_is_gone_has_its_core_only(string layout)
    {
        WriteModule(First, "loop", layout, 0x5000, 0x3000, 0, 0);
        WriteRange(First, layout, init: true, 0, 0, 0);

        GuestModule module = Guest(layout).ReadModule(First)!;

        Assert.Equal((default, default), (module.Init, module.InitText));
        Assert.Equal([(Core, Core + 0x5000)], module.Ranges);
    }

    [Theory]
    [InlineData(0u, true)]
    [InlineData(1u << 30, true)]
    [InlineData((1u << 30) + 1, false)]
    [InlineData(uint.MaxValue, false)]
    public void Size_of_a_module_is_a_gigabyte_at_most(uint size, bool allowed)
    {
        WriteModule(First, "loop", "6.4", size, 0, 0, 0);

        GuestModule module = Guest("6.4").ReadModule(First)!;

        Assert.Equal(allowed ? new GuestRange(Core, Core + size) : default, module.Core);
    }

    [Fact]
    public void Modules_are_listed_in_their_order_until_the_list_comes_back()
    {
        WriteModule(First, "one", "6.4", 0x1000, 0, 0, 0);
        WriteModule(Second, "two", "6.4", 0x1000, 0, 0, 0);
        _ram.Write(List, First + Link).Write(First + Link, Second + Link).Write(Second + Link, List);

        Assert.Equal(["one", "two"], Guest("6.4").ReadModules().Select(m => m.Name));
        _ram.Write(Second + Link, 0);
        Assert.Equal(["one", "two"], Guest("6.4").ReadModules().Select(m => m.Name));
        _ram.Write(First + Link, 0x1234);
        Assert.Equal(["one"], Guest("6.4").ReadModules().Select(m => m.Name));
        _ram.Write(List, List);
        Assert.Empty(Guest("6.4").ReadModules());
    }

    [Theory]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(4097)]
    public void Modules_are_read_up_to_as_many_as_there_can_be(int count)
    {
        const ulong size = 0x80;
        for (int i = 0; i < count; i++)
        {
            ulong module = Ram + 0x1_0000 + ((ulong)i * size);
            _ram.Write(module + Name, Encoding.ASCII.GetBytes($"m{i}\0")).Write(module + Link, i == count - 1 ? List : module + size + Link);
        }

        _ram.Write(List, Ram + 0x1_0000 + Link);

        Assert.Equal(Math.Min(count, 4096), Guest("none").ReadModules().Count);
    }

    [Theory]
    [InlineData(63, 63)]
    [InlineData(64, 64)]
    [InlineData(65, 64)]
    public void Name_of_a_module_has_64_bytes_at_most(int length, int read)
    {
        WriteModule(First, "x", "none", 0, 0, 0, 0);
        _ram.Write(First + Name, Encoding.ASCII.GetBytes(new string('n', length) + '\0'));

        Assert.Equal(new string('n', read), Guest("none").ReadModule(First)!.Name);
    }

    /// <summary>Symbols with letters in a table of their own since 5.2, and in the symbol itself before.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Symbols_have_their_letters_where_the_kernel_keeps_them(bool table)
    {
        WriteModule(First, "loop", "4.5", 0x5000, 0, 0, 0);
        WriteSymbols(
            table,
            ("", 0, 1, 't'), ("undefined", 5, 0, 't'), ("far", Core + 0x48, 0x100, 't'), ("loop_open", Core + 0x40, 1, 't'), ("data", Core + 0x4000, 0xFFF1, 'D'), ("", Core, 1, 'b'),
            ("odd", Core + 8, 2, '?'), ("zero", 0, 1, 'A'));

        GuestModule module = Guest("4.5", letters: table).ReadModule(First)!;

        Assert.Equal(
            [new Symbol("far", Core + 0x48, 0, 't', "loop"), new Symbol("loop_open", Core + 0x40, 0, 't', "loop"), new Symbol("data", Core + 0x4000, 0, 'D', "loop"), new Symbol("zero", 0, 0, 'A', "loop")],
            module.Symbols);
    }

    [Theory]
    [InlineData(400_000, true)]
    [InlineData(400_001, false)]
    [InlineData(-1, false)]
    public void Symbols_are_read_as_far_as_they_are_there_and_their_number_makes_sense(int count, bool some)
    {
        WriteModule(First, "loop", "4.5", 0x5000, 0, 0, 0);
        WriteSymbols(true, ("one", Core, 1, 't'), ("two", Core + 1, 1, 't'));
        _ram.Write(Ram + 0x3000 + 16, (uint)count, 4);

        IReadOnlyList<Symbol> symbols = Guest("4.5").ReadModule(First)!.Symbols;

        Assert.Equal(some ? ["one", "two"] : [], symbols.Select(s => s.Name).Take(2));
    }

    /// <summary>How many of four symbols have their entry, or their letter, in memory that is there.</summary>
    [Theory]
    [InlineData(24, 0)]
    [InlineData(24, 1)]
    [InlineData(24, 3)]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(1, 3)]
    public void Symbols_end_where_an_entry_or_a_letter_cannot_be_read(int size, int there)
    {
        WriteModule(First, "loop", "4.5", 0x5000, 0, 0, 0);
        WriteSymbols(true, ("one", Core, 1, 't'), ("two", Core + 1, 1, 't'), ("three", Core + 2, 1, 't'), ("four", Core + 3, 1, 't'));
        ulong from = size == 24 ? Ram + 0x4000 : Ram + 0x6000;
        ulong to = Ram + 0x10_0000 - (ulong)(size * there);
        byte[] bytes = new byte[size * there];
        Assert.True(_ram.TryRead(from, bytes) || there == 0);
        _ram.Write(to, bytes).Write(Ram + 0x3000 + (size == 24 ? 8ul : 32), to);

        string[] all = ["one", "two", "three", "four"];
        Assert.Equal(all.Take(there), Guest("4.5").ReadModule(First)!.Symbols.Select(s => s.Name));
    }

    [Theory]
    [InlineData(511, 511)]
    [InlineData(512, 512)]
    [InlineData(513, 512)]
    public void Name_of_a_symbol_has_512_bytes_at_most(int length, int read)
    {
        WriteModule(First, "loop", "4.5", 0x5000, 0, 0, 0);
        WriteSymbols(true, (new string('s', length), Core, 1, 't'));

        Assert.Equal(read, Assert.Single(Guest("4.5").ReadModule(First)!.Symbols).Name.Length);
    }

    [Fact]
    public void Unwind_tables_stand_where_the_architectures_part_says()
    {
        WriteModule(First, "loop", "6.4", 0x5000, 0, 0, 0);
        _ram.Write(First + 0x304, 77, 4).Write(First + 0x308, Core + 0x4000).Write(First + 0x310, Core + 0x4800);

        Assert.Equal(new GuestOrcTable(Core + 0x4000, Core + 0x4800, 77), Guest("6.4").ReadModule(First)!.Orc);
    }

    [Fact]
    public void State_is_read_anew()
    {
        WriteModule(First, "loop", "6.4", 0x5000, 0, 0, 0);
        LinuxGuest guest = Guest("6.4");

        Assert.Equal(2u, guest.ReadModuleState(First));
        _ram.Write(First + 4, 0, 4);
        Assert.Equal(0u, guest.ReadModuleState(First));
        Assert.Null(guest.ReadModuleState(0x1234));
        Assert.Null(guest.ReadModule(0x1234));
    }

    private LinuxGuest Guest(string layout, bool letters = true) => new(GuestImage.Load(static _ => { }), _symbols, Types(layout, letters), _ram);

    private static Btf Types(string layout, bool letters)
    {
        BtfBuilder types = new();
        int number = types.Int("unsigned int", 4);
        int pointer = types.Pointer(0);
        int name = types.Array(types.Int("char", 1), number, 56);
        int arch = types.Struct("mod_arch_specific", 0x18, ("num_orcs", number, 32, 0), ("orc_unwind_ip", pointer, 64, 0), ("orc_unwind", pointer, 128, 0));
        List<(string, int, uint, uint)> members =
        [
            ("state", number, 4 * 8, 0), ("list", pointer, Link * 8, 0), ("name", name, Name * 8, 0), ("kallsyms", pointer, Kallsyms * 8, 0), ("arch", arch, 0x300 * 8, 0),
        ];
        switch (layout)
        {
            case "4.5":
                int old = types.Struct("module_layout", 0x40, ("base", pointer, 64, 0), ("size", number, 128, 0), ("text_size", number, 160, 0));
                members.AddRange([("core_layout", old, Layout * 8, 0), ("init_layout", old, (Layout + 0x40) * 8, 0)]);
                break;
            case "6.4":
                int memory = types.Struct("module_memory", 0x48, ("base", pointer, 64, 0), ("is_rox", number, 128, 0), ("size", number, 160, 0));
                members.Add(("mem", types.Array(memory, number, 7), Layout * 8, 0));
                break;
            case "memory":
                int single = types.Struct("module_memory", 0x40, ("base", pointer, 64, 0), ("size", number, 128, 0));
                members.AddRange([("core_layout", single, Layout * 8, 0), ("init_layout", single, (Layout + 0x40) * 8, 0)]);
                break;
        }

        types.Struct("module", 0x400, [.. members]);
        List<(string, int, uint, uint)> kallsyms = [("symtab", pointer, 64, 0), ("num_symtab", number, 128, 0), ("strtab", pointer, 192, 0)];
        if (letters)
        {
            kallsyms.Add(("typetab", pointer, 256, 0));
        }

        types.Struct("mod_kallsyms", 40, [.. kallsyms]);
        return Btf.Parse("kernel", types.Build());
    }

    private void WriteModule(ulong at, string name, string layout, uint core, uint coreText, uint init, uint initText)
    {
        _ram.Write(at, 0xFFFF_FFFF_FFFF_FFFF).Write(at + 4, 2, 4).Write(at + Name, Encoding.ASCII.GetBytes(name + '\0'));
        WriteRange(at, layout, init: false, Core, core, coreText);
        WriteRange(at, layout, init: true, Init, init, initText);
    }

    private void WriteRange(ulong at, string layout, bool init, ulong start, uint size, uint text)
    {
        switch (layout)
        {
            case "4.5" or "memory":
                ulong range = at + Layout + (init ? 0x40ul : 0);
                _ram.Write(range + 8, start).Write(range + 16, size, 4).Write(range + 20, text, 4);
                break;
            case "6.4":
                // The other five memories lie elsewhere.
                for (int i = 0; i < 7; i++)
                {
                    if (i is not (0 or 4))
                    {
                        _ram.Write(at + Layout + (ulong)(i * 0x48) + 8, 0xFFFF_FFFF_C020_0000).Write(at + Layout + (ulong)(i * 0x48) + 20, 0x1000, 4);
                    }
                }

                ulong memory = at + Layout + (init ? 4 * 0x48ul : 0);
                _ram.Write(memory + 8, start).Write(memory + 16, 1, 4).Write(memory + 20, size, 4);
                break;
        }
    }

    private void WriteSymbols(bool table, params (string Name, ulong Address, ushort Section, char Letter)[] symbols)
    {
        const ulong kallsyms = Ram + 0x3000;
        const ulong entries = Ram + 0x4000;
        const ulong strings = Ram + 0x5000;
        const ulong letters = Ram + 0x6000;
        _ram.Write(First + Kallsyms, kallsyms).Write(kallsyms + 8, entries).Write(kallsyms + 16, (ulong)symbols.Length, 4).Write(kallsyms + 24, strings)
            .Write(kallsyms + 32, letters);
        uint name = 1;
        for (int i = 0; i < symbols.Length; i++)
        {
            ulong entry = entries + ((ulong)i * 24);
            _ram.Write(entry, symbols[i].Name.Length == 0 ? 0 : name, 4).Write(entry + 4, table ? (byte)'?' : (byte)symbols[i].Letter, 1).Write(entry + 5, 3, 1).Write(entry + 6, symbols[i].Section, 2)
                .Write(entry + 8, symbols[i].Address).Write(letters + (ulong)i, (byte)symbols[i].Letter, 1)
                .Write(strings + name, Encoding.ASCII.GetBytes(symbols[i].Name + '\0'));
            name += (uint)symbols[i].Name.Length + 1;
        }
    }
}
