namespace KprobeTrace.Kprobes;

/// <content>Enable and disable, one by one and all at once; optimisation.</content>
public sealed partial class KprobeSubsystem
{
    /// <summary>True while the global switch is on.</summary>
    public bool IsEnabled => !_allDisarmed;

    /// <summary>True while probes may be optimised: <c>debug.kprobes-optimization</c>.</summary>
    public bool IsOptimizationAllowed => _optimizationAllowed;

    /// <summary>Silences a probe; its breakpoint goes with the last enabled probe of the address.</summary>
    public KprobeResult DisableKprobe(Kprobe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        if (probe.Entry is null)
        {
            return KprobeResult.Invalid("the probe is not registered");
        }

        Disable(probe, probe.Entry);
        _breakpoints.Synchronize();
        return KprobeResult.Success;
    }

    /// <summary>Lets a disabled probe fire again.</summary>
    /// <remarks>
    /// While the global switch is off only the probe's own flag is cleared: the address stays disabled, also after the
    /// switch is turned on, until another probe there is enabled. Linux does the same.
    /// </remarks>
    public KprobeResult EnableKprobe(Kprobe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        if (probe.Entry is null)
        {
            return KprobeResult.Invalid("the probe is not registered");
        }

        if ((probe.Flags & KprobeStatus.Gone) != 0)
        {
            return KprobeResult.Invalid("the probed text is gone");
        }

        probe.Flags &= ~KprobeStatus.Disabled;
        if (!_allDisarmed)
        {
            probe.Entry.Flags &= ~KprobeStatus.Disabled;
        }

        UpdateArming(probe.Entry, "arm");
        _breakpoints.Synchronize();
        return KprobeResult.Success;
    }

    /// <summary>Stops new calls from being followed; calls already entered still fire.</summary>
    public KprobeResult DisableKretprobe(Kretprobe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        return DisableKprobe(probe.Kp);
    }

    /// <summary>Follows calls again.</summary>
    public KprobeResult EnableKretprobe(Kretprobe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        return EnableKprobe(probe.Kp);
    }

    /// <summary>Turns every probe off or on, as the file <c>kprobes/enabled</c> does; flags stay as they are.</summary>
    public void SetEnabled(bool enabled)
    {
        _allDisarmed = !enabled;
        UpdateAll(enabled ? "arm" : "disarm");
    }

    /// <summary>What reading <c>kprobes/enabled</c> gives.</summary>
    public string ReadEnabled() => _allDisarmed ? "0\n" : "1\n";

    /// <summary>A write to <c>kprobes/enabled</c>: only the first character counts.</summary>
    /// <returns>The characters taken, or a negative error number.</returns>
    public int WriteEnabled(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        switch (text.Length > 0 ? text[0] : '\0')
        {
            case 'y' or 'Y' or '1':
                SetEnabled(true);
                return text.Length;
            case 'n' or 'N' or '0':
                SetEnabled(false);
                return text.Length;
            default:
                return KprobeErrno.Invalid;
        }
    }

    /// <summary>Sets <c>debug.kprobes-optimization</c>: 0 or 1, anything else is refused.</summary>
    public KprobeResult SetOptimization(int value)
    {
        if (value is not (0 or 1))
        {
            return KprobeResult.Invalid("debug.kprobes-optimization is 0 or 1");
        }

        _optimizationAllowed = value == 1;
        foreach (KprobeEntry entry in _table.Snapshot())
        {
            UpdateOptimization(entry);
        }

        return KprobeResult.Success;
    }

    private void Disable(Kprobe probe, KprobeEntry entry)
    {
        if (probe.IsDisabled)
        {
            return;
        }

        probe.Flags |= KprobeStatus.Disabled;
        if (entry.AreAllDisabled())
        {
            entry.Flags |= KprobeStatus.Disabled;
        }

        UpdateArming(entry, "disarm");
    }

    private void UpdateAll(string reason)
    {
        foreach (KprobeEntry entry in _table.Snapshot())
        {
            UpdateArming(entry, reason);
        }

        _breakpoints.Synchronize();
    }

    /// <summary>Brings the breakpoint of an address in line with flags and switch.</summary>
    private void UpdateArming(KprobeEntry entry, string reason)
    {
        bool wanted = entry.Children.Length > 0 && !entry.IsDisabled && !_allDisarmed;
        bool shown = wanted && Array.Exists(entry.Children, p => !p.IsInternal && !p.IsDisabled);
        _breakpoints.SetProbe(entry.Breakpoint, wanted, shown, reason);
        UpdateOptimization(entry);
    }

    private void UpdateOptimization(KprobeEntry entry) =>
        entry.IsOptimized = _optimizationAllowed && entry.Breakpoint.IsArmedByProbe && !entry.HasLateHandlers;
}
