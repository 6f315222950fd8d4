using KprobeTrace.Guest;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Guest;

/// <summary>Where kernels keep the return addresses that their own return probes and graph tracer have replaced.</summary>
public sealed class ReturnTrampolinesTests
{
    private const ulong Ram = 0xFFFF_8880_0000_0000;
    private const ulong Trampoline = GuestImage.Text + 0x100;
    private const ulong Graph = GuestImage.Text + 0x200;
    private const ulong Caller = GuestImage.Text + 0x300;
    private const ulong Task = Ram + 0x1000;
    private const ulong Table = Ram + 0x2000;
    private const ulong Slot = Ram + 0x8000;
    private const ulong First = Ram + 0x3000;
    private const ulong Second = Ram + 0x3100;

    private readonly GuestRam _ram = new(Ram, 0x20_0000);
    private readonly BtfBuilder _types = new();
    private ulong _current = Task;

    [Fact]
    public void Since_5_18_in_the_tasks_list_of_rethooks()
    {
        Rethooks();
        Node(First, next: Second + 0x10, Caller + 1, Slot - 8);
        Node(Second, next: 0, Caller, Slot);
        _ram.Write(Task + 0x40, First + 0x10);

        Assert.Equal(Caller, Recover("arch_rethook_trampoline"));

        void Node(ulong at, ulong next, ulong address, ulong slot) =>
            _ram.Write(at + 0x10, next).Write(at + 0x20, address).Write(at + 0x28, slot);
    }

    [Fact]
    public void From_5_11_to_5_17_in_the_tasks_list_of_instances()
    {
        int word = _types.Int("long unsigned int", 8);
        _types.Struct("task_struct", 0x100, ("kretprobe_instances", word, 0x50 * 8, 0));
        _types.Struct("kretprobe_instance", 0x40, ("llist", word, 0x10 * 8, 0), ("ret_addr", word, 0x20 * 8, 0), ("fp", word, 0x28 * 8, 0));
        _ram.Write(Task + 0x50, First + 0x10).Write(First + 0x20, Caller).Write(First + 0x28, Slot);

        Assert.Equal(Caller, Recover("kretprobe_trampoline"));
        Assert.Equal(Caller, Recover("__kretprobe_trampoline"));
    }

    [Fact]
    public void Up_to_5_10_in_a_table_by_the_tasks_address_beside_those_of_other_tasks()
    {
        int word = _types.Int("long unsigned int", 8);
        _types.Struct("task_struct", 0x100, ("pid", word, 0, 0));
        int lists = _types.Union("", 16, ("hlist", word, 0, 0), ("rcu", word, 0, 0));
        _types.Struct(
            "kretprobe_instance", 0x40, ("", lists, 0, 0), ("rp", word, 0x10 * 8, 0), ("ret_addr", word, 0x18 * 8, 0), ("task", word, 0x20 * 8, 0), ("fp", word, 0x28 * 8, 0));
        ulong bucket = unchecked(Task * 0x61C8_8646_80B5_83EB) >> 58;
        _ram.Write(Table + (bucket * 8), First)
            .Write(First, Second).Write(First + 0x18, Caller + 1).Write(First + 0x20, Task + 0x40).Write(First + 0x28, Slot)
            .Write(Second + 0x18, Caller).Write(Second + 0x20, Task).Write(Second + 0x28, Slot);

        Assert.Equal(Caller, Recover("kretprobe_trampoline"));
    }

    [Fact]
    public void Several_probes_on_one_slot_lead_to_the_one_that_took_the_real_address()
    {
        Rethooks();
        _ram.Write(Task + 0x40, First + 0x10).Write(First + 0x10, Second + 0x10)
            .Write(First + 0x20, Trampoline).Write(First + 0x28, Slot)
            .Write(Second + 0x20, Caller).Write(Second + 0x28, Slot);

        Assert.Equal(Caller, Recover("arch_rethook_trampoline"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Graph_tracer_keeps_an_array_of_entries_or_since_6_10_words_in_the_tasks_own_stack(bool entries)
    {
        const int size = 0x28;
        int word = _types.Int("long unsigned int", 8);
        int number = _types.Int("int", 4, encoding: 1);
        int entry = _types.Struct("ftrace_ret_stack", size, ("ret", word, 0, 0), ("func", word, 64, 0), ("retp", word, 0x20 * 8, 0));
        int stack = _types.Pointer(entries ? entry : word);
        _types.Struct("task_struct", 0x100, ("curr_ret_stack", number, 0x60 * 8, 0), ("ret_stack", stack, 0x68 * 8, 0));
        ulong index = entries ? 1ul : 2 * size / 8;
        _ram.Write(Task + 0x60, index, 4).Write(Task + 0x68, First)
            .Write(First, Caller).Write(First + 0x20, Slot)
            .Write(First + size, Caller + 1).Write(First + size + 0x20, Slot - 0x40)
            .Write(First + (2 * size), Caller + 2).Write(First + (2 * size) + 0x20, Slot);

        Assert.Equal(Caller, Create("arch_rethook_trampoline").Recover(Graph, Slot));
        Assert.Equal(Caller + 1, Create("arch_rethook_trampoline").Recover(Graph, Slot - 0x40));
        _ram.Write(Task + 0x60, uint.MaxValue, 4);
        Assert.Equal(Graph, Create("arch_rethook_trampoline").Recover(Graph, Slot));
    }

    [Fact]
    public void A_graph_tracer_and_a_return_probe_that_lead_to_each_other_are_given_up()
    {
        int word = _types.Int("long unsigned int", 8);
        int number = _types.Int("int", 4, encoding: 1);
        int entry = _types.Struct("ftrace_ret_stack", 0x28, ("ret", word, 0, 0), ("func", word, 64, 0), ("retp", word, 0x20 * 8, 0));
        _types.Struct(
            "task_struct", 0x100, ("rethooks", word, 0x40 * 8, 0), ("curr_ret_stack", number, 0x60 * 8, 0), ("ret_stack", _types.Pointer(entry), 0x68 * 8, 0));
        _types.Struct("rethook_node", 0x40, ("llist", word, 0x10 * 8, 0), ("ret_addr", word, 0x20 * 8, 0), ("frame", word, 0x28 * 8, 0));
        _ram.Write(Task + 0x60, 0, 4).Write(Task + 0x68, Second).Write(Second, Trampoline).Write(Second + 0x20, Slot)
            .Write(Task + 0x40, First + 0x10).Write(First + 0x20, Graph).Write(First + 0x28, Slot);
        ReturnTrampolines trampolines = Create("arch_rethook_trampoline");
        trampolines.BeginWalk();

        Assert.Equal(Graph, trampolines.Recover(Graph, Slot));
    }

    [Fact]
    public void Other_addresses_and_what_no_list_holds_stay_as_they_are()
    {
        Rethooks();
        ReturnTrampolines trampolines = Create("arch_rethook_trampoline");

        Assert.Equal(Caller, trampolines.Recover(Caller, Slot));
        Assert.Equal(0ul, trampolines.Recover(0, Slot));
        Assert.Equal(Trampoline, trampolines.Recover(Trampoline, Slot));
        _current = 0;
        Assert.Equal(Trampoline, trampolines.Recover(Trampoline, Slot));
    }

    [Fact]
    public void A_list_that_has_no_end_is_given_up()
    {
        Rethooks();
        _ram.Write(Task + 0x40, First + 0x10).Write(First + 0x10, First + 0x10).Write(First + 0x28, Slot - 8);

        Assert.Equal(Trampoline, Recover("arch_rethook_trampoline"));
    }

    [Fact]
    public void A_stack_finds_its_address_behind_more_instances_than_it_has_slots()
    {
        // Three return probes of the guest on each of 2,000 functions that call each other.
        const int frames = 2000;
        Rethooks();
        ulong[] nodes = Instances(frames, 3);

        ReturnTrampolines trampolines = Create("arch_rethook_trampoline");
        trampolines.BeginWalk();

        Assert.Equal(Enumerable.Range(0, frames).Select(AddressOf), Enumerable.Range(0, frames).Select(i => trampolines.Recover(Trampoline, SlotOf(i))));
        Assert.Equal(0ul, trampolines.CutWalks);
        Assert.Equal(frames * 3, nodes.Length);
    }

    [Fact]
    public void Slots_are_found_in_any_order()
    {
        Rethooks();
        Instances(frames: 5, each: 1);
        ReturnTrampolines trampolines = Create("arch_rethook_trampoline");
        trampolines.BeginWalk();

        Assert.All([3, 1, 4, 0, 2], i => Assert.Equal(AddressOf(i), trampolines.Recover(Trampoline, SlotOf(i))));
    }

    [Fact]
    public void A_walk_that_a_list_without_end_has_cut_short_is_counted_once_and_stops_there()
    {
        Rethooks();
        ulong[] nodes = Instances(frames: 2, each: 1);
        _ram.Write(nodes[1], nodes[1]);
        ReturnTrampolines trampolines = Create("arch_rethook_trampoline");

        trampolines.BeginWalk();
        Assert.Equal(Trampoline, trampolines.Recover(Trampoline, Slot - 8));
        int reads = _ram.Reads;
        Assert.Equal(Trampoline, trampolines.Recover(Trampoline, Slot - 16));
        Assert.InRange(_ram.Reads - reads, 0, 10);
        Assert.Equal(1ul, trampolines.CutWalks);

        trampolines.BeginWalk();
        Assert.Equal(AddressOf(0), trampolines.Recover(Trampoline, SlotOf(0)));
        Assert.Equal(1ul, trampolines.CutWalks);
        Assert.Equal(Trampoline, trampolines.Recover(Trampoline, Slot - 8));
        Assert.Equal(2ul, trampolines.CutWalks);
    }

    [Fact]
    public void Another_walk_begins_at_the_head_of_the_list_and_not_where_the_one_before_was()
    {
        Rethooks();
        Instances(frames: 3, each: 1);
        ReturnTrampolines trampolines = Create("arch_rethook_trampoline");
        trampolines.BeginWalk();
        Assert.Equal(AddressOf(0), trampolines.Recover(Trampoline, SlotOf(0)));

        // Meanwhile the calls have returned, and another one has taken the slot; the old instances still hold what they held.
        ulong other = First + 0x10;
        _ram.Write(Task + 0x40, other).Write(other, 0).Write(other + 0x10, Caller + 0x77).Write(other + 0x18, SlotOf(1));
        trampolines.BeginWalk();

        Assert.Equal(Caller + 0x77, trampolines.Recover(Trampoline, SlotOf(1)));
        Assert.Equal(Trampoline, trampolines.Recover(Trampoline, SlotOf(2)));
    }

    private static ulong AddressOf(int frame) => Caller + (ulong)frame;

    private static ulong SlotOf(int frame) => Slot + ((ulong)frame * 8);

    /// <summary>The list of a task, innermost frame first, with as many instances for each frame; only the oldest has the real address.</summary>
    private ulong[] Instances(int frames, int each)
    {
        ulong[] nodes = [.. Enumerable.Range(0, frames * each).Select(i => Ram + 0x10_0000 + ((ulong)i * 0x30) + 0x10)];
        _ram.Write(Task + 0x40, nodes[0]);
        for (int i = 0; i < nodes.Length; i++)
        {
            bool oldest = i % each == each - 1;
            _ram.Write(nodes[i], i + 1 < nodes.Length ? nodes[i + 1] : 0)
                .Write(nodes[i] + 0x10, oldest ? AddressOf(i / each) : Trampoline)
                .Write(nodes[i] + 0x18, SlotOf(i / each));
        }

        return nodes;
    }

    private void Rethooks()
    {
        int word = _types.Int("long unsigned int", 8);
        _types.Struct("task_struct", 0x100, ("rethooks", word, 0x40 * 8, 0));
        _types.Struct("rethook_node", 0x30, ("llist", word, 0x10 * 8, 0), ("ret_addr", word, 0x20 * 8, 0), ("frame", word, 0x28 * 8, 0));
    }

    private ulong Recover(string trampoline) => Create(trampoline).Recover(Trampoline, Slot);

    private ReturnTrampolines Create(string trampoline) => new(
        GuestImage.Symbols((trampoline, Trampoline), ("return_to_handler", Graph), ("kretprobe_inst_table", Table)),
        Btf.Parse("kernel", _types.Build()),
        _ram,
        () => _current);
}
