using KprobeTrace.Kprobes;
using KprobeTrace.Probes;

namespace KprobeTrace.Recording;

/// <content>Definitions and filters before the first instruction.</content>
public sealed partial class Recorder
{
    private readonly List<SkippedProbe> _skipped = [];

    /// <summary>The definitions that were refused and left out, in their order.</summary>
    public IReadOnlyList<SkippedProbe> Skipped => _skipped;

    /// <summary>Carries the definitions out one by one, as writes to <c>kprobe_events</c> would be.</summary>
    private void Define()
    {
        LoadSaved();
        List<ProbeLine> lines = [.. _options.Probes.Select(p => new ProbeLine(p)), .. _options.ProbeFiles.SelectMany(ProbeFile.Read)];
        if (lines.Count == 0 && _options.ProbeFiles.Count > 0)
        {
            throw new KprobeTraceException($"{_options.ProbeFiles[0]}: it holds no probe definition");
        }

        bool userProbes = lines.Count > 0;
        if (!userProbes)
        {
            lines = [.. DefaultProbes.For(Session).Select(p => new ProbeLine(p))];
        }

        if (_options.Warn is not null && SymbolNotice.For(Session, userProbes, lines.Count) is string notice)
        {
            _options.Warn(notice);
        }

        List<string> definitions = [];
        foreach (ProbeLine line in lines)
        {
            if (Apply(line.Definition) is ProbeError error)
            {
                Refuse(line, error);
            }
            else
            {
                definitions.Add(line.Definition);
            }
        }

        if (_recorders.Count == 0 && _skipped.Count > 0)
        {
            throw new KprobeTraceException(
                $"nothing to record: all {_skipped.Count} probe definitions were refused, the first one: {_skipped[0].Place}: {_skipped[0].Error.Explain(withHint: true)}");
        }

        Definitions = definitions;
        for (int i = 0; i < _recorders.Count; i++)
        {
            _recorders[i].Id = i;
        }

        foreach (string filter in _options.Filters)
        {
            SetFilter(filter);
        }

        Session.Kprobes.SettleSaved();
    }

    private void Refuse(ProbeLine line, ProbeError error)
    {
        if (!_options.SkipRefused)
        {
            throw new ProbeSyntaxException(error, line.Source);
        }

        _skipped.Add(new SkippedProbe(line, error));
    }

    private void SetFilter(string filter)
    {
        string[] parts = filter.Split(':', 2, StringSplitOptions.TrimEntries);
        string name = parts[0];
        if (parts.Length == 2 && Session.Events.Find(name) is ProbeEvent target)
        {
            target.SetFilter(parts[1]);
            return;
        }

        // A filter goes with its probe.
        if (!_skipped.Exists(s => NameIn(s.Line.Definition) is string skipped && (skipped == name || skipped.EndsWith("/" + name, StringComparison.Ordinal))))
        {
            throw new KprobeTraceException(
                $"--filter '{Excerpt.Of(filter)}': no probe is named '{Excerpt.Of(name)}'{Session.Events.AskForEvent(name)}; write NAME: EXPRESSION with the name of a probe");
        }
    }

    /// <summary>The event's name as a definition gives it, with its group or without.</summary>
    private static string NameIn(string definition)
    {
        string head = definition.Split(' ', '\t')[0];
        return head[(head.IndexOf(':', StringComparison.Ordinal) + 1)..];
    }

    /// <summary>Carries one line out and registers what it defines; returns why it was refused.</summary>
    private ProbeError? Apply(string line)
    {
        if (!Session.Events.Apply(line, out ProbeDefinition? added, out ProbeError? error))
        {
            return error;
        }

        if (added is null)
        {
            DropDeleted();
            return null;
        }

        KprobeResult result = Register(added);
        if (result.IsSuccess)
        {
            return null;
        }

        Session.Events.Remove(added);
        return ProbeError.OfRegistration(added, result.Errno, result.Reason);
    }

    private KprobeResult Register(ProbeDefinition definition)
    {
        ProbePlace place = definition.Place;
        bool atEntry = place.Offset == 0
            && (place.Symbol is not null || (Session.Symbols.TryFind(place.Address, out _, out ulong offset) && offset == 0));
        EventRecorder recorder = new(this, Session, Session.Events.Find(definition.Group, definition.Event)!, definition, atEntry);
        if (_savedHits.TryGetValue(recorder.SavedAs, out byte[]? hits))
        {
            recorder.LoadHits(hits);
        }

        Kprobe probe = definition.IsReturn ? recorder.CreateKretprobe().Kp : recorder.CreateKprobe(Kinds);
        if (place.Module is not null && Session.Watch is KernelWatch watch)
        {
            AwaitModule(watch, place.Module, recorder);
            recorder.Refusal = _savedRefusals.GetValueOrDefault(recorder.SavedAs, "");
            if (recorder.Refusal.Length > 0 || !(Session.Symbols.Modules.Contains(place.Module) || Session.Kprobes.HasSaved(recorder.SavedAs)))
            {
                _recorders.Add(recorder);
                return KprobeResult.Success;
            }
        }

        KprobeResult result = probe.ReturnProbe is Kretprobe calls ? Session.Kprobes.RegisterKretprobe(calls) : Session.Kprobes.RegisterKprobe(probe);
        if (result.IsSuccess)
        {
            _recorders.Add(recorder);
        }
        else
        {
            Session.Watch?.Modules.Remove(probe);
        }

        return result;
    }

    /// <summary>Takes out the probes of definitions that a line has taken back.</summary>
    private void DropDeleted()
    {
        foreach (EventRecorder recorder in _recorders.FindAll(r => !Session.Events.Contains(r.Definition)))
        {
            _recorders.Remove(recorder);
            Kprobe probe = recorder.ReturnProbe?.Kp ?? recorder.Probe!;
            Session.Watch?.Modules.Remove(probe);
            if (recorder.ReturnProbe is Kretprobe calls)
            {
                Session.Kprobes.UnregisterKretprobe(calls);
            }
            else
            {
                Session.Kprobes.UnregisterKprobe(probe);
            }
        }
    }

    /// <summary>Leaves a probe on a module that is not there to be registered when it comes.</summary>
    private void AwaitModule(KernelWatch watch, string module, EventRecorder recorder)
    {
        if (recorder.ReturnProbe is Kretprobe calls)
        {
            watch.Modules.Add(module, calls, Prepare);
        }
        else
        {
            watch.Modules.Add(module, recorder.Probe!, Prepare);
        }

        KprobeResult Prepare() => recorder.ResolveData(Session.Target);
    }
}
