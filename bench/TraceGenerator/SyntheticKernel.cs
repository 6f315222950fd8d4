using System.Text;
using KprobeTrace.Tracing;

namespace KprobeTrace.Bench;

/// <summary>
/// Makes events that look like probe hits in a Linux kernel: a few dozen tasks run system calls, each a fixed sequence
/// of nested calls, on slab objects taken from a pool; registers hold those, task structures, stack addresses and
/// small numbers.
/// </summary>
/// <remarks>
/// The same seed gives the same events. Proportions follow 108,000 hits of sixteen functions in a Debian 6.1 boot:
/// between two hits of one function seven of nineteen registers differ, four to a value seen shortly before.
/// </remarks>
internal sealed class SyntheticKernel
{
    internal const ulong Text = 0xFFFFFFFF81000000;
    internal const ulong DirectMap = 0xFFFF888000000000;
    internal const ulong VmallocStacks = 0xFFFFC90000000000;

    internal static readonly string[] ProbeNames =
    [
        "do_sys_openat2", "vfs_read", "vfs_write", "kmem_cache_alloc", "kmem_cache_free", "kfree", "__kmalloc",
        "handle_mm_fault", "try_to_wake_up", "schedule", "path_openat", "kernel_clone", "do_exit", "__alloc_pages",
    ];

    internal static readonly string[] Paths =
    [
        "/etc/passwd", "/etc/ld.so.cache", "/lib/x86_64-linux-gnu/libc.so.6", "/proc/self/stat", "/dev/null",
        "/usr/bin/env", "/tmp/work", "/proc/meminfo",
    ];

    private static readonly Step[][] _scripts = MakeScripts();

    private readonly Task[] _tasks = new Task[40];
    private readonly ulong[] _objects = new ulong[4096];
    private readonly ulong[] _callers = new ulong[160];
    private readonly ulong[] _stack = new ulong[16];
    private readonly byte[] _arguments = new byte[256];
    private ulong _random;
    private ulong _seq;
    private ulong _instructions = 1_000_000;
    private ulong _idle;
    private int _current;
    private int _nextObject;
    private int _argumentLength;
    private int _stackDepth;

    /// <summary>Starts the series that belongs to a seed.</summary>
    public SyntheticKernel(ulong seed = 1)
        : this(seed, scripts: true)
    {
    }

    private SyntheticKernel(ulong seed, bool scripts)
    {
        _random = seed * 0x9E3779B97F4A7C15 | 1;
        if (!scripts)
        {
            return; // only the random numbers are wanted
        }

        for (int i = 0; i < _objects.Length; i++)
        {
            _objects[i] = DirectMap + 0x3000000 + (Below(1 << 20) * 64);
        }

        for (int i = 0; i < _callers.Length; i++)
        {
            _callers[i] = Text + 0x1000 + Below(0xA00000);
        }

        for (int i = 0; i < _tasks.Length; i++)
        {
            _tasks[i] = new Task
            {
                Pid = i == 0 ? 0 : i + (int)Below(400),
                Comm = new TraceComm(Encoding.ASCII.GetBytes(i == 0 ? "swapper/0" : i % 3 == 0 ? "busybox" : $"kworker/0:{i}")),
                Cr3 = 0x1000000 + (Below(1 << 12) << 12),
                Structure = DirectMap + 0x2000000 + (Below(1 << 10) * 0x1D40),
                StackTop = VmallocStacks + ((ulong)i * 0x8000) + 0x4000,
                Script = (int)Below((ulong)_scripts.Length),
            };
            StartCall(ref _tasks[i]);
        }
    }

    /// <summary>Probes that the events refer to: two for each function, an entry and a return probe.</summary>
    public static IReadOnlyList<TraceProbe> Probes { get; } = MakeProbes();

    /// <summary>Arguments of the event made last: a MessagePack array, or empty.</summary>
    public ReadOnlySpan<byte> Arguments => _arguments.AsSpan(0, _argumentLength);

    /// <summary>Stack of the event made last, or empty.</summary>
    public ReadOnlySpan<ulong> Stack => _stack.AsSpan(0, _stackDepth);

    /// <summary>Address of a probed function.</summary>
    public static ulong AddressOf(int function) => Text + 0x94000 + ((ulong)function * 0x51230);

    /// <summary>Names the symbol an address of the synthetic kernel falls in.</summary>
    public static TraceSymbol? Resolve(ulong address)
    {
        if (address < Text || address >= Text + 0x1000000)
        {
            return null;
        }

        for (int i = 0; i < ProbeNames.Length; i++)
        {
            if (address >= AddressOf(i) && address < AddressOf(i) + 0x800)
            {
                return new TraceSymbol(AddressOf(i), 0x800, ProbeNames[i], "", 'T');
            }
        }

        ulong start = address & ~0x3FFFUL;
        return new TraceSymbol(start, 0x4000, $"function_{(start - Text) >> 14:x}", "", 't');
    }

    /// <summary>Makes the next event.</summary>
    /// <param name="e">The event; every field is set.</param>
    public void Next(out TraceEvent e)
    {
        e = default;
        _seq++;
        if (Below(60) == 0)
        {
            _current = (int)Below((ulong)_tasks.Length);
            if (_current == 0)
            {
                _idle += 10_000 + Below(4_000_000);
            }
        }

        ref Task task = ref _tasks[_current];
        _instructions += 40 + Below(Below(8) == 0 ? 30_000UL : 400UL);
        e.Seq = _seq;
        e.Instructions = _instructions;
        e.TimeNs = _instructions + _idle;
        e.Pid = task.Pid;
        e.Comm = task.Comm;
        e.Parts = TraceEventParts.Registers | TraceEventParts.Task;
        Step[] script = _scripts[task.Script];
        Step step = script[task.At];
        if (step.Returns)
        {
            Return(ref e, ref task, step.Site);
        }
        else
        {
            Enter(ref e, ref task, step);
        }

        if (++task.At == script.Length)
        {
            StartCall(ref task);
        }

        _argumentLength = WriteArguments(e);
        _stackDepth = e.Kind == TraceEventKind.Pre && Below(8) == 0 ? FillStack(e.Caller, task.Depth) : 0;
    }

    private static List<TraceProbe> MakeProbes()
    {
        List<TraceProbe> probes = [];
        for (int i = 0; i < ProbeNames.Length; i++)
        {
            TraceArgument[] entry = i == 0
                ? [new("dfd", "s32"), new("name", "ustring")]
                : [new("arg1", "x64"), new("arg2", "u32")];
            probes.Add(new TraceProbe
            {
                Id = 2 * i,
                Type = 'p',
                Name = $"{ProbeNames[i]}_in",
                Symbol = ProbeNames[i],
                Address = AddressOf(i),
                Definition = $"p:{ProbeNames[i]}_in {ProbeNames[i]}",
                Arguments = entry,
            });
            probes.Add(new TraceProbe
            {
                Id = (2 * i) + 1,
                Type = 'r',
                Name = $"{ProbeNames[i]}_out",
                Symbol = ProbeNames[i],
                Address = AddressOf(i),
                Definition = $"r:{ProbeNames[i]}_out {ProbeNames[i]} ret=$retval",
                Arguments = [new("ret", "s64")],
            });
        }

        return probes;
    }

    /// <summary>Makes the sequences of nested calls that the system calls are; the same for every seed.</summary>
    private static Step[][] MakeScripts()
    {
        SyntheticKernel random = new(77, scripts: false);
        Step[][] scripts = new Step[24][];
        ulong site = 0;
        for (int i = 0; i < scripts.Length; i++)
        {
            List<Step> steps = [];
            Stack<Step> open = new();
            int calls = 3 + (int)random.Below(14);
            while (calls > 0 || open.Count > 0)
            {
                if (calls > 0 && open.Count < Task.MaxDepth && (open.Count == 0 || random.Below(2) == 0))
                {
                    Step call = new((int)random.Below((ulong)ProbeNames.Length), site++, Returns: false);
                    open.Push(call);
                    steps.Add(call);
                    calls--;
                }
                else
                {
                    steps.Add(open.Pop() with { Returns = true });
                }
            }

            scripts[i] = [.. steps];
        }

        return scripts;
    }

    private void StartCall(ref Task task)
    {
        task.At = 0;
        if (Below(4) == 0)
        {
            task.Script = (int)Math.Min(Below((ulong)_scripts.Length), Below((ulong)_scripts.Length));
        }

        // Slabs hand out neighbours, and what was freed last comes back first.
        if (Below(3) != 0)
        {
            _nextObject = Below(10) == 0 ? (int)Below((ulong)_objects.Length) : (_nextObject + 1) % _objects.Length;
        }

        task.Object = _objects[_nextObject];
        if (Below(12) == 0)
        {
            task.Length = Below(4096);
        }
    }

    private void Enter(ref TraceEvent e, ref Task task, Step step)
    {
        int function = step.Function;
        ulong site = step.Site;
        ref TraceRegisters r = ref e.Registers;
        ulong picked = task.Object + ((site & 3) * 0x100);
        ulong sp = task.StackTop - 0x100 - ((ulong)task.Depth * 0x90) - ((site & 3) * 0x20);
        r.Ax = (site & 4) == 0 ? picked : site & 1;
        r.Bx = (site & 8) == 0 ? task.Structure : picked + 0x18;
        r.Cx = (site & 48) == 0 ? task.Length : (site & 16) >> 4;
        r.Dx = (site & 15) * 8;
        r.Si = function == 0 ? 0x7FFD00001000 + ((site & 63) * 16) : 0xCC0 + ((site & 3) << 6);
        r.Di = function == 0 ? 0xFFFFFF9C : picked;
        r.Bp = (site & 16) == 0 ? sp + 0x40 : _objects[(site * 5) % 64];
        r.Sp = sp;
        r.R8 = site & 3;
        r.R9 = Below(12) == 0 ? Below(1 << 16) : 0;
        r.R10 = Text + 0x900000 + ((site & 7) * 8);
        r.R11 = 0x246;
        r.R12 = (site & 32) == 0 ? task.Object + 0x40 : _objects[(site * 7) % 256];
        r.R13 = task.Structure;
        r.R14 = (site & 7) == 0 ? picked + 0x20 : 0;
        r.R15 = _objects[((ulong)_current * 3) % 256];
        r.Ip = AddressOf(function);
        r.Flags = (site & 1) == 0 ? 0x246UL : 0x202;
        r.Cr3 = task.Cr3;
        e.Kind = TraceEventKind.Pre;
        e.ProbeId = 2 * function;
        e.Address = AddressOf(function);
        e.Caller = _callers[site % (ulong)_callers.Length];
        task.Frames[task.Depth++] = new Frame(_seq, e.TimeNs, function, r, e.Caller);
        if (function == 7 && Below(3) == 0)
        {
            e.Kind = TraceEventKind.Fault;
            e.Vector = 14;
            e.ErrorCode = (uint)((site & 3) * 2);
            e.Cr2 = 0x555500000000 + (Below(256) << 12);
            e.Parts |= TraceEventParts.Handled;
        }
    }

    private static void Return(ref TraceEvent e, ref Task task, ulong site)
    {
        Frame frame = task.Frames[--task.Depth];
        e.Registers = frame.Registers;
        e.Registers.Ax = (site % 3) switch
        {
            0 => 0,
            1 => task.Object + 0x200,
            _ => task.Length,
        };
        e.Registers.Cx = (site & 1) == 0 ? 0 : task.Object;
        e.Registers.Dx = site & 15;
        e.Registers.Si = 0;
        e.Registers.Ip = frame.Caller;
        e.Registers.Sp = frame.Registers.Sp + 8;
        e.Kind = TraceEventKind.Return;
        e.ProbeId = (2 * frame.Function) + 1;
        e.Address = AddressOf(frame.Function);
        e.Caller = frame.Caller;
        e.EntrySeq = frame.Seq;
        e.EntryTimeNs = frame.TimeNs;
    }

    private int WriteArguments(in TraceEvent e)
    {
        Span<byte> target = _arguments;
        if (e.Kind == TraceEventKind.Fault)
        {
            return 0;
        }

        if (e.Kind == TraceEventKind.Return)
        {
            target[0] = 0x91;
            return 1 + PutUnsigned(target[1..], e.Registers.Ax);
        }

        target[0] = 0x92;
        if (e.ProbeId != 0)
        {
            int first = 1 + PutUnsigned(target[1..], e.Registers.Di);
            return first + PutUnsigned(target[first..], e.Registers.Si & 0xFFFFFFFF);
        }

        target[1] = 0xD0;
        target[2] = unchecked((byte)-100);
        string path = Paths[(int)Below((ulong)Paths.Length)];
        target[3] = (byte)(0xA0 | path.Length);
        return 4 + Encoding.ASCII.GetBytes(path, target[4..]);
    }

    private static int PutUnsigned(Span<byte> target, ulong value)
    {
        if (value < 128)
        {
            target[0] = (byte)value;
            return 1;
        }

        target[0] = 0xCF;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(target[1..], value);
        return 9;
    }

    private int FillStack(ulong caller, int depth)
    {
        int entries = Math.Min(_stack.Length, 4 + depth);
        _stack[0] = caller;
        for (int i = 1; i < entries; i++)
        {
            _stack[i] = _callers[(int)((_stack[i - 1] >> 4) % (ulong)_callers.Length)];
        }

        return entries;
    }

    private ulong Below(ulong limit)
    {
        // xorshift64*: good enough, and the same everywhere.
        _random ^= _random >> 12;
        _random ^= _random << 25;
        _random ^= _random >> 27;
        return ((_random * 0x2545F4914F6CDD1D) >> 32) * limit >> 32;
    }

    /// <summary>One call or return of a system call; the site stands for the place it is called from.</summary>
    private readonly record struct Step(int Function, ulong Site, bool Returns);

    private readonly record struct Frame(ulong Seq, ulong TimeNs, int Function, TraceRegisters Registers, ulong Caller);

    private struct Task
    {
        internal const int MaxDepth = 6;

        internal int Pid;
        internal TraceComm Comm;
        internal ulong Cr3;
        internal ulong Structure;
        internal ulong StackTop;
        internal int Depth;
        internal int Script;
        internal int At;
        internal ulong Object;
        internal ulong Length;
        internal readonly Frame[] Frames = new Frame[MaxDepth];

        public Task()
        {
        }
    }
}
