using System.Buffers.Binary;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Loaders;
using KprobeTrace.Tests.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Guest;

public sealed class OrcUnwinderTests
{
    private const ulong Text = GuestImage.Text;
    private const ulong Stack = 0xFFFF_C900_0000_0000;
    private const int BySp = 5;
    private const int ByBp = 4;
    private const int ByPreviousSp = 1;
    private const int Registers = 1 << 8;
    private const int InterruptFrame = 2 << 8;
    private const int End = 1 << 10;

    private readonly GuestRam _stack = new(Stack, 0x4000);
    private readonly ulong[] _found = new ulong[16];

    [Fact]
    public void Follows_frames_of_fixed_size()
    {
        OrcUnwinder unwinder = Create((0x100, 8, 0, BySp), (0x200, 0x20, 0, BySp), (0x300, 8, 0, End));
        _stack.Write(Stack, Text + 0x210).Write(Stack + 8 + 0x18, Text + 0x220).Write(Stack + 0x28 + 0x18, Text + 0x310);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found);

        Assert.Equal([Text + 0x210, Text + 0x220, Text + 0x310], _found[..count]);
    }

    [Fact]
    public void A_return_address_uses_the_rule_of_the_call_before_it()
    {
        OrcUnwinder unwinder = Create((0x100, 8, 0, BySp), (0x200, 0x20, 0, BySp), (0x210, 0x80, 0, BySp), (0x300, 8, 0, End));
        _stack.Write(Stack, Text + 0x210).Write(Stack + 8 + 0x18, Text + 0x310);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found);

        Assert.Equal([Text + 0x210, Text + 0x310], _found[..count]);
    }

    [Fact]
    public void A_function_that_has_returned_begins_with_its_caller_and_goes_on_as_at_its_entry()
    {
        OrcUnwinder unwinder = Create((0x100, 8, 0, BySp), (0x200, 0x20, 0, BySp), (0x210, 0x80, 0, BySp), (0x300, 8, 0, End));
        _stack.Write(Stack, Text + 0x210).Write(Stack + 8 + 0x18, Text + 0x310);

        int entry = unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found);
        ulong[] atEntry = _found[..entry];
        int returned = unwinder.WalkReturned(new UnwindRegisters(Text + 0x210, Stack + 8, 0), _found);

        Assert.Equal([Text + 0x210, Text + 0x310], atEntry);
        Assert.Equal(atEntry, _found[..returned]);
        Assert.Equal(0, unwinder.WalkReturned(new UnwindRegisters(Text + 0x210, Stack + 8, 0), []));
        Assert.Equal(0, unwinder.WalkReturned(new UnwindRegisters(0x40_0000, Stack + 8, 0), _found));
    }

    [Fact]
    public void Without_tables_a_function_that_has_returned_begins_with_its_caller_too()
    {
        OrcUnwinder unwinder = new(GuestImage.Load(static _ => { }), SymbolTable.Empty, null, _stack);
        ulong frame = Stack + 0x100;
        _stack.Write(Stack, Text + 0x50).Write(frame, 0).Write(frame + 8, Text + 0x50);

        // The caller called itself: equal return addresses are two frames.
        int entry = unwinder.Walk(new UnwindRegisters(Text + 0x10, Stack, frame), _found);
        ulong[] atEntry = _found[..entry];
        int returned = unwinder.WalkReturned(new UnwindRegisters(Text + 0x50, Stack + 8, frame), _found);

        Assert.Equal([Text + 0x50, Text + 0x50], atEntry);
        Assert.Equal(atEntry, _found[..returned]);
    }

    [Fact]
    public void Follows_frames_by_BP_and_restores_BP()
    {
        OrcUnwinder unwinder = Create(
            (0x100, 16, -16, BySp | (ByPreviousSp << 4)), (0x200, 16, -16, ByBp | (ByPreviousSp << 4)), (0x300, 8, 0, End));
        ulong bp = Stack + 0x100;
        _stack.Write(Stack, bp).Write(Stack + 8, Text + 0x210).Write(bp, 0x77).Write(bp + 8, Text + 0x310);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0xDEAD), _found);

        Assert.Equal([Text + 0x210, Text + 0x310], _found[..count]);
    }

    [Fact]
    public void Crosses_an_interrupt_to_the_exact_instruction()
    {
        OrcUnwinder unwinder = Create((0x100, 0, 0, BySp | Registers), (0x200, 8, 0, BySp), (0x300, 8, 0, End));
        ulong task = Stack + 0x2000;
        _stack.Write(Stack + 128, Text + 0x200).Write(Stack + 136, 0x10).Write(Stack + 152, task).Write(task, Text + 0x310);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found);

        Assert.Equal([Text + 0x200, Text + 0x310], _found[..count]);
    }

    [Theory]
    [InlineData(8, true)]
    [InlineData(9, false)]
    [InlineData(12, false)]
    [InlineData(15, false)]
    [InlineData(16, true)]
    public void A_frame_that_is_not_aligned_ends_the_walk(short size, bool isFollowed)
    {
        OrcUnwinder unwinder = Create((0x100, size, 0, BySp), (0x200, 8, 0, BySp), (0x300, 8, 0, End));
        _stack.Write(Stack + (ulong)size - 8, Text + 0x210).Write(Stack + (ulong)size, Text + 0x310);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found);

        Assert.Equal(isFollowed ? [Text + 0x210, Text + 0x310] : [], _found[..count]);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(0x200, true)]
    public void A_frame_by_a_register_of_zero_ends_the_walk_though_memory_is_there(ulong bp, bool isFollowed)
    {
        GuestRam low = new(0, 0x1000);
        OrcUnwinder unwinder = Create(null, low, (0x100, 0x40, 0, ByBp), (0x200, 8, 0, BySp), (0x300, 8, 0, End));
        low.Write(bp + 0x38, Text + 0x210).Write(bp + 0x40, Text + 0x310);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x100, 0x100, bp), _found);

        Assert.Equal(isFollowed ? [Text + 0x210, Text + 0x310] : [], _found[..count]);
    }

    [Fact]
    public void Stops_at_user_mode()
    {
        OrcUnwinder unwinder = Create((0x100, 0, 0, BySp | InterruptFrame), (0x200, 8, 0, BySp));
        _stack.Write(Stack, Text + 0x200).Write(Stack + 8, 0x33).Write(Stack + 24, Stack + 0x100);

        Assert.Equal(0, unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found));
    }

    [Fact]
    public void Takes_the_layout_of_6_4_from_the_types()
    {
        BtfBuilder builder = new();
        int number = builder.Int("unsigned int", 4);
        builder.Struct(
            "orc_entry", 6, ("sp_offset", number, 0, 0), ("bp_offset", number, 16, 0), ("sp_reg", number, 32, 4),
            ("bp_reg", number, 36, 4), ("type", number, 40, 3), ("signal", number, 43, 1));
        OrcUnwinder unwinder = Create(
            Btf.Parse("kernel", builder.Build()), (0x100, 8, 0, BySp | (2 << 8)), (0x200, 8, 0, BySp | (2 << 8)), (0x300, 0, 0, 1 << 8));
        _stack.Write(Stack, Text + 0x210).Write(Stack + 8, Text + 0x310);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found);

        Assert.Equal([Text + 0x210, Text + 0x310], _found[..count]);
    }

    [Fact]
    public void Takes_the_register_numbers_of_7_0_from_what_most_rules_are_about()
    {
        const int sp = 3;
        const int bp = 4;
        const int previousSp = 8 << 4;
        const int spIndirect = 9;
        const int bpIndirect = 10;
        OrcUnwinder unwinder = Create(
            (0x100, 16, -16, sp | previousSp), (0x200, 16, -16, bp | previousSp), (0x300, -8, 0, bpIndirect | (bp << 4)),
            (0x400, 16, 0, spIndirect), (0x500, 8, 0, sp), (0x600, 8, 0, sp | End));
        ulong frame = Stack + 0x100;
        ulong realigned = Stack + 0x200;
        ulong irq = Stack + 0x300;
        _stack.Write(Stack, frame).Write(Stack + 8, Text + 0x210)
            .Write(frame, realigned).Write(frame + 8, Text + 0x310)
            .Write(realigned - 8, Stack + 0x280).Write(Stack + 0x278, Text + 0x410)
            .Write(Stack + 0x280, irq).Write(irq + 8, Text + 0x510)
            .Write(irq + 16, Text + 0x610);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0xDEAD), _found);

        Assert.Equal([Text + 0x210, Text + 0x310, Text + 0x410, Text + 0x510, Text + 0x610], _found[..count]);
    }

    [Theory]
    [InlineData(0x1234ul)]
    [InlineData(Stack + 4)]
    [InlineData(0ul)]
    [InlineData(ulong.MaxValue - 7)]
    public void A_stack_that_cannot_be_read_ends_the_walk(ulong sp)
    {
        OrcUnwinder unwinder = Create((0x100, 8, 0, BySp));

        Assert.Equal(0, unwinder.Walk(new UnwindRegisters(Text + 0x100, sp, 0), _found));
    }

    [Fact]
    public void Frames_that_do_not_rise_end_the_walk()
    {
        OrcUnwinder unwinder = Create((0x100, 8, 0, BySp), (0x200, 0, 0, BySp));
        _stack.Write(Stack, Text + 0x210).Write(Stack + 8 - 8, Text + 0x210);

        Assert.Equal(1, unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found));
    }

    [Fact]
    public void Without_tables_frame_pointers_are_followed()
    {
        LoadedImage image = GuestImage.Load(static _ => { });
        OrcUnwinder unwinder = new(image, SymbolTable.Empty, null, _stack);
        ulong first = Stack + 0x100;
        ulong second = Stack + 0x200;
        _stack.Write(Stack, Text + 0x50).Write(first, second).Write(first + 8, Text + 0x60).Write(second, 0)
            .Write(second + 8, Text + 0x70);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x10, Stack, first), _found);

        Assert.False(unwinder.HasOrc);
        Assert.Equal([Text + 0x50, Text + 0x60, Text + 0x70], _found[..count]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Frame_pointers_are_followed_as_far_as_there_is_room(int room)
    {
        OrcUnwinder unwinder = new(GuestImage.Load(static _ => { }), SymbolTable.Empty, null, _stack);
        WriteFrames(third: Text + 0x70);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x10, Stack, Stack + 0x100), _found.AsSpan(0, room));

        Assert.Equal(room, count);
        Assert.Equal(new ulong[16 - room], _found[room..]);
    }

    [Fact]
    public void Frame_pointers_are_followed_to_the_first_return_address_that_is_no_code()
    {
        OrcUnwinder unwinder = new(GuestImage.Load(static _ => { }), SymbolTable.Empty, null, _stack);
        WriteFrames(third: 0x1234);

        int count = unwinder.Walk(new UnwindRegisters(Text + 0x10, Stack, Stack + 0x100), _found);

        Assert.Equal([Text + 0x50, Text + 0x60], _found[..count]);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 2, 1)]
    [InlineData(2, 1, 1)]
    [InlineData(0, 3, 0)]
    [InlineData(3, 0, 0)]
    public void A_table_has_as_many_rules_as_both_its_halves(int addresses, int rules, int count) =>
        Assert.Equal(count, new OrcTable(new byte[addresses * 4], Text, new byte[rules * 6]).Count);

    [Fact]
    public void A_modules_tables_hold_while_it_is_added()
    {
        const ulong Module = Stack + 0x10_0000;
        OrcUnwinder unwinder = Create((0x200, 8, 0, End));
        ulong ips = Stack + 0x1000;
        ulong entries = Stack + 0x1100;
        _stack.Write(ips, (uint)(Module - ips), 4).Write(entries, 8, 2).Write(entries + 4, BySp, 2)
            .Write(Stack, Text + 0x210);
        GuestModule module = new(
            "m", 1, 0, new GuestRange(Module, Module + 0x1000), default, new GuestRange(Module, Module + 0x1000), default, [],
            new GuestOrcTable(ips, entries, 1));
        UnwindRegisters start = new(Module + 4, Stack, 0);

        Assert.Equal(0, unwinder.Walk(start, _found));
        unwinder.AddModule(module);
        int count = unwinder.Walk(start, _found);
        unwinder.RemoveModule("m");

        Assert.Equal([Text + 0x210], _found[..count]);
        Assert.Equal(0, unwinder.Walk(start, _found));
    }

    [Fact]
    public void Return_address_in_a_module_is_followed_where_the_module_has_rules()
    {
        const ulong module = Stack + 0x10_0000;
        ulong ips = Stack + 0x1000;
        ulong entries = Stack + 0x1100;
        OrcUnwinder unwinder = Create((0x100, 8, 0, BySp), (0x200, 8, 0, End));
        _stack.Write(ips, (uint)(module - ips), 4).Write(entries, 8, 2).Write(entries + 4, BySp, 2)
            .Write(Stack, module + 0x10).Write(Stack + 8, module + 0x2010).Write(Stack + 16, Text + 0x210);
        GuestModule whole = new(
            "m", 1, 0, new GuestRange(module, module + 0x1000), new GuestRange(module + 0x2000, module + 0x3000), new GuestRange(module, module + 0x1000),
            new GuestRange(module + 0x2000, module + 0x3000), [], new GuestOrcTable(ips, entries, 1));
        UnwindRegisters start = new(Text + 0x100, Stack, 0);

        unwinder.AddModule(whole);
        int with = unwinder.Walk(start, _found);
        Assert.Equal([module + 0x10, module + 0x2010, Text + 0x210], _found[..with]);

        unwinder.AddModule(whole with { Orc = default });
        Assert.Equal(0, unwinder.Walk(start, _found));
        unwinder.AddModule(whole with { Orc = new GuestOrcTable(ips, entries, 4_000_001) });
        Assert.Equal(0, unwinder.Walk(start, _found));
        unwinder.AddModule(whole with { Orc = new GuestOrcTable(0x1234, entries, 1) });
        Assert.Equal(0, unwinder.Walk(start, _found));
    }

    [Fact]
    public void Rule_that_says_nothing_of_the_frame_ends_the_walk_also_where_low_memory_is_there()
    {
        GuestRam low = new(0, 0x1000);
        low.Write(8, Text + 0x210).Write(0x108, Text + 0x310);
        OrcUnwinder unwinder = Create(null, low, (0x100, 16, 0, 0), (0x200, 16, 0, 15), (0x300, 0x10, 0, BySp));

        Assert.Equal(0, unwinder.Walk(new UnwindRegisters(Text + 0x100, 0x100, 0x100), _found));
        Assert.Equal(0, unwinder.Walk(new UnwindRegisters(Text + 0x200, 0x100, 0x100), _found));
        Assert.Equal(1, unwinder.Walk(new UnwindRegisters(Text + 0x300, 0x100, 0x100), _found));
    }

    [Fact]
    public void Numbers_are_the_old_ones_unless_most_rules_say_otherwise()
    {
        // As many rules about number 3, which was RDI, as about number 5, the stack pointer.
        OrcUnwinder unwinder = Create((0x100, 8, 0, BySp), (0x200, 8, 0, 3));
        _stack.Write(Stack, Text + 0x310);

        Assert.Equal(1, unwinder.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found));
        Assert.Equal(Text + 0x310, _found[0]);
    }

    [Fact]
    public void Init_text_is_text_with_rules_and_without()
    {
        _stack.Write(Stack, Text + 0x3010).Write(Stack + 8, Text + 0x310);
        (string, ulong)[] init = [("_sinittext", Text + 0x3000), ("_einittext", Text + 0x3800)];
        OrcUnwinder with = Create(null, _stack, init, (0x100, 8, 0, BySp), (0x3000, 8, 0, BySp));
        OrcUnwinder without = Create(null, _stack, init);
        OrcUnwinder none = Create(null, _stack, (0x100, 8, 0, BySp), (0x3000, 8, 0, BySp));

        int count = with.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found);
        Assert.Equal([Text + 0x3010, Text + 0x310], _found[..count]);
        Assert.Equal(1, without.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found));
        Assert.Equal(Text + 0x3010, _found[0]);
        Assert.Equal(0, none.Walk(new UnwindRegisters(Text + 0x100, Stack, 0), _found));
    }

    [Theory]
    [InlineData(Stack, 1)]
    [InlineData(Stack + 4, 0)]
    public void Return_address_stands_at_a_whole_word(ulong sp, int found)
    {
        OrcUnwinder unwinder = new(GuestImage.Load(static _ => { }), SymbolTable.Empty, null, _stack);
        _stack.Write(sp, Text + 0x50);

        Assert.Equal(found, unwinder.Walk(new UnwindRegisters(Text + 0x10, sp, 0), _found));
    }

    [Fact]
    public void Stack_is_looked_at_anew_in_every_walk()
    {
        MovedMemory memory = new(_stack, new GuestRam(Stack, 0x1000).Write(Stack, Text + 0x60));
        OrcUnwinder unwinder = new(GuestImage.Load(static _ => { }), SymbolTable.Empty, null, memory);
        _stack.Write(Stack, Text + 0x50);
        UnwindRegisters start = new(Text + 0x10, Stack, 0);
        UnwindRegisters frame = new(Text + 0x10, Stack, Stack + 0x100);
        _stack.Write(Stack + 0x108, Text + 0x70);

        unwinder.Walk(start, _found);
        Assert.Equal(Text + 0x50, _found[0]);
        memory.IsMoved = true;
        unwinder.Walk(start, _found);
        Assert.Equal(Text + 0x60, _found[0]);
        memory.IsMoved = false;
        Assert.Equal(2, unwinder.WalkReturned(frame, _found));
        memory.IsMoved = true;
        Assert.Equal(1, unwinder.WalkReturned(frame, _found));
    }

    [Theory]
    [InlineData(0x0FFFul, false)]
    [InlineData(0x1000ul, true)]
    [InlineData(0x8FFFul, true)]
    [InlineData(0x9000ul, false)]
    public void Without_symbols_text_reaches_over_all_that_may_be_executed(ulong at, bool text)
    {
        byte[] first = new byte[0x1000];
        "Linux version 6.1.0 x"u8.CopyTo(first.AsSpan(0x800));
        byte[] elf = new ElfBuilder { Entry = GuestImage.Physical + 0x1000 }
            .Segment(Text, GuestImage.Physical, new byte[0x1000], flags: 4)
            .Segment(Text + 0x1000, GuestImage.Physical + 0x1000, first, flags: 5)
            .Segment(Text + 0x8000, GuestImage.Physical + 0x8000, new byte[0x1000], flags: 5)
            .Segment(Text + 0x4000, GuestImage.Physical + 0x4000, new byte[0x1000], flags: 5)
            .Segment(Text + 0xA000, GuestImage.Physical + 0xA000, new byte[0x1000], flags: 6).Build();
        LoadedImage image = ImageLoader.Load("vmlinux", elf, new ImageLoadOptions { MemorySize = 64 << 20 });

        foreach (SymbolTable symbols in new[] { SymbolTable.Empty, GuestImage.Symbols(("_stext", Text + 0x100), ("_etext", Text + 0x100)) })
        {
            Assert.Equal(text ? 1 : 0, new OrcUnwinder(image, symbols, null, _stack).WalkReturned(new UnwindRegisters(Text + at, Stack, 0), _found));
        }
    }

    private void WriteFrames(ulong third)
    {
        ulong first = Stack + 0x100;
        ulong second = Stack + 0x200;
        _stack.Write(Stack, Text + 0x50).Write(first, second).Write(first + 8, Text + 0x60).Write(second, Stack + 0x300).Write(second + 8, third)
            .Write(Stack + 0x300, 0).Write(Stack + 0x308, Text + 0x80);
    }

    private OrcUnwinder Create(params (int Ip, short Sp, short Bp, int Bits)[] rules) => Create(null, rules);

    private OrcUnwinder Create(Btf? types, params (int Ip, short Sp, short Bp, int Bits)[] rules) => Create(types, _stack, rules);

    private static OrcUnwinder Create(Btf? types, GuestRam memory, params (int Ip, short Sp, short Bp, int Bits)[] rules) =>
        Create(types, memory, [], rules);

    private static OrcUnwinder Create(Btf? types, GuestRam memory, (string, ulong)[] symbolsToo, params (int Ip, short Sp, short Bp, int Bits)[] rules)
    {
        const int Ips = 0x1000;
        const int Entries = 0x2000;
        LoadedImage image = GuestImage.Load(bytes =>
        {
            for (int i = 0; i < rules.Length; i++)
            {
                int at = Ips + (i * 4);
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), rules[i].Ip - at);
                Span<byte> entry = bytes.AsSpan(Entries + (i * 6));
                BinaryPrimitives.WriteInt16LittleEndian(entry, rules[i].Sp);
                BinaryPrimitives.WriteInt16LittleEndian(entry[2..], rules[i].Bp);
                BinaryPrimitives.WriteUInt16LittleEndian(entry[4..], (ushort)rules[i].Bits);
            }
        });
        SymbolTable symbols = GuestImage.Symbols([
            .. symbolsToo, ("_stext", Text), ("_etext", Text + 0x1000),
            ("__start_orc_unwind_ip", Text + Ips), ("__stop_orc_unwind_ip", Text + Ips + ((ulong)rules.Length * 4)),
            ("__start_orc_unwind", Text + Entries), ("__stop_orc_unwind", Text + Entries + ((ulong)rules.Length * 6))]);
        return new OrcUnwinder(image, symbols, types, memory);
    }

    /// <summary>Memory that is mapped to one place, and later to another.</summary>
    private sealed unsafe class MovedMemory(GuestRam first, GuestRam second) : IGuestMemory
    {
        public bool IsMoved { get; set; }

        public bool TryRead(ulong virtualAddress, Span<byte> into) => (IsMoved ? second : first).TryRead(virtualAddress, into);

        public byte* TryGetPointer(ulong virtualAddress) => (IsMoved ? second : first).TryGetPointer(virtualAddress);
    }
}
