using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Recording;

/// <content>What a saved guest keeps of its recording, and the points at which it is saved.</content>
public sealed partial class Recorder : IStateful
{
    /// <summary>Why probes were refused when their module came, by the names that saved guests know them by.</summary>
    private readonly Dictionary<string, string> _savedRefusals = [];

    /// <summary>Which probes were in the middle of a hit, by the same names.</summary>
    private readonly Dictionary<string, byte[]> _savedHits = [];

    /// <inheritdoc/>
    void IStateful.Save(StateWriter to)
    {
        _console.Save(to);
        List<EventRecorder> refused = _recorders.FindAll(static r => r.Refusal.Length > 0);
        to.Write(refused.Count);
        foreach (EventRecorder recorder in refused)
        {
            to.Write(recorder.SavedAs);
            to.Write(recorder.Refusal);
        }

        to.Write(_recorders.Count);
        foreach (EventRecorder recorder in _recorders)
        {
            to.Write(recorder.SavedAs);
            recorder.SaveHits(to);
        }
    }

    /// <inheritdoc/>
    void IStateful.Load(StateReader from)
    {
        _console.Load(from);
        for (int left = from.ReadCount(2 * sizeof(int)); left > 0; left--)
        {
            _savedRefusals[from.ReadText()] = from.ReadText();
        }

        int processors = Session.Machine.Processors.Count;
        for (int left = from.ReadCount(sizeof(int) + processors); left > 0; left--)
        {
            _savedHits[from.ReadText()] = from.Read(processors).ToArray();
        }

        from.RequireEnd();
    }

    /// <summary>The message for a limit of instructions that a saved guest is behind already.</summary>
    internal static string LimitBehind(long limit, long startedAt) =>
        $"--max-instructions {limit}: the guest goes on from {startedAt} instructions; the limit counts from its first";

    private void LoadSaved()
    {
        if (Session.Recording.Waiting is StateReader saved)
        {
            ((IStateful)this).Load(saved);
            Session.Events.IsSettled = definition =>
                EventRecorder.SavedName(definition) is string name && (Session.Kprobes.HasSaved(name) || _savedRefusals.ContainsKey(name));
        }
    }

    /// <exception cref="KprobeTraceException">A point or a limit is none that the run comes by.</exception>
    private void CheckPoints()
    {
        if (_options.MaxInstructions > 0 && _options.MaxInstructions < _startedAt)
        {
            throw new KprobeTraceException(LimitBehind(_options.MaxInstructions, _startedAt));
        }

        if (_options.SaveAt.Count > 0)
        {
            _saver = new GuestSaver(_options.SaveAt, Session, [.. _recorders.Select(static r => r.Definition.Event).Distinct()]);
        }
    }
}
