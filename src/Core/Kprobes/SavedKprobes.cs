using System.Runtime.CompilerServices;
using KprobeTrace.Devices.Saving;

namespace KprobeTrace.Kprobes;

/// <summary>The kprobes of a saved guest, until those who go on with them have registered.</summary>
internal sealed class SavedKprobes
{
    private readonly Dictionary<string, SavedKprobe> _byName = [];

    private SavedKprobes(SavedKprobe[] probes)
    {
        Probes = probes;
    }

    /// <summary>The probes.</summary>
    public SavedKprobe[] Probes { get; }

    /// <summary>The open calls, stack by stack, the outermost of each first.</summary>
    public SavedCall[] Calls { get; private init; } = [];

    /// <summary>The addresses whose execution return probes waited for.</summary>
    public (ulong Address, bool IsTrampoline)[] ReturnSites { get; private init; } = [];

    /// <summary>The functions whose text the guest had written since its probes were looked at.</summary>
    public ulong[] Unsettled { get; private init; } = [];

    /// <summary>The probe of a name; null when there is none.</summary>
    public SavedKprobe? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Reads what <see cref="KprobeSubsystem"/> has saved.</summary>
    /// <exception cref="KprobeTraceException">No kprobes can be like this.</exception>
    public static SavedKprobes Read(StateReader from)
    {
        SavedKprobe[] probes = ReadAll(from, SavedKprobe.MinSize, SavedKprobe.Read);
        SavedKprobes saved = new(probes)
        {
            Calls = ReadAll(from, Unsafe.SizeOf<SavedCall>(), static from => from.Read<SavedCall>()),
            ReturnSites = ReadAll(from, sizeof(ulong) + 1, static from => (from.Read<ulong>(), from.Read<byte>() != 0)),
            Unsettled = ReadAll(from, sizeof(ulong), static from => from.Read<ulong>()),
        };
        from.Require(Array.TrueForAll(probes, probe => saved._byName.TryAdd(probe.Name, probe)));
        from.Require(saved.Calls.Length <= ReturnCalls.MaxOpen && Array.TrueForAll(saved.Calls, call => (uint)call.Probe < (uint)probes.Length));
        return saved;
    }

    private static T[] ReadAll<T>(StateReader from, int elementSize, Func<StateReader, T> read)
    {
        T[] all = new T[from.ReadCount(elementSize)];
        for (int i = 0; i < all.Length; i++)
        {
            all[i] = read(from);
        }

        return all;
    }
}
