using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Guest;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Guest;

/// <summary>Tasks, stacks, trampolines and code sites at the edges of pages, tables and limits.</summary>
public sealed unsafe class GuestLimitTests
{
    private const ulong Text = GuestImage.Text;
    private const ulong Ram = 0xFFFF_8880_0000_0000;
    private const ulong Task = Ram + 0x1000;
    private const ulong Trampoline = Text + 0x100;
    private const ulong Graph = Text + 0x200;
    private const ulong Caller = Text + 0x300;
    private const ulong Slot = Ram + 0x8000;

    private readonly GuestRam _ram = new(Ram, 0x4_0000);
    private readonly ulong[] _found = new ulong[64];

    /// <summary>A name's bytes, what is read of it, and its length.</summary>
    [Theory]
    [InlineData("", "")]
    [InlineData("a", "a")]
    [InlineData("1234567", "1234567")]
    [InlineData("12345678", "12345678")]
    [InlineData("123456789", "123456789")]
    [InlineData("123456789012345", "123456789012345")]
    [InlineData("1234567890123456", "123456789012345")]
    [InlineData("a\0behind", "a")]
    [InlineData("\0behind", "")]
    [InlineData("1234567\0behind!!", "1234567")]
    public void Name_of_a_task_ends_before_its_first_NUL(string bytes, string name)
    {
        byte[] comm = new byte[16];
        Encoding.ASCII.GetBytes(bytes).CopyTo(comm, 0);
        CurrentTask task = new() { CommLow = BitConverter.ToUInt64(comm), CommHigh = BitConverter.ToUInt64(comm, 8) };

        Assert.Equal(name, task.Comm);
        byte[] copy = new byte[20];
        Assert.Equal(name.Length, task.CopyComm(copy));
        Assert.Equal(Encoding.ASCII.GetBytes(name), copy[..name.Length]);
    }

    [Fact]
    public void Tasks_are_equal_when_all_of_them_is()
    {
        CurrentTask task = new() { Address = 1, Pid = 2, Tgid = 3, CommLow = 4, CommHigh = 5 };
        CurrentTask same = task;

        Assert.True(task == same && task.Equals((object)same) && task.GetHashCode() == same.GetHashCode());
        CurrentTask[] others =
        [
            task with { Address = 9 }, task with { Pid = 9 }, task with { Tgid = 9 }, task with { CommLow = 9 }, task with { CommHigh = 9 },
        ];
        Assert.All(others, other => Assert.True(task != other && !(task == other) && !task.Equals(other)));
        Assert.False(task != same);
        Assert.False(task.Equals("task"));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(63, true)]
    [InlineData(64, false)]
    [InlineData(-1, false)]
    public void Processors_are_numbered_from_0_to_63(int cpu, bool known)
    {
        LinuxGuest guest = Guest();
        WriteTask(Task, 7, "seven");
        _ram.Write(Ram + (ulong)(Math.Max(cpu, 0) * 8), Ram + 0x400).Write(Ram + 0x440, Task);

        guest.ReadCurrent(cpu, out CurrentTask task);

        Assert.Equal(known ? 7 : 0, task.Pid);
        Assert.Equal(known ? Task : 0, guest.CurrentTaskAddress(cpu));
    }

    [Fact]
    public void Two_hundred_fifty_six_tasks_are_remembered_and_those_that_share_a_place_are_told_apart()
    {
        LinuxGuest guest = Guest();
        _ram.Write(Ram, Ram + 0x400);
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < 600; i++)
            {
                ulong task = Ram + 0x1000 + ((ulong)i * 0x100);
                if (round == 0)
                {
                    WriteTask(task, i, $"task{i}");
                }

                _ram.Write(Ram + 0x440, task);
                guest.ReadCurrent(0, out CurrentTask found);
                Assert.Equal((task, i, i + 1000, $"task{i}"), (found.Address, found.Pid, found.Tgid, found.Comm));
            }
        }
    }

    /// <summary>Where in its page a task begins: the last place at which the end of its name does not reach the next page, and beyond.</summary>
    [Theory]
    [InlineData(0xFC8, true)]
    [InlineData(0xFC9, false)]
    [InlineData(0xFD8, true)]
    [InlineData(0xFD0, true)]
    [InlineData(0xFEC, true)]
    [InlineData(0xFED, false)]
    [InlineData(0xFF0, true)]
    [InlineData(0xFF1, true)]
    public void Member_that_would_lie_across_pages_is_not_read(int at, bool known)
    {
        // pid at 0x10, tgid at 0x14, comm at 0x28.
        ulong task = Ram + 0x3000 + (ulong)at;
        LinuxGuest guest = Guest();
        WriteTask(task, 9, "nine");
        _ram.Write(Ram, Ram + 0x400).Write(Ram + 0x440, task);

        guest.ReadCurrent(0, out CurrentTask found);

        bool straddles = new (ulong At, ulong Size)[] { (0x10, 4), (0x14, 4), (0x28, 8), (0x30, 8) }
            .Any(m => ((task + m.At) & 0xFFF) + m.Size > 0x1000);
        Assert.Equal(known, !straddles);
        Assert.Equal(known ? (9, "nine") : (0, ""), (found.Pid, found.Comm));
    }

    [Fact]
    public void Per_CPU_area_that_moves_is_followed()
    {
        LinuxGuest guest = Guest();
        WriteTask(Task, 1, "one");
        WriteTask(Task + 0x100, 2, "two");
        _ram.Write(Ram, Ram + 0x400).Write(Ram + 0x440, Task).Write(Ram + 0x540, Task + 0x100);
        guest.ReadCurrent(0, out CurrentTask first);
        _ram.Write(Ram, Ram + 0x500);
        guest.ReadCurrent(0, out CurrentTask second);
        Assert.Equal((1, 2), (first.Pid, second.Pid));
        Assert.Equal(Task + 0x100, guest.CurrentTaskAddress(0));
        _ram.Write(Ram, 0);
        guest.ReadCurrent(0, out CurrentTask none);
        Assert.Equal(default, none);
        Assert.Equal(0ul, guest.CurrentTaskAddress(0));
    }

    /// <summary>Where the instruction is and the rule found there: rules at 0x100, twice at 0x200, and at 0x300.</summary>
    [Theory]
    [InlineData(0xFFul, null)]
    [InlineData(0x100ul, 1)]
    [InlineData(0x101ul, 1)]
    [InlineData(0x1FFul, 1)]
    [InlineData(0x200ul, 3)]
    [InlineData(0x201ul, 3)]
    [InlineData(0x2FFul, 3)]
    [InlineData(0x300ul, 4)]
    [InlineData(0x3000_0000ul, 4)]
    [InlineData(0x1_0150ul, 4)]
    [InlineData(0x1_0000_00FFul, 4)]
    [InlineData(0x1_0000_0100ul, null)]
    [InlineData(0ul, null)]
    public void Rule_holds_from_its_instruction_to_the_next_and_the_last_of_several(ulong ip, int? rule)
    {
        OrcTable table = Table(0x100, 0x200, 0x200, 0x300);

        Assert.Equal(rule is not null, table.TryFind(ip, out short sp, out short bp, out ushort bits));
        Assert.Equal((rule ?? 0, -(rule ?? 0), (rule ?? 0) * 0x1111), (sp, bp, bits));
        Assert.Equal((true, 4), (table.IsSorted, table.Count));
    }

    [Fact]
    public void Table_whose_instructions_fall_is_told_and_rules_are_counted_by_their_register()
    {
        Assert.False(Table(0x100, 0xFF).IsSorted);
        Assert.True(Table(0x100, 0x100).IsSorted);
        Assert.True(Table().IsSorted);
        Assert.False(Table().TryFind(0x100, out _, out _, out _));
        OrcTable table = Table(0x100, 0x200, 0x300);
        Assert.Equal((1, 1, 0), (table.RulesFrom(1), table.RulesFrom(2), table.RulesFrom(5)));
    }

    [Theory]
    [InlineData(0ul, 1)]
    [InlineData(8ul, 2)]
    [InlineData(0x800ul, 2)]
    public void Frame_pointers_are_followed_while_they_rise(ulong between, int found)
    {
        ulong bp = Ram + 0x100;
        _ram.Write(bp, bp + 8 + between).Write(bp + 8, Text + 0x60).Write(bp + 16 + between, Text + 0x70).Write(bp + 8 + between, between == 0 ? Text + 0x60 : 0);
        OrcUnwinder unwinder = new(GuestImage.Load(static _ => { }), SymbolTable.Empty, null, _ram);

        Assert.Equal(found, unwinder.WalkReturned(new UnwindRegisters(Text + 0x50, bp, bp), _found) - 1);
    }

    /// <summary>How far above the stack pointer a frame lies: less than a megabyte, aligned, not below.</summary>
    [Theory]
    [InlineData(0, true)]
    [InlineData(8, true)]
    [InlineData(4, false)]
    [InlineData(-8, false)]
    [InlineData(0xF_FFF8, true)]
    [InlineData(0x10_0000, false)]
    public void Frame_lies_above_the_stack_pointer(int above, bool followed)
    {
        GuestRam ram = new(Ram, 0x20_0000);
        ulong sp = Ram + 0x100;
        ulong bp = sp + (ulong)(long)above;
        if (above % 8 == 0)
        {
            ram.Write(bp, 0).Write(bp + 8, Text + 0x60);
        }

        OrcUnwinder unwinder = new(GuestImage.Load(static _ => { }), SymbolTable.Empty, null, ram);
        int count = unwinder.WalkReturned(new UnwindRegisters(Text + 0x50, sp, bp), _found);

        Assert.Equal(followed ? [Text + 0x50, Text + 0x60] : [Text + 0x50], _found[..count]);
    }

    [Theory]
    [InlineData(0ul, true)]
    [InlineData(GuestImage.Size - 1, true)]
    [InlineData((ulong)GuestImage.Size, false)]
    [InlineData(ulong.MaxValue, false)]
    public void Return_address_lies_in_text(ulong at, bool text)
    {
        OrcUnwinder unwinder = new(GuestImage.Load(static _ => { }), SymbolTable.Empty, null, _ram);

        Assert.Equal(text ? 1 : 0, unwinder.WalkReturned(new UnwindRegisters(Text + at, Ram, 0), _found));
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(ReturnTrampolines.MaxInstances - 1, true)]
    [InlineData(ReturnTrampolines.MaxInstances, true)]
    [InlineData(ReturnTrampolines.MaxInstances + 1, false)]
    public void Return_address_is_found_among_as_many_calls_as_are_looked_at(int position, bool found)
    {
        // task_struct.rethooks leads to nodes of 16 bytes: next, and behind it address and slot.
        BtfBuilder types = new();
        int word = types.Int("long unsigned int", 8);
        types.Struct("task_struct", 0x100, ("rethooks", word, 0x40 * 8, 0));
        types.Struct("rethook_node", 0x18, ("llist", word, 0, 0), ("ret_addr", word, 64, 0), ("frame", word, 128, 0));
        ulong node = Ram + 0x1_0000;
        GuestRam ram = new(Ram, 0x20_0000);
        ram.Write(Task + 0x40, node);
        for (int i = 1; i <= position; i++, node += 0x18)
        {
            ram.Write(node, i == position ? 0 : node + 0x18).Write(node + 8, i == position ? Caller : Caller + 1).Write(node + 16, i == position ? Slot : Slot + 8);
        }

        Assert.Equal(found ? Caller : Trampoline, Trampolines(types, ram).Recover(Trampoline, Slot));
    }

    [Fact]
    public void One_trampoline_behind_another_is_followed()
    {
        BtfBuilder types = new();
        int word = types.Int("long unsigned int", 8);
        int number = types.Int("int", 4, encoding: 1);
        types.Struct("ftrace_ret_stack", 16, ("ret", word, 0, 0), ("retp", word, 64, 0));
        types.Struct("task_struct", 0x100, ("rethooks", word, 0x40 * 8, 0), ("curr_ret_stack", number, 0x60 * 8, 0), ("ret_stack", types.Pointer(word), 0x68 * 8, 0));
        types.Struct("rethook_node", 0x18, ("llist", word, 0, 0), ("ret_addr", word, 64, 0), ("frame", word, 128, 0));
        _ram.Write(Task + 0x40, Ram + 0x2000).Write(Ram + 0x2000, 0).Write(Ram + 0x2008, Graph).Write(Ram + 0x2010, Slot)
            .Write(Task + 0x60, 2, 4).Write(Task + 0x68, Ram + 0x3000).Write(Ram + 0x3000, Caller).Write(Ram + 0x3008, Slot);

        Assert.Equal(Caller, Trampolines(types).Recover(Trampoline, Slot));
        Assert.Equal(Graph, Trampolines(types).Recover(Graph, Slot + 8));
    }

    /// <summary>How many words the graph tracer's stack has, and whether the entry of two words at its bottom or top is found.</summary>
    [Theory]
    [InlineData(0, false, false)]
    [InlineData(1, false, false)]
    [InlineData(2, true, true)]
    [InlineData(510, true, true)]
    [InlineData(512, true, true)]
    [InlineData(514, true, false)]
    public void Graph_tracers_stack_is_looked_at_within_its_words(int words, bool bottom, bool top)
    {
        BtfBuilder types = new();
        int word = types.Int("long unsigned int", 8);
        int number = types.Int("int", 4, encoding: 1);
        types.Struct("ftrace_ret_stack", 16, ("ret", word, 0, 0), ("retp", word, 64, 0));
        types.Struct("task_struct", 0x100, ("curr_ret_stack", number, 0x60 * 8, 0), ("ret_stack", types.Pointer(word), 0x68 * 8, 0));
        ulong stack = Ram + 0x4000;
        _ram.Write(Task + 0x60, (uint)words, 4).Write(Task + 0x68, stack).Write(stack, Caller).Write(stack + 8, Slot);
        if (words > 2)
        {
            _ram.Write(stack + ((ulong)words * 8) - 16, Caller + 2).Write(stack + ((ulong)words * 8) - 8, Slot + 8);
        }

        Assert.Equal(bottom ? Caller : Graph, Trampolines(types).Recover(Graph, Slot));
        Assert.Equal(top ? words > 2 ? Caller + 2 : Caller : Graph, Trampolines(types).Recover(Graph, words > 2 ? Slot + 8 : Slot));
    }

    [Theory]
    [InlineData(0x100ul, 0x105ul, false)]
    [InlineData(0x100ul, 0x104ul, true)]
    [InlineData(0x100ul, 0x100ul, true)]
    [InlineData(0x100ul, 0xFFul, false)]
    public void Site_of_a_call_covers_its_five_bytes(ulong site, ulong address, bool inside)
    {
        CodeSites sites = CodeSites.Create([site, 0x50, 0x1000], isCall: true);

        Assert.Equal(inside ? new GuestRange(site, site + 5) : null, sites.At(address));
        Assert.Equal(address == site, sites.BeginAt(address));
        Assert.Equal([0x50ul, 0x100, 0x1000], sites.Addresses);
    }

    /// <summary>Two bytes of code and how long the site is that they begin.</summary>
    [Theory]
    [InlineData(0xEB, 0x00, 2)]
    [InlineData(0x66, 0x90, 2)]
    [InlineData(0x66, 0x91, 5)]
    [InlineData(0x67, 0x90, 5)]
    [InlineData(0xE9, 0x90, 5)]
    [InlineData(0x0F, 0x1F, 5)]
    [InlineData(-1, 0, 5)]
    public void Site_of_a_jump_is_as_long_as_its_instruction(int first, byte second, ulong size)
    {
        CodeSites sites = CodeSites.CreateJumps([0x100], (_, code) =>
        {
            Assert.Equal(2, code.Length);
            (code[0], code[1]) = ((byte)first, second);
            return first >= 0;
        });

        Assert.Equal(new GuestRange(0x100, 0x100 + size), sites.At(0x100));
        Assert.Equal(first is 0xEB or 0x66 && size == 2 ? null : new GuestRange(0x100, 0x105), sites.At(0x102));
    }

    [Theory]
    [InlineData(23, 1)]
    [InlineData(24, 2)]
    [InlineData(25, 2)]
    [InlineData(11, 0)]
    [InlineData(12, 1)]
    public void Table_has_its_whole_entries_only(int length, int entries)
    {
        byte[] table = new byte[length];
        for (int at = 0; at + 12 <= length; at += 12)
        {
            BinaryPrimitives.WriteInt32LittleEndian(table.AsSpan(at), -0x10);
        }

        Assert.Equal(Enumerable.Range(0, entries).Select(i => 0x1000ul - 0x10 + (ulong)(12 * i)), CodeSites.Relative(table, 0x1000, 12));
        Assert.Equal(length / 8, CodeSites.Absolute(table).Length);
    }

    private static OrcTable Table(params int[] ips)
    {
        byte[] offsets = new byte[ips.Length * 4];
        byte[] entries = new byte[ips.Length * 6];
        for (int i = 0; i < ips.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(offsets.AsSpan(i * 4), ips[i] - 0x5000 - (i * 4));
            BinaryPrimitives.WriteInt16LittleEndian(entries.AsSpan(i * 6), (short)(i + 1));
            BinaryPrimitives.WriteInt16LittleEndian(entries.AsSpan((i * 6) + 2), (short)-(i + 1));
            BinaryPrimitives.WriteUInt16LittleEndian(entries.AsSpan((i * 6) + 4), (ushort)((i + 1) * 0x1111));
        }

        return new OrcTable(offsets, 0x5000, entries);
    }

    private LinuxGuest Guest()
    {
        BtfBuilder types = new();
        int number = types.Int("int", 4, 1);
        int comm = types.Array(types.Int("char", 1, 1), number, 16);
        types.Struct("task_struct", 0x100, ("pid", number, 0x10 * 8, 0), ("tgid", number, 0x14 * 8, 0), ("comm", comm, 0x28 * 8, 0));
        SymbolTable symbols = GuestImage.Symbols(("current_task", 0x40), ("__per_cpu_offset", Ram), ("_text", Text));
        return new LinuxGuest(GuestImage.Load(static _ => { }), symbols, Btf.Parse("kernel", types.Build()), _ram);
    }

    private ReturnTrampolines Trampolines(BtfBuilder types, GuestRam? ram = null) => new(
        GuestImage.Symbols(("arch_rethook_trampoline", Trampoline), ("return_to_handler", Graph)), Btf.Parse("kernel", types.Build()), ram ?? _ram, () => Task);

    private void WriteTask(ulong at, int pid, string name) => _ram.Write(at + 0x10, (uint)pid, 4).Write(at + 0x14, (uint)(pid + 1000), 4)
        .Write(at + 0x28, new byte[16]).Write(at + 0x28, Encoding.ASCII.GetBytes(name));
}
