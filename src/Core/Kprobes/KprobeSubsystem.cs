using KprobeTrace.Cpu;
using KprobeTrace.Symbols;

namespace KprobeTrace.Kprobes;

/// <summary>The kprobes of one machine: registration, arming, the global switches, the list.</summary>
/// <remarks>
/// The rules are those of Linux 5.10 to 5.12 but for the deviations listed in docs/kprobes.md. Not safe for threads:
/// call it while the machine stands still or from a handler.
/// </remarks>
public sealed partial class KprobeSubsystem
{
    private readonly IProbedGuest _guest;
    private readonly IKernelText _text;
    private readonly KprobeTable _table = new();
    private readonly IFetchView _view;
    private readonly BreakpointMap _breakpoints;
    private readonly InstructionBoundary _boundary;
    private readonly ReturnCalls _returns;
    private readonly List<Kretprobe> _returnProbes = [];
    private bool _allDisarmed;
    private bool _optimizationAllowed = true;

    /// <summary>Creates the subsystem over what a machine offers.</summary>
    internal KprobeSubsystem(
        IProbedGuest guest, IKernelText text, IInstructionLength decoder, IFetchView overlay)
    {
        ArgumentNullException.ThrowIfNull(guest);
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(decoder);
        ArgumentNullException.ThrowIfNull(overlay);
        _guest = guest;
        _text = text;
        _view = overlay;
        _breakpoints = new BreakpointMap(overlay, guest) { Poked = poke => TextPoked?.Invoke(poke) };
        _boundary = new InstructionBoundary(decoder, guest, text);
        _returns = new ReturnCalls(_breakpoints, _boundary, guest, text);
        Handler = new Int3Handler(_breakpoints, _returns, guest, text, Describe) { Settle = SettleText };
        overlay.TextWritten += TextWritten;
    }

    /// <summary>Is told of every byte written into the fetch view for a probe.</summary>
    internal event Action<TextPoke>? TextPoked;

    /// <summary>Is told when the guest's own writes move a probe off an instruction boundary, or back onto one.</summary>
    internal event Action<Kprobe, bool>? BoundaryChanged;

    /// <summary>Is told of every probe whose text goes away.</summary>
    public event Action<Kprobe>? ProbeGone;

    /// <summary>What the CPU calls at breakpoints.</summary>
    internal Int3Handler Handler { get; }

    /// <summary>Whether text that Linux refuses to probe may be probed: safe here, since no handler runs in the guest.</summary>
    public bool AllowBlacklisted { get; set; }

    /// <summary>The number of probed addresses.</summary>
    public int Count => _table.Snapshot().Count(e => Array.Exists(e.Children, p => !p.IsInternal));

    /// <summary>Calls that return probes still wait for.</summary>
    public int OpenCalls => ReturnProbes.Sum(p => p.Open);

    /// <summary>The registered return probes, oldest first.</summary>
    public IReadOnlyList<Kretprobe> ReturnProbes => _returnProbes.FindAll(p => !p.Kp.IsInternal);

    /// <summary>Registers a probe and arms it unless it is disabled or the global switch is off.</summary>
    public KprobeResult RegisterKprobe(Kprobe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        KprobeResult result = Register(probe);
        _breakpoints.Synchronize();
        return result;
    }

    /// <summary>Registers several probes; the first failure takes the earlier ones back and is returned.</summary>
    public KprobeResult RegisterKprobes(IReadOnlyList<Kprobe> probes)
    {
        ArgumentNullException.ThrowIfNull(probes);
        if (probes.Count == 0)
        {
            return KprobeResult.Invalid("no probes given");
        }

        KprobeResult result = KprobeResult.Success;
        for (int i = 0; i < probes.Count && result.IsSuccess; i++)
        {
            result = Register(probes[i]);
            for (int j = 0; j < i && !result.IsSuccess; j++)
            {
                Unregister(probes[j]);
            }
        }

        _breakpoints.Synchronize();
        return result;
    }

    /// <summary>Takes a probe out; harmless, but for clearing the address, when it is not registered.</summary>
    /// <remarks>The probe keeps its address and is left disabled, as in the kernel.</remarks>
    public void UnregisterKprobe(Kprobe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        Unregister(probe);
        _breakpoints.Synchronize();
    }

    /// <summary>Takes several probes out; those not registered only have their address cleared.</summary>
    public void UnregisterKprobes(IReadOnlyList<Kprobe> probes)
    {
        ArgumentNullException.ThrowIfNull(probes);
        foreach (Kprobe probe in probes)
        {
            Unregister(probe);
        }

        _breakpoints.Synchronize();
    }

    /// <summary>Registers a return probe.</summary>
    public KprobeResult RegisterKretprobe(Kretprobe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        KprobeResult result = RegisterReturn(probe);
        _breakpoints.Synchronize();
        return result;
    }

    /// <summary>Registers several return probes; the first failure takes the earlier ones back and is returned.</summary>
    public KprobeResult RegisterKretprobes(IReadOnlyList<Kretprobe> probes)
    {
        ArgumentNullException.ThrowIfNull(probes);
        if (probes.Count == 0)
        {
            return KprobeResult.Invalid("no probes given");
        }

        for (int i = 0; i < probes.Count; i++)
        {
            KprobeResult result = RegisterKretprobe(probes[i]);
            if (!result.IsSuccess)
            {
                for (int j = 0; j < i; j++)
                {
                    UnregisterKretprobe(probes[j]);
                }

                return result;
            }
        }

        return KprobeResult.Success;
    }

    /// <summary>Takes a return probe out; calls that are open return unnoticed.</summary>
    public void UnregisterKretprobe(Kretprobe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        Unregister(probe.Kp);
        _returns.DropProbe(probe);
        _returnProbes.Remove(probe);
        if (_returnProbes.Count == 0)
        {
            _breakpoints.ClearReturnSites(0, ulong.MaxValue);
        }

        _breakpoints.Synchronize();
    }

    /// <summary>Takes several return probes out.</summary>
    public void UnregisterKretprobes(IReadOnlyList<Kretprobe> probes)
    {
        ArgumentNullException.ThrowIfNull(probes);
        foreach (Kretprobe probe in probes)
        {
            UnregisterKretprobe(probe);
        }
    }

    /// <summary>A task ended; its open calls are counted as abandoned.</summary>
    /// <param name="task">The address of its structure.</param>
    internal void TaskExited(ulong task) => _returns.DropTask(task);

    /// <summary>Text is about to go away: a module's, or the kernel's init text. Probes there never fire again.</summary>
    internal void TextGone(ulong start, ulong end)
    {
        _lastWritten = null;
        foreach (KprobeEntry entry in _table.Snapshot())
        {
            if (entry.Address >= start && entry.Address < end)
            {
                Kill(entry);
            }
        }

        _breakpoints.ClearReturnSites(start, end);
        _breakpoints.Synchronize();
    }

    private KprobeResult Register(Kprobe probe)
    {
        if (FindSaved(probe) is SavedKprobe saved)
        {
            GoOn(probe, saved);
            return KprobeResult.Success;
        }

        KprobeResult resolved = Resolve(probe, out ulong address);
        if (!resolved.IsSuccess)
        {
            return resolved;
        }

        if (probe.IsRegistered)
        {
            return KprobeResult.Invalid($"this probe is registered already, at {Describe(probe.Addr)}");
        }

        probe.Addr = address;
        probe.Flags &= KprobeStatus.Disabled;
        probe.NMissed = 0;
        probe.Hits = 0;
        KprobeResult allowed = CheckAddress(address);
        if (!allowed.IsSuccess)
        {
            return allowed;
        }

        if (_table.TryFind(address, out KprobeEntry? existing))
        {
            return Aggregate(existing, probe);
        }

        KprobeEntry entry = new(_breakpoints.At(address)) { Flags = probe.Flags };
        KprobeResult prepared = Prepare(entry);
        if (!prepared.IsSuccess)
        {
            return prepared;
        }

        entry.Changed = UpdateOptimization;
        entry.Breakpoint.Entry = entry;
        _table.Add(entry);
        entry.AddNewest(probe);
        WatchText(entry);
        UpdateArming(entry, "arm");
        return KprobeResult.Success;
    }

    /// <summary>Adds a probe to an address that has one.</summary>
    private KprobeResult Aggregate(KprobeEntry entry, Kprobe probe)
    {
        if ((entry.Flags & KprobeStatus.Gone) != 0)
        {
            // Something else was loaded at the address: the entry starts anew, the probes of old stay gone.
            KprobeResult prepared = Prepare(entry);
            if (!prepared.IsSuccess)
            {
                return prepared;
            }

            WatchText(entry);
            entry.Flags = (entry.Flags & ~KprobeStatus.Gone) | KprobeStatus.Disabled;
        }

        entry.AddNewest(probe);
        if (!probe.IsDisabled)
        {
            entry.Flags &= ~KprobeStatus.Disabled;
        }

        UpdateArming(entry, "arm");
        return KprobeResult.Success;
    }

    private KprobeResult Prepare(KprobeEntry entry)
    {
        ulong address = entry.Address;
        if (!_text.TryFindSymbol(address, out Symbol symbol))
        {
            if (!_text.HasSymbols)
            {
                // A bare binary: the caller alone knows where instructions begin.
                symbol = new Symbol("", address, 1, 't', "");
            }
            else
            {
                return new KprobeResult(KprobeErrno.IllegalSequence, $"no symbol holds {address:x}");
            }
        }

        if (!_boundary.IsBoundary(symbol.Address, address))
        {
            return new KprobeResult(
                KprobeErrno.IllegalSequence, $"{Describe(address)} is not the start of an instruction");
        }

        byte[] instruction = _boundary.Copy(address);
        if (instruction.Length == 0)
        {
            return new KprobeResult(KprobeErrno.IllegalSequence, $"{Describe(address)} holds no valid instruction");
        }

        _table.SetFunction(entry, symbol.Address);
        entry.Instruction = instruction;
        entry.IsOffBoundary = false;
        return KprobeResult.Success;
    }

    private void Unregister(Kprobe probe)
    {
        KprobeEntry? entry = probe.Entry;
        if (entry is null)
        {
            probe.Addr = 0;
            return;
        }

        Disable(probe, entry);
        entry.Remove(probe);
        if (entry.Children.Length == 0)
        {
            UpdateArming(entry, "disarm");
            UnwatchText(entry);
            _table.Remove(entry);
            entry.Breakpoint.Entry = null;
        }
    }

    private KprobeResult RegisterReturn(Kretprobe probe)
    {
        Symbol function = default;
        SavedKprobe? saved = FindSaved(probe.Kp);
        KprobeResult allowed = saved is null ? CheckReturn(probe, out function) : KprobeResult.Success;
        if (!allowed.IsSuccess)
        {
            return allowed;
        }

        unsafe
        {
            probe.Kp.PreHandler = (Kprobe _, ref PtRegs registers) =>
            {
                // SAFETY: the frame is pinned for the call; Enter keeps no pointer to it.
                fixed (PtRegs* frame = &registers)
                {
                    _returns.Enter(probe, frame);
                }

                return 0;
            };
        }

        probe.Kp.PostHandler = null;
        probe.Kp.FaultHandler = null;
        if (probe.MaxActive <= 0)
        {
            probe.MaxActive = Math.Max(10, 2 * _guest.CpuCount);
        }

        probe.Registration++;
        probe.NMissed = 0;
        probe.NoReturnAddress = 0;
        probe.Returns = 0;
        probe.Abandoned = 0;
        KprobeResult result = Register(probe.Kp);
        if (result.IsSuccess)
        {
            probe.ReturnImmediates = saved?.ReturnImmediates ?? _boundary.ReturnImmediates(function.Address, function.Size);
            _returnProbes.Add(probe);
        }

        return result;
    }

    private KprobeResult CheckReturn(Kretprobe probe, out Symbol function)
    {
        const int largestData = 1 << 20;
        function = default;
        KprobeResult resolved = Resolve(probe.Kp, out ulong address);
        if (!resolved.IsSuccess)
        {
            return resolved;
        }

        if (!_text.TryFindSymbol(address, out function) || function.Address != address)
        {
            return KprobeResult.Invalid($"{Describe(address)} is not a function's entry");
        }

        if (probe.Kp.IsRegistered)
        {
            return KprobeResult.Invalid($"this probe is registered already, at {Describe(probe.Kp.Addr)}");
        }

        if (!AllowBlacklisted && _text.TryResolve("__switch_to", out ulong switchTo) && switchTo == address)
        {
            return KprobeResult.Invalid("__switch_to changes the stack under a return probe");
        }

        if (probe.DataSize is < 0 or > largestData)
        {
            return new KprobeResult(KprobeErrno.NoMemory, "a call's data may take 0 to 1048576 bytes");
        }

        return KprobeResult.Success;
    }

    private void Kill(KprobeEntry entry)
    {
        Kprobe[] gone = Array.FindAll(entry.Children, p => (p.Flags & KprobeStatus.Gone) == 0);
        entry.Flags |= KprobeStatus.Gone;
        foreach (Kprobe probe in gone)
        {
            probe.Flags |= KprobeStatus.Gone;
            if (probe.ReturnProbe is not null)
            {
                _returns.DropProbe(probe.ReturnProbe);
            }
        }

        UpdateArming(entry, "gone");
        UnwatchText(entry);
        entry.Refresh();
        foreach (Kprobe probe in gone)
        {
            ProbeGone?.Invoke(probe);
        }
    }
}
