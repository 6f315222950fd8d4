using KprobeTrace.Symbols;

namespace KprobeTrace.Guest;

/// <summary>
/// The code of the kernel that takes over returns of other functions, and the return addresses in whose place it stands: its
/// return probes' and its function graph tracer's.
/// </summary>
/// <remarks>
/// The kernel keeps the real address, and the stack slot it was taken from, with the task:
/// <code>
/// since 5.18      task_struct.rethooks             list of rethook_node
/// 5.11 to 5.17    task_struct.kretprobe_instances  list of kretprobe_instance
/// up to 5.10      kretprobe_inst_table             64 lists of kretprobe_instance, by the task's address
/// graph tracer    task_struct.ret_stack            ftrace_ret_stack, the innermost last
/// </code>
/// Where a member is missing from BTF its addresses stay trampolines. Lists come from the guest: what one walk of a stack reads of
/// them is bounded, and walks that the bound has cut short are counted.
/// </remarks>
internal sealed class ReturnTrampolines
{
    /// <summary>Elements of lists that one walk of a stack looks at, all of its frames together.</summary>
    public const int MaxInstances = 1 << 16;

    /// <summary>The kernel itself keeps no more: 50 entries of at most six words, or since 6.10 a page.</summary>
    private const int MaxGraphWords = 512;
    private const int MaxNested = 8;
    private const ulong GoldenRatio = 0x61C8_8646_80B5_83EB;

    private static readonly string[] _probeNames =
        ["arch_rethook_trampoline", "__kretprobe_trampoline", "kretprobe_trampoline"];

    private readonly ulong[] _probes;
    private readonly ulong _graph;
    private readonly IGuestMemory _memory;
    private readonly Func<ulong> _currentTask;
    private readonly Instances? _instances;
    private readonly GraphStack? _graphStack;
    private int _instancesLeft = MaxInstances;
    private bool _isCut;

    /// <summary>Where the list goes on behind the instance found last, 0 for its head: outer frames' instances come behind inner ones'.</summary>
    private ulong _next;

    /// <summary>Learns where a kernel keeps what its trampolines stand for.</summary>
    /// <param name="symbols">The kernel's symbols.</param>
    /// <param name="types">Its BTF, null when it has none; then no address is recovered.</param>
    /// <param name="memory">Its memory.</param>
    /// <param name="currentTask">The address of the task that runs, 0 before there are tasks.</param>
    public ReturnTrampolines(SymbolTable symbols, Btf? types, IGuestMemory memory, Func<ulong> currentTask)
    {
        ArgumentNullException.ThrowIfNull(symbols);
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(currentTask);
        _memory = memory;
        _currentTask = currentTask;
        _probes = [.. _probeNames.Select(symbols.AddressOf).OfType<ulong>()];
        _graph = symbols.AddressOf("return_to_handler") ?? 0;
        if (types is not null)
        {
            _instances = FindTaskList(types, "rethooks", "rethook_node", "frame")
                ?? FindTaskList(types, "kretprobe_instances", "kretprobe_instance", "fp")
                ?? FindInstanceTable(types, symbols);
            _graphStack = FindGraphStack(types);
        }
    }

    /// <summary>Walks of stacks that end at a trampoline since the guest's list was longer than <see cref="MaxInstances"/>, or had no end.</summary>
    public ulong CutWalks { get; private set; }

    /// <summary>The addresses of a kernel's trampolines.</summary>
    public static ulong[] AddressesIn(SymbolTable symbols)
    {
        ArgumentNullException.ThrowIfNull(symbols);
        return [.. _probeNames.Append("return_to_handler").Select(symbols.AddressOf).OfType<ulong>()];
    }

    /// <summary>Begins with another stack: its frames are asked about from the innermost on.</summary>
    public void BeginWalk()
    {
        _instancesLeft = MaxInstances;
        _isCut = false;
        _next = 0;
    }

    /// <summary>The address that a function really returns to.</summary>
    /// <param name="address">The return address on the stack; given back as it is unless it is a trampoline's.</param>
    /// <param name="slot">Where on the stack it is.</param>
    public ulong Recover(ulong address, ulong slot)
    {
        // A function that both return probes and the graph tracer watch has one trampoline behind the other.
        for (int i = 0; i < MaxNested && BehindTrampoline(address, slot) is ulong real and not 0; i++)
        {
            address = real;
        }

        return address;
    }

    /// <summary>The address that a trampoline stands for; 0 where that is not known, or it is none.</summary>
    private ulong BehindTrampoline(ulong address, ulong slot) =>
        address == 0 ? 0
        : address == _graph ? FromGraph(slot)
        : Array.IndexOf(_probes, address) >= 0 ? FromInstances(slot)
        : 0;

    /// <summary>The list that a task has of its instances, by the names its kernel gives to head, instance and slot.</summary>
    private static Instances? FindTaskList(Btf types, string head, string instance, string slot) =>
        types.OffsetOf("task_struct", head) is uint headAt
        && types.OffsetOf(instance, "llist") is uint node
        && types.OffsetOf(instance, "ret_addr") is uint address
        && types.OffsetOf(instance, slot) is uint slotAt
            ? new Instances(headAt, 0, node, address, slotAt, null)
            : null;

    private static Instances? FindInstanceTable(Btf types, SymbolTable symbols) =>
        symbols.AddressOf("kretprobe_inst_table") is ulong table
        && types.OffsetOf("kretprobe_instance", "hlist") is uint node
        && types.OffsetOf("kretprobe_instance", "ret_addr") is uint address
        && types.OffsetOf("kretprobe_instance", "fp") is uint slot
        && types.OffsetOf("kretprobe_instance", "task") is uint task
            ? new Instances(0, table, node, address, slot, task)
            : null;

    /// <summary>Up to 6.9 an array of structures and the index of the last; since then words, and how many there are.</summary>
    private static GraphStack? FindGraphStack(Btf types)
    {
        if (types.FindStruct("task_struct") is not BtfType task
            || types.FindMember(task, "ret_stack") is not BtfMember stack
            || types.FindMember(task, "curr_ret_stack") is not BtfMember index
            || types.FindStruct("ftrace_ret_stack") is not BtfType entry
            || types.FindMember(entry, "retp") is not BtfMember slot
            || types.FindMember(entry, "ret") is not BtfMember address)
        {
            return null;
        }

        BtfType pointee = types.Resolve(types.Resolve(stack.Type).Target);
        int words = pointee.Kind == BtfKind.Struct ? (int)(pointee.Size / 8) : 0;
        return new GraphStack(stack.Offset, index.Offset, words, (int)(slot.Offset / 8) - (int)(address.Offset / 8));
    }

    private ulong FromInstances(ulong slot)
    {
        ulong task = _currentTask();
        if (_instances is not Instances list || task == 0)
        {
            return 0;
        }

        ulong head = list.Table == 0 ? task + list.Head : list.Table + (((task * GoldenRatio) >> 58) * 8);
        if (!_memory.TryReadUInt64(head, out ulong first))
        {
            return 0;
        }

        ulong from = _next;
        ulong address = from == 0 ? 0 : Search(task, list, slot, from, end: 0);
        return address != 0 ? address : Search(task, list, slot, first, from);
    }

    /// <summary>The address that an instance of the task keeps for a slot; 0 where no node before <paramref name="end"/> has it.</summary>
    private ulong Search(ulong task, Instances list, ulong slot, ulong node, ulong end)
    {
        while (node != end && node != 0)
        {
            if (_instancesLeft == 0)
            {
                CutWalks += _isCut ? 0u : 1;
                _isCut = true;
                return 0;
            }

            _instancesLeft--;
            ulong instance = node - list.Node;
            if (!_memory.TryReadUInt64(instance + list.Slot, out ulong at)
                || !_memory.TryReadUInt64(instance + list.Address, out ulong address)
                || !_memory.TryReadUInt64(node, out node))
            {
                return 0;
            }

            // Several probes on a function, and functions that share a slot by a jump: only the oldest took the real address.
            if (at == slot && Array.IndexOf(_probes, address) < 0 && IsOf(task, list, instance))
            {
                _next = node;
                return address;
            }
        }

        return 0;
    }

    private bool IsOf(ulong task, Instances list, ulong instance) =>
        list.Task is not uint offset || (_memory.TryReadUInt64(instance + offset, out ulong owner) && owner == task);

    private ulong FromGraph(ulong slot)
    {
        ulong task = _currentTask();
        if (_graphStack is not GraphStack stack || task == 0
            || !_memory.TryReadUInt64(task + stack.Stack, out ulong start)
            || !_memory.TryReadUInt32(task + stack.Index, out uint index) || (int)index < 0)
        {
            return 0;
        }

        long words = stack.EntryWords == 0 ? index : ((long)index + 1) * stack.EntryWords;
        for (long i = Math.Min(words, MaxGraphWords) - 1; i >= stack.SlotAfterAddress; i--)
        {
            if (_memory.TryReadUInt64(start + ((ulong)i * 8), out ulong at) && at == slot
                && _memory.TryReadUInt64(start + ((ulong)(i - stack.SlotAfterAddress) * 8), out ulong address)
                && address != _graph)
            {
                return address;
            }
        }

        return 0;
    }

    /// <summary>The list of return probes that wait, and where in an element the node, the address and the slot are.</summary>
    private sealed record Instances(uint Head, ulong Table, uint Node, uint Address, uint Slot, uint? Task);

    /// <summary>The graph tracer's own stack of return addresses.</summary>
    private sealed record GraphStack(uint Stack, uint Index, int EntryWords, int SlotAfterAddress);
}
