using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Tracing;

namespace KprobeTrace.Recording;

/// <content>What happens to probes and modules while the guest runs, as the trace tells it.</content>
public sealed partial class Recorder
{
    private void WatchProbes()
    {
        Session.Kprobes.BoundaryChanged += (probe, off) => StateChanged(probe, off
            ? $"off-boundary: the guest rewrote its text, no instruction begins at {Session.Symbols.Format(probe.Addr)} any more"
            : $"armed: an instruction begins at {Session.Symbols.Format(probe.Addr)} again");
        Session.Kprobes.ProbeGone += probe => StateChanged(probe, "gone: its text was freed");
        if (Session.Watch is KernelWatch watch)
        {
            watch.ModuleLoaded += ModuleLoaded;
            watch.ModuleLive += module => Note(TraceNoteKind.Remark, $"module {module.Name} initialised; its init text is freed");
            watch.ModuleUnloaded += name => Note(TraceNoteKind.Remark, $"module {name} unloaded");
            watch.Modules.Registered += ModuleProbeRegistered;
        }
    }

    /// <summary>A module lies where another one may have been.</summary>
    private void ModuleLoaded(GuestModule module)
    {
        foreach (GuestRange range in new[] { module.CoreText, module.InitText })
        {
            _writer?.ForgetSymbols(range.Start, range.End);
        }

        Note(TraceNoteKind.Remark, $"module {module.Name} loaded: {Describe(module)}");
    }

    private static string Describe(GuestModule module)
    {
        string text = FormattableString.Invariant($"text 0x{module.CoreText.Start:x}-0x{module.CoreText.End:x}");
        return module.InitText.End == module.InitText.Start
            ? text
            : text + FormattableString.Invariant($", init text 0x{module.InitText.Start:x}-0x{module.InitText.End:x}");
    }

    /// <summary>A probe that waited for its module has its address now, or was refused.</summary>
    private void ModuleProbeRegistered(Kprobe probe, KprobeResult result)
    {
        if (probe.Tag is not EventRecorder recorder)
        {
            return;
        }

        recorder.Refusal = result.Reason;
        if (result.IsSuccess)
        {
            StateChanged(probe, $"{State(recorder)}: its module came, it is at 0x{probe.Addr:x}");
        }
        else
        {
            _writer?.WriteProbe(Describe(recorder));
            Note(TraceNoteKind.Refusal, $"{recorder.Definition.Place.QualifiedSymbol}: {result.Reason} ({result.Errno})", recorder.Id);
        }
    }

    /// <summary>Writes a probe's new state and address, and when it got them.</summary>
    private void StateChanged(Kprobe probe, string text)
    {
        if (probe.Tag is EventRecorder recorder && recorder.Owns(probe))
        {
            _writer?.WriteProbe(Describe(recorder));
            Note(TraceNoteKind.ProbeState, text, recorder.Id);
        }
    }

    private void Note(TraceNoteKind kind, string text, int probe = -1, ulong count = 1) => _writer?.WriteNote(new TraceNote
    {
        TimeNs = (ulong)Session.Machine.Now,
        Instructions = (ulong)Session.Machine.Retired,
        Kind = kind,
        ProbeId = probe,
        Count = count,
        Text = text,
    });

    /// <summary>Says of every return probe which calls gave no event, and which stacks could not be followed to their end.</summary>
    private void WriteCallNotes()
    {
        if (Session.Unwinder?.Trampolines is { CutWalks: > 0 } trampolines)
        {
            Note(
                TraceNoteKind.Remark,
                FormattableString.Invariant(
                    $"{trampolines.CutWalks} call stacks end at a trampoline of the guest's own return probes: its list of open calls has more than {ReturnTrampolines.MaxInstances} entries or no end"),
                count: trampolines.CutWalks);
        }

        foreach (EventRecorder recorder in _recorders)
        {
            if (recorder.ReturnProbe is Kretprobe calls)
            {
                NoteCalls(TraceNoteKind.Miss, recorder.Id, calls.NoReturnAddress, "calls had no return address on the stack");
                NoteCalls(TraceNoteKind.Remark, recorder.Id, calls.Abandoned, "calls were abandoned: their task ended or their stack was unwound");
                NoteCalls(TraceNoteKind.Remark, recorder.Id, (ulong)calls.Open, "calls had not returned at the end");
            }
        }
    }

    private void NoteCalls(TraceNoteKind kind, int probe, ulong count, string text)
    {
        if (count > 0)
        {
            Note(kind, FormattableString.Invariant($"{count} {text}"), probe, count);
        }
    }

    private static string State(EventRecorder recorder)
    {
        Kprobe? probe = recorder.ReturnProbe?.Kp ?? recorder.Probe;
        return probe switch
        {
            null => "refused",
            { IsRegistered: false } when recorder.Refusal.Length > 0 => "refused",
            { IsRegistered: false } => "pending",
            _ when (probe.Flags & KprobeStatus.Gone) != 0 => "gone",
            { IsOffBoundary: true } => "off-boundary",
            _ when (probe.Flags & KprobeStatus.Disabled) != 0 => "disabled",
            _ => "armed",
        };
    }
}
