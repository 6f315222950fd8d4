namespace KprobeTrace.Kprobes;

/// <summary>Probes on functions of modules: registered whenever their module comes, kept while it is away.</summary>
public sealed class ModuleProbes
{
    private readonly KprobeSubsystem _kprobes;
    private readonly List<Waiting> _waiting = [];

    /// <summary>Creates an empty set for a subsystem.</summary>
    public ModuleProbes(KprobeSubsystem kprobes)
    {
        ArgumentNullException.ThrowIfNull(kprobes);
        _kprobes = kprobes;
    }

    /// <summary>Is told how the registration of a probe went when its module came.</summary>
    public event Action<Kprobe, KprobeResult>? Registered;

    /// <summary>Keeps a probe, whose symbol is <c>MODULE:NAME</c>, for a module.</summary>
    public void Add(string name, Kprobe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        _waiting.Add(new Waiting(name, probe, null, probe.Flags));
    }

    /// <summary>Keeps a return probe, whose symbol is <c>MODULE:NAME</c>, for a module.</summary>
    public void Add(string name, Kretprobe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        _waiting.Add(new Waiting(name, probe.Kp, probe, probe.Kp.Flags));
    }

    /// <summary>A module's symbols are known and its init function has not run: registers what waits for it.</summary>
    public void ModuleComing(string name)
    {
        foreach (Waiting waiting in _waiting)
        {
            if (waiting.Module != name || waiting.Probe.IsRegistered)
            {
                continue;
            }

            ulong hits = waiting.Probe.Hits;
            waiting.Probe.Addr = 0;
            waiting.Probe.Flags = waiting.Flags;
            KprobeResult result = waiting.Return is null
                ? _kprobes.RegisterKprobe(waiting.Probe)
                : _kprobes.RegisterKretprobe(waiting.Return);
            waiting.Probe.Hits = hits;
            Registered?.Invoke(waiting.Probe, result);
        }
    }

    /// <summary>A module's text is gone: its probes wait for it to come again.</summary>
    public void ModuleGone(string name)
    {
        foreach (Waiting waiting in _waiting)
        {
            if (waiting.Module != name || !waiting.Probe.IsRegistered)
            {
                continue;
            }

            if (waiting.Return is null)
            {
                _kprobes.UnregisterKprobe(waiting.Probe);
            }
            else
            {
                _kprobes.UnregisterKretprobe(waiting.Return);
            }
        }
    }

    private sealed record Waiting(string Module, Kprobe Probe, Kretprobe? Return, KprobeStatus Flags);
}
