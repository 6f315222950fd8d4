using System.Text;
using CsCheck;
using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Generators of histories: <see cref="Plan"/> for one run, <see cref="Plans"/> for several in one database.</summary>
/// <remarks>
/// Many tasks on several processors call functions that nest, recur and interleave; returns are lost, filters leave events out,
/// arguments cannot be read or are not there, names are what a trace may hold at worst. <see cref="HistoryCheck"/> draws from
/// them with seeds and shrinks what fails.
/// </remarks>
internal static class HistoryGen
{
    /// <summary>Where the first function of the kernel lies.</summary>
    internal const ulong Kernel = 0xFFFFFFFF81000000;

    private const ulong Modules = 0xFFFFFFFFC0000000;

    private static readonly string[] _symbols =
        ["kernel_clone", "do_sys_openat2", "vfs_read", "__x64_sys_read", "a.cold.3", "straße", "select", "quo\"te", "semi;colon", "mod_init", ""];

    private static readonly string[] _events =
    [
        "open", "Open", "open_ret", "events", "calls", "select", "my-event", "kt_x", "sqlite_y", "naïve", "quo\"te's", "a b", "semi;colon",
        "percent%s", "star*", "probe_1", "hits", "new\nline", new string('n', 63),
    ];

    private static readonly string[] _arguments =
        ["dfd", "name", "x", "is_x", "ret", "seq", "select", "order", "Comm", "arg1", "a_name_of_thirty_two_characters_"];

    private static readonly string[] _types =
    [
        "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "x8", "x16", "x32", "x64", "", "string", "ustring", "string", "symbol", "symstr",
        "char", "b4@2/8", "u8[3]", "s32[2]", "string[2]", "symbol[2]", "x64[1]",
    ];

    private static readonly HistoryTask?[] _tasks =
    [
        null, Task(0, "swapper/0"), Task(1, "init"), Task(42, "sh"), Task(42, "workload"), Task(43, "sh"), Task(1000, "kworker/u2:1"), Task(1001, "kworker/0:0"), Task(1002, "kworker/0:0H"),
        Task(32768, "ünïcödé"), Task(int.MaxValue, "sixteen-bytes-xx"), Task(17, "sixteen-bytes-xy"), Task(7, ""), Task(8, "a\"b'c"), Task(9, "e\n\tvil"), Task(10, "<...>"),
        Task(11, "(no task)"), Task(12, "st*r"), Task(13, "a,b;c d"), Task(14, "ab\0hidden"), new HistoryTask(15, [(byte)'x', 0xFF, (byte)'y']),
        Task(-1, "negative"),
    ];

    private static readonly ulong[] _waits = [0, 0, 1, 10, 999, 1000, 1001, 999_999, 1_000_000, 1_500_000, 1_000_000_000];

    private static readonly TraceEventKind[][] _kinds =
    [
        [TraceEventKind.Pre, TraceEventKind.Fault, TraceEventKind.Return], [TraceEventKind.Pre, TraceEventKind.Return], [TraceEventKind.Return],
        [TraceEventKind.Post, TraceEventKind.Fault], [TraceEventKind.Pre, TraceEventKind.Post],
    ];

    /// <summary>Functions, probes, tasks and processors.</summary>
    internal static Gen<HistoryWorld> World { get; } =
        from functions in Functions()
        from probes in Probes(functions)
        from tasks in Some(_tasks, 1, 5)
        from cpus in Gen.Int[1, 4]
        from image in Gen.OneOf("vmlinuz", "vmlinuz-b")
        from line in Gen.OneOf("", "console=ttyS0 panic=-1", "quiet \"x\"")
        select new HistoryWorld { Functions = functions, Probes = probes, Tasks = tasks, Cpus = cpus, Image = image, CommandLine = line };

    /// <summary>Steps, for any world.</summary>
    internal static Gen<HistoryStep[]> Steps { get; } = Gen.Frequency((1, Step().Array[0, 3]), (6, Step().Array[4, 40]));

    /// <summary>One run.</summary>
    internal static Gen<HistoryPlan> Plan { get; } = World.SelectMany(PlanIn);

    /// <summary>One run in which two tasks call one function within itself, returns are lost and entries are filtered out.</summary>
    internal static Gen<HistoryPlan> Recursion { get; } = Plan.Select(static plan => plan with
    {
        World = plan.World with
        {
            Tasks = [.. plan.World.Tasks.Take(2)],
            Probes = [.. plan.World.Probes, Deep(plan.World, 'p', "deep"), Deep(plan.World, 'r', "deep_ret")],
        },
        Steps = [.. plan.Steps.Select(Deeper)],
    });

    /// <summary>One to three runs of one database, of the same or of other kernels and probes.</summary>
    internal static Gen<HistoryPlan[]> Plans { get; } =
        from first in Plan
        from further in Gen.Frequency((2, Gen.Const(0)), (1, Gen.Const(1)), (1, Gen.Const(2)))
        from others in Gen.Frequency((2, PlanIn(first.World)), (1, Plan)).Array[further]
        select (HistoryPlan[])[first, .. others];

    /// <summary>One run in a world.</summary>
    internal static Gen<HistoryPlan> PlanIn(HistoryWorld world) =>
        from steps in Steps
        from kinds in Gen.Frequency((5, Nothing<TraceEventKind[]>()), (2, Gen.OneOf(_kinds).Select(static k => (TraceEventKind[]?)k)))
        from ended in Gen.Frequency((6, Gen.OneOf<string?>("poweroff")), (1, Gen.OneOf<string?>("exit")), (1, Nothing<string>()))
        from chunk in Gen.OneOf(1, 3, 8, 16384)
        let plan = new HistoryPlan { World = world, Steps = steps, Ended = ended, EventsPerChunk = chunk }
        select kinds is null ? plan : plan with { Kinds = kinds };

    /// <summary>Always null.</summary>
    internal static Gen<T?> Nothing<T>()
        where T : class => Gen.Int[0, 0].Select(static _ => (T?)null);

    /// <summary>A few different ones of a list, in any order.</summary>
    internal static Gen<T[]> Some<T>(IReadOnlyList<T> all, int least, int most) =>
        from count in Gen.Int[Math.Min(least, all.Count), Math.Min(most, all.Count)]
        from order in Gen.UInt.Array[all.Count]
        select (T[])[.. Enumerable.Range(0, all.Count).OrderBy(i => order[i]).Take(count).Select(i => all[i])];

    private static HistoryTask Task(int pid, string name) => new(pid, Encoding.UTF8.GetBytes(name));

    private static Gen<HistoryFunction[]> Functions() =>
        from names in Some(_symbols, 2, 5)
        from sizes in Gen.OneOf(0x40UL, 0x100UL, 0x1000UL, 0UL).Array[names.Length]
        select (HistoryFunction[])
        [
            .. names.Select((name, i) => new HistoryFunction(
                name, (name == "mod_init" ? Modules : Kernel) + ((ulong)i * 0x1000), sizes[i], name == "mod_init" ? "m-od" : "")),
        ];

    private static Gen<HistoryProbe[]> Probes(HistoryFunction[] functions) =>
        from names in Some(_events, 1, 7)
        from places in Gen.Select(Gen.Int[0, functions.Length - 1], Gen.Bool, Gen.OneOf(0UL, 0UL, 4UL, 0x10UL)).Array[names.Length]
        from arguments in Arguments().Array[names.Length]
        from shared in Gen.Int[0, 3].Array[names.Length]
        from groups in Gen.OneOf("kprobes", "kprobes", "my-grp").Array[names.Length]
        select Place(functions, names, places, arguments, shared, groups);

    private static HistoryProbe[] Place(
        HistoryFunction[] functions, string[] names, (int Function, bool IsReturn, ulong Offset)[] places, TraceArgument[][] arguments, int[] shared,
        string[] groups)
    {
        List<HistoryProbe> probes = [];
        for (int i = 0; i < names.Length; i++)
        {
            (int number, bool isReturn, ulong offset) = places[i];
            HistoryFunction function = functions[number];
            offset = isReturn || function.Name.Length == 0 ? 0 : offset;
            TraceProbe probe = new()
            {
                Id = i,
                Type = isReturn ? 'r' : 'p',
                Group = groups[i],
                Name = names[i],
                Symbol = function.Name,
                Offset = offset,
                Address = function.Address + offset,
                Module = function.Module,
                Definition = $"{(isReturn ? 'r' : 'p')}:{names[i]} {function.Name}+{offset}",
                Filter = shared[i] == 1 ? "cpu == 0" : "",
                Arguments = arguments[i],
            };

            // Several probes may share an event where type and arguments agree.
            TraceProbe? other = shared[i] == 0 ? probes.FirstOrDefault(p => p.IsReturn == isReturn)?.Definition : null;
            probes.Add(new HistoryProbe(
                other is null ? probe : probe with { Name = other.Name, Group = other.Group, Arguments = other.Arguments }, number));
        }

        return [.. probes];
    }

    private static HistoryProbe Deep(HistoryWorld world, char type, string name) => new(
        new TraceProbe
        {
            Id = world.Probes.Count + (type == 'r' ? 1 : 0),
            Type = type,
            Name = name,
            Symbol = world.Functions[0].Name,
            Address = world.Functions[0].Address,
            Module = world.Functions[0].Module,
        },
        0);

    private static HistoryStep Deeper(HistoryStep step) => step.Kind switch
    {
        HistoryStepKind.Call => step with { Target = 0, IsFiltered = step.Seed % 4 == 0 },
        HistoryStepKind.Hit => step with { Kind = HistoryStepKind.Lose },
        _ => step,
    };

    private static Gen<TraceArgument[]> Arguments() =>
        from names in Some(_arguments, 0, 4)
        from types in Gen.OneOf(_types).Array[names.Length]
        select (TraceArgument[])[.. names.Zip(types, static (n, t) => new TraceArgument(n, t))];

    private static Gen<HistoryStep> Step()
    {
        Gen<HistoryStepKind> kind = Gen.Frequency(
            (8, Gen.Const(HistoryStepKind.Call)), (7, Gen.Const(HistoryStepKind.Return)), (1, Gen.Const(HistoryStepKind.Lose)),
            (4, Gen.Const(HistoryStepKind.Hit)), (1, Gen.Const(HistoryStepKind.Print)), (1, Gen.Const(HistoryStepKind.Poke)),
            (1, Gen.Const(HistoryStepKind.Note)));
        Gen<HistoryOutcome> outcome = Gen.OneOf(HistoryOutcome.None, HistoryOutcome.Post, HistoryOutcome.Post, HistoryOutcome.Fault);
        Gen<HistoryNaming> naming = Gen.OneOf(HistoryNaming.Nothing, HistoryNaming.Time, HistoryNaming.TimeAndEvent);
        Gen<HistoryParts> parts = Gen.Int[0, 15].Select(static bits => (HistoryParts)(bits & ((bits & 4) != 0 ? 15 : 7)));
        return
            from what in kind
            from task in Gen.Int[0, 4]
            from cpu in Gen.Int[0, 3]
            from target in Gen.Int[0, 6]
            from ns in Gen.OneOf(_waits)
            from after in outcome
            from said in naming
            from filtered in Gen.Int[0, 9]
            from has in parts
            from seed in Gen.ULong[1, 1UL << 40]
            select new HistoryStep(what)
            {
                Task = task,
                Cpu = cpu,
                Target = target,
                Ns = ns,
                Outcome = after,
                Naming = said,
                IsFiltered = filtered == 0,
                Parts = has,
                Seed = seed,
            };
    }
}
