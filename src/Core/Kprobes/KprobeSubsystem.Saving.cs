using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Kprobes;

/// <content>Going on with the probes of a saved guest.</content>
/// <remarks>
/// Only probes that have a name in saved guests (<see cref="Kprobe.SavedAs"/>) are saved: where they are, not what their handlers do.
/// One that is registered under the same name after a state was loaded goes on as that probe, without the checks that it has passed:
/// its text may be gone since, or rewritten. Any other is registered as one is in a running kernel. Counts begin anew.
/// </remarks>
public sealed partial class KprobeSubsystem : IStateful
{
    /// <summary>What was loaded and is not settled yet.</summary>
    private SavedKprobes? _saved;

    /// <summary>Whether the saved guest had a probe of a name.</summary>
    internal bool HasSaved(string name) => _saved?.Find(name) is not null;

    /// <summary>
    /// Ends what goes on from a saved guest: calls return to the probes that were registered under their names since, and those of others
    /// unnoticed. Called before the guest runs; harmless where nothing was loaded.
    /// </summary>
    internal void SettleSaved()
    {
        if (_saved is not SavedKprobes saved)
        {
            return;
        }

        _saved = null;
        HashSet<ulong> awaited = [];
        foreach (SavedCall call in saved.Calls)
        {
            if (saved.Probes[call.Probe].TakenBy is { IsRegistered: true, ReturnProbe: Kretprobe probe })
            {
                _returns.GoOn(probe, in call);
                awaited.Add(call.RetAddr);
            }
        }

        // A site that was seen once is taken for one without another look; one that nobody will ask for only costs time.
        bool all = Array.Exists(saved.Probes, static p => p.TakenBy is { IsRegistered: true, IsInternal: false, ReturnProbe: not null });
        foreach ((ulong address, bool isTrampoline) in saved.ReturnSites)
        {
            if (all || awaited.Contains(address))
            {
                Breakpoint site = _breakpoints.At(address);
                site.IsTrampoline = isTrampoline;
                _breakpoints.SetReturnSite(site, true);
            }
        }

        foreach (ulong function in saved.Unsettled)
        {
            if (_table.InFunction(function) is List<KprobeEntry> entries)
            {
                _unsettled.TryAdd(function, [.. entries]);
            }
        }

        _breakpoints.Synchronize();
    }

    /// <inheritdoc/>
    void IStateful.Save(StateWriter to)
    {
        Dictionary<Kprobe, int> numbers = [];
        foreach (KprobeEntry entry in _table.Snapshot())
        {
            foreach (Kprobe probe in entry.Children.Where(static p => p.SavedAs is not null))
            {
                numbers.Add(probe, numbers.Count);
            }
        }

        to.Write(numbers.Count);
        foreach (Kprobe probe in numbers.Keys)
        {
            SavedKprobe.Write(to, probe, probe.Entry!);
        }

        List<SavedCall> calls = [.. _returns.All().Where(c => numbers.ContainsKey(c.Probe.Kp)).Select(c =>
            new SavedCall { Probe = numbers[c.Probe.Kp], RetAddr = c.RetAddr, Frame = c.Frame, Task = c.Task, Token = c.Token })];
        to.Write(calls.Count);
        calls.ForEach(call => to.Write(in call));
        List<Breakpoint> sites = [.. _breakpoints.ReturnSites()];
        to.Write(sites.Count);
        foreach (Breakpoint site in sites)
        {
            to.Write(site.Address);
            to.Write(site.IsTrampoline);
        }

        to.Write(_unsettled.Count);
        foreach (ulong function in _unsettled.Keys.Order())
        {
            to.Write(function);
        }
    }

    /// <inheritdoc/>
    void IStateful.Load(StateReader from) => _saved = SavedKprobes.Read(from);

    private SavedKprobe? FindSaved(Kprobe probe) =>
        probe is { SavedAs: string name, IsRegistered: false } ? _saved?.Find(name) : null;

    /// <summary>Puts a probe into the table as it was in the saved guest.</summary>
    private void GoOn(Kprobe probe, SavedKprobe saved)
    {
        probe.Addr = saved.Address;
        probe.Flags = saved.Flags;
        probe.NMissed = 0;
        probe.Hits = 0;
        saved.TakenBy = probe;
        if (!_table.TryFind(saved.Address, out KprobeEntry? entry))
        {
            entry = new KprobeEntry(_breakpoints.At(saved.Address))
            {
                Flags = saved.EntryFlags,
                Instruction = saved.Instruction,
                IsOffBoundary = saved.IsOffBoundary,
                Changed = UpdateOptimization,
            };
            _table.SetFunction(entry, saved.FunctionStart);
            entry.Breakpoint.Entry = entry;
            _table.Add(entry);
            if ((entry.Flags & KprobeStatus.Gone) == 0)
            {
                WatchText(entry);
            }
        }

        entry.AddNewest(probe);
        UpdateArming(entry, "arm");
    }
}
