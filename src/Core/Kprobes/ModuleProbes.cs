namespace KprobeTrace.Kprobes;

/// <summary>Probes on functions of modules: registered whenever their module comes, kept while it is away.</summary>
internal sealed class ModuleProbes
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
    /// <param name="name">The module.</param>
    /// <param name="probe">The probe.</param>
    /// <param name="prepare">Runs before each registration; one that fails is not made. Optional.</param>
    public void Add(string name, Kprobe probe, Func<KprobeResult>? prepare = null)
    {
        ArgumentNullException.ThrowIfNull(probe);
        _waiting.Add(new Waiting(name, probe, null, probe.Flags, prepare));
    }

    /// <summary>Keeps a return probe, whose symbol is <c>MODULE:NAME</c>, for a module.</summary>
    /// <param name="name">The module.</param>
    /// <param name="probe">The return probe.</param>
    /// <param name="prepare">Runs before each registration; one that fails is not made. Optional.</param>
    public void Add(string name, Kretprobe probe, Func<KprobeResult>? prepare = null)
    {
        ArgumentNullException.ThrowIfNull(probe);
        _waiting.Add(new Waiting(name, probe.Kp, probe, probe.Kp.Flags, prepare));
    }

    /// <summary>Keeps a probe, or the entry of a return probe, no longer; whether it is registered stays as it is.</summary>
    public void Remove(Kprobe probe) => _waiting.RemoveAll(w => w.Probe == probe);

    /// <summary>A module's symbols are known and its init function has not run: registers what waits for it.</summary>
    /// <remarks>
    /// A probe that was there when the module went away has stayed in the table as gone; it is taken out only now. What it
    /// counted goes on.
    /// </remarks>
    public void ModuleComing(string name)
    {
        foreach (Waiting waiting in _waiting)
        {
            if (waiting.Module == name && (!waiting.Probe.IsRegistered || (waiting.Probe.Flags & KprobeStatus.Gone) != 0))
            {
                KprobeResult result = Register(waiting);
                Registered?.Invoke(waiting.Probe, result);
            }
        }
    }

    private KprobeResult Register(Waiting waiting)
    {
        Kprobe probe = waiting.Probe;
        ulong hits = probe.Hits;
        KprobeResult result;
        if (waiting.Return is Kretprobe calls)
        {
            (ulong returns, ulong without, ulong abandoned) = (calls.Returns, calls.NoReturnAddress, calls.Abandoned);
            _kprobes.UnregisterKretprobe(calls);
            Reset(waiting);
            result = waiting.Prepare?.Invoke() ?? KprobeResult.Success;
            result = result.IsSuccess ? _kprobes.RegisterKretprobe(calls) : result;
            (calls.Returns, calls.NoReturnAddress, calls.Abandoned) = (returns, without, abandoned);
        }
        else
        {
            _kprobes.UnregisterKprobe(probe);
            Reset(waiting);
            result = waiting.Prepare?.Invoke() ?? KprobeResult.Success;
            result = result.IsSuccess ? _kprobes.RegisterKprobe(probe) : result;
        }

        probe.Hits = hits;
        return result;
    }

    private static void Reset(Waiting waiting)
    {
        waiting.Probe.Addr = 0;
        waiting.Probe.Flags = waiting.Flags;
    }

    private sealed record Waiting(string Module, Kprobe Probe, Kretprobe? Return, KprobeStatus Flags, Func<KprobeResult>? Prepare);
}
