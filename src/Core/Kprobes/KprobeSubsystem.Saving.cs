using System.Runtime.CompilerServices;
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
    private Dictionary<string, SavedKprobe>? _saved;
    private SavedCall[] _savedCalls = [];
    private SavedKprobe[] _savedProbes = [];
    private (ulong Address, bool IsTrampoline)[] _savedSites = [];
    private ulong[] _savedUnsettled = [];

    /// <summary>Whether the saved guest had a probe of a name.</summary>
    internal bool HasSaved(string name) => _saved is not null && _saved.ContainsKey(name);

    /// <summary>
    /// Ends what goes on from a saved guest: calls return to the probes that were registered under their names since, and those of others
    /// unnoticed. Called before the guest runs; harmless where nothing was loaded.
    /// </summary>
    internal void SettleSaved()
    {
        if (_saved is null)
        {
            return;
        }

        _saved = null;
        HashSet<ulong> awaited = [];
        foreach (SavedCall call in _savedCalls)
        {
            if (_savedProbes[call.Probe].TakenBy is { IsRegistered: true, ReturnProbe: Kretprobe probe })
            {
                _returns.GoOn(probe, in call);
                awaited.Add(call.RetAddr);
            }
        }

        // A site that was seen once is taken for one without another look; one that nobody will ask for only costs time.
        bool all = Array.Exists(_savedProbes, static p => p.TakenBy is { IsRegistered: true, IsInternal: false, ReturnProbe: not null });
        foreach ((ulong address, bool isTrampoline) in _savedSites)
        {
            if (all || awaited.Contains(address))
            {
                Breakpoint site = _breakpoints.At(address);
                site.IsTrampoline = isTrampoline;
                _breakpoints.SetReturnSite(site, true);
            }
        }

        foreach (ulong function in _savedUnsettled)
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
    void IStateful.Load(StateReader from)
    {
        _savedProbes = new SavedKprobe[from.ReadCount(SavedKprobe.MinSize)];
        _saved = [];
        for (int i = 0; i < _savedProbes.Length; i++)
        {
            _savedProbes[i] = SavedKprobe.Read(from);
            from.Require(_saved.TryAdd(_savedProbes[i].Name, _savedProbes[i]));
        }

        _savedCalls = new SavedCall[from.ReadCount(Unsafe.SizeOf<SavedCall>())];
        from.Require(_savedCalls.Length <= ReturnCalls.MaxOpen);
        for (int i = 0; i < _savedCalls.Length; i++)
        {
            _savedCalls[i] = from.Read<SavedCall>();
            from.Require((uint)_savedCalls[i].Probe < (uint)_savedProbes.Length);
        }

        _savedSites = new (ulong, bool)[from.ReadCount(sizeof(ulong) + 1)];
        for (int i = 0; i < _savedSites.Length; i++)
        {
            _savedSites[i] = (from.Read<ulong>(), from.Read<byte>() != 0);
        }

        _savedUnsettled = new ulong[from.ReadCount(sizeof(ulong))];
        for (int i = 0; i < _savedUnsettled.Length; i++)
        {
            _savedUnsettled[i] = from.Read<ulong>();
        }
    }

    private SavedKprobe? FindSaved(Kprobe probe) =>
        _saved is not null && probe is { SavedAs: string name, IsRegistered: false } ? _saved.GetValueOrDefault(name) : null;

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
