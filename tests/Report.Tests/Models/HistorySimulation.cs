using System.Globalization;
using CsCheck;
using KprobeTrace.Tracing;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>Lets the steps of a plan happen and writes down what a recorder would.</summary>
/// <remarks>The same plan gives the same history, and a plan without some of its steps one that makes sense as well.</remarks>
internal sealed class HistorySimulation
{
    private readonly HistoryPlan _plan;
    private readonly List<HistoryEvent> _events = [];
    private readonly List<(ulong, ulong, byte[])> _console = [];
    private readonly List<TraceTextPoke> _pokes = [];
    private readonly List<TraceNote> _notes = [];
    private readonly Dictionary<int, Stack<Frame>> _calls = [];
    private readonly ulong[] _hits;
    private ulong _time;

    private HistorySimulation(HistoryPlan plan)
    {
        _plan = plan;
        _hits = new ulong[plan.World.Probes.Count];
    }

    /// <summary>Instructions retired: behind virtual time where the guest was idle, here a third of it.</summary>
    private ulong Instructions => _time / 3;

    /// <summary>The history of a plan.</summary>
    internal static History Of(HistoryPlan plan)
    {
        HistorySimulation simulation = new(plan);
        foreach (HistoryStep step in plan.Steps)
        {
            simulation._time += step.Ns;
            simulation.Do(step);
        }

        return simulation.Finish();
    }

    private History Finish()
    {
        HistoryWorld world = _plan.World;
        return new History
        {
            Header = new TraceHeader
            {
                ImageName = world.Image,
                ImageSha256 = string.Concat(Enumerable.Repeat($"{world.Image.Length:x2}{(int)world.Image[^1]:x2}", 16)),
                Kernel = "Linux version 6.1.0-" + world.Image,
                CommandLine = world.CommandLine,
                MemoryBytes = 64 << 20,
                Cpus = world.Cpus,
                Producer = "history",
            },
            Footer = _plan.Ended is null ? null : new TraceFooter
            {
                Ended = _plan.Ended,
                TimeNs = _time + 10,
                Instructions = Instructions + 3,
                ExitCode = _plan.Ended == "exit" ? 7 : 0,
                Probes = [.. world.Probes.Select((_, i) => new TraceProbeCount(i, _hits[i], (ulong)(i % 2), i % 3 == 2 ? "gone" : "armed"))],
            },
            Functions = [.. world.Functions.Where(static f => f.Name.Length > 0)],
            Probes = world.Probes,
            Events = HistoryEdit.Apply(_plan.Edits, _events),
            Console = _console,
            Pokes = _pokes,
            Notes = _notes,
            EventsPerChunk = _plan.EventsPerChunk,
        };
    }

    private void Do(HistoryStep step)
    {
        HistoryFunction function = _plan.World.Functions[step.Target % _plan.World.Functions.Count];
        switch (step.Kind)
        {
            case HistoryStepKind.Call:
                Call(step, step.Target % _plan.World.Functions.Count);
                break;
            case HistoryStepKind.Return:
                Return(step);
                break;
            case HistoryStepKind.Lose:
                _ = CallsOf(step).TryPop(out _);
                break;
            case HistoryStepKind.Hit when _plan.World.Probes.Count > 0:
                HistoryProbe probe = _plan.World.Probes[step.Target % _plan.World.Probes.Count];
                if (probe is { IsReturn: false, IsEntry: false })
                {
                    Hit(step, [probe], 0);
                }

                break;
            case HistoryStepKind.Print:
                _console.Add((_time, Instructions, Draw(step, HistoryValues.Line, [])));
                break;
            case HistoryStepKind.Poke:
                _pokes.Add(new TraceTextPoke(_time, Instructions, function.Address, (byte[])[0x55], (byte[])[0xCC], step.IsFiltered ? "guest" : "arm"));
                break;
            case HistoryStepKind.Note:
                AddNote(step);
                break;
            default:
                break;
        }
    }

    private void Call(HistoryStep step, int function)
    {
        // A call takes an instruction: no two entries of a function have one time.
        _time += 3;
        ulong caller = Draw(step, AnyAddress(), 0UL);
        ulong entered = _time;
        ulong entry = Hit(step, [.. _plan.World.Probes.Where(p => p.IsEntry && p.Function == function)], caller);
        CallsOf(step).Push(new Frame(function, entry, entered, caller));
    }

    /// <summary>Hits of probes at one instruction. Returns the number of the first event, 0 where none was recorded.</summary>
    private ulong Hit(HistoryStep step, IReadOnlyList<HistoryProbe> probes, ulong caller)
    {
        List<(HistoryProbe Probe, ulong Seq)> entries = [];
        foreach (HistoryProbe probe in probes)
        {
            _hits[probe.Definition.Id]++;
            if (IsRecorded(step, TraceEventKind.Pre))
            {
                HistoryEvent pre = Event(step, probe, TraceEventKind.Pre);
                Add(pre with { Caller = (step.Parts & HistoryParts.Caller) != 0 ? caller : 0, Arguments = Arguments(step, probe) });
            }

            entries.Add((probe, IsRecorded(step, TraceEventKind.Pre) ? (ulong)_events.Count : 0));
        }

        TraceEventKind kind = step.Outcome == HistoryOutcome.Post ? TraceEventKind.Post : TraceEventKind.Fault;
        if (step.Outcome != HistoryOutcome.None && IsRecorded(step, kind))
        {
            _time += kind == TraceEventKind.Post ? 3UL + (step.Seed % 50) : 0;
            foreach ((HistoryProbe probe, ulong seq) in entries)
            {
                HistoryEvent after = Event(step, probe, kind) with { EntrySeq = seq };
                Add(kind == TraceEventKind.Post ? after : Faulted(step, after));
            }
        }

        return entries.Count > 0 ? entries[0].Seq : 0;
    }

    private void Return(HistoryStep step)
    {
        if (!CallsOf(step).TryPop(out Frame? frame))
        {
            return;
        }

        // A function that returns at once may have taken no time; two returns of one function never have one time.
        _time += frame.TimeNs == _time && step.Seed % 2 == 1 ? 0UL : 3UL;
        foreach (HistoryProbe probe in _plan.World.Probes.Where(p => p.IsReturn && p.Function == frame.Function))
        {
            _hits[probe.Definition.Id]++;
            if (IsRecorded(step, TraceEventKind.Return))
            {
                Add(Event(step, probe, TraceEventKind.Return) with
                {
                    Caller = (step.Parts & HistoryParts.Caller) != 0 ? frame.Caller : 0,
                    EntryTimeNs = step.Naming == HistoryNaming.Nothing ? 0 : frame.TimeNs,
                    EntrySeq = step.Naming == HistoryNaming.TimeAndEvent ? frame.Entry : 0,
                    Arguments = Arguments(step, probe),
                });
            }
        }
    }

    private void AddNote(HistoryStep step)
    {
        TraceNoteKind kind = (TraceNoteKind)(step.Seed % 5);
        bool isOfProbe = kind != TraceNoteKind.Remark && !step.IsFiltered && _plan.World.Probes.Count > 0;
        _notes.Add(new TraceNote
        {
            Kind = kind,
            TimeNs = _time,
            Instructions = Instructions,
            ProbeId = isOfProbe ? step.Target % _plan.World.Probes.Count : -1,
            Count = 1 + (step.Seed % 3),
            Text = kind == TraceNoteKind.ProbeState ? "gone: its module went" : string.Create(CultureInfo.InvariantCulture, $"note {step.Seed % 4}"),
        });
    }

    private HistoryEvent Event(HistoryStep step, HistoryProbe probe, TraceEventKind kind) => new()
    {
        Seq = 0,
        Kind = kind,
        Probe = probe,
        Task = TaskOf(step),
        Cpu = (ushort)(step.Cpu % _plan.World.Cpus),
        TimeNs = _time,
        Instructions = Instructions,
        Registers = (step.Parts & HistoryParts.Registers) == 0 ? null : Draw(step, HistoryValues.Registers, new ulong[TraceRegisters.Count]),
        Stack = (step.Parts & HistoryParts.Stack) == 0 || kind is TraceEventKind.Post or TraceEventKind.Fault ? [] : Stack(step, probe),
        IsTruncated = (step.Parts & HistoryParts.Truncated) != 0,
    };

    private void Add(HistoryEvent e) => _events.Add(e with { Seq = (ulong)_events.Count + 1 });

    private static HistoryEvent Faulted(HistoryStep step, HistoryEvent e)
    {
        bool isPageFault = step.Seed % 3 == 0;
        return e with
        {
            Vector = isPageFault ? (byte)14 : step.Seed % 3 == 1 ? (byte)13 : (byte)0,
            ErrorCode = isPageFault ? 2u : step.Seed % 3 == 1 ? 0xFFF8u : 0,
            Cr2 = isPageFault ? 0xFFFF800000000010 + step.Seed : 0,
            IsHandled = (step.Seed & 8) != 0,
        };
    }

    private static IReadOnlyList<object?>? Arguments(HistoryStep step, HistoryProbe probe)
    {
        IReadOnlyList<TraceArgument> list = probe.Definition.Arguments;
        ulong at = (ulong)probe.Definition.Id;
        return list.Count == 0 ? null : [.. list.Select(a => Draw(step, HistoryValues.OfType(a.Type), HistoryValues.Plain(a.Type), ++at))];
    }

    private ulong[] Stack(HistoryStep step, HistoryProbe probe)
    {
        ulong[] callers = Draw(step, AnyAddress().Array[1, 4], [_plan.World.Functions[0].Address + 8]);
        return step.Seed % 2 == 0 ? [probe.Definition.Address, .. callers] : callers;
    }

    /// <summary>An address in some function, at its first and last bytes too, or in none.</summary>
    private Gen<ulong> AnyAddress() => Gen.Frequency(
        (9, Gen.Select(Gen.Int[0, _plan.World.Functions.Count - 1], Gen.OneOf(0, 1, 0x10, -1), (f, at) =>
            _plan.World.Functions[f] is { Size: > 0 } sized && at < 0 ? sized.Address + sized.Size - 1 : _plan.World.Functions[f].Address + (ulong)Math.Max(0, at))),
        (1, Gen.Const(0x1234UL)));

    private bool IsRecorded(HistoryStep step, TraceEventKind kind) => !step.IsFiltered && _plan.Kinds.Contains(kind);

    private HistoryTask? TaskOf(HistoryStep step) => _plan.World.Tasks[step.Task % _plan.World.Tasks.Count];

    /// <summary>The calls that are open in a step's task. A guest without tasks runs what later is task 0.</summary>
    private Stack<Frame> CallsOf(HistoryStep step)
    {
        int pid = TaskOf(step)?.Pid ?? 0;
        if (!_calls.TryGetValue(pid, out Stack<Frame>? stack))
        {
            _calls.Add(pid, stack = []);
        }

        return stack;
    }

    private static T Draw<T>(HistoryStep step, Gen<T> gen, T plain, ulong salt = 0) =>
        step.Seed == 0 ? plain : gen.Generate(new PCG((uint)salt, step.Seed), null, out _);

    private sealed record Frame(int Function, ulong Entry, ulong TimeNs, ulong Caller);
}
