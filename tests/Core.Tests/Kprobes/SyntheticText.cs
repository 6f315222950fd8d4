using KprobeTrace.Guest;
using KprobeTrace.Kprobes;
using KprobeTrace.Symbols;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>Symbols and tables of the synthetic kernel, all of them settable.</summary>
internal sealed class SyntheticText : IKernelText
{
    private readonly List<Symbol> _symbols = [];

    public List<GuestRange> BlacklistRanges { get; } = [];

    /// <summary>The functions' bytes as they were defined, by address.</summary>
    public Dictionary<ulong, byte> Originals { get; } = [];

    /// <summary>Where the guest's own return probes have functions return to.</summary>
    public HashSet<ulong> ReturnTrampolines { get; } = [];

    public HashSet<ulong> Bugs { get; } = [];

    public List<(ulong Start, ulong End)> JumpLabels { get; } = [];

    public (ulong Start, ulong End) KernelText { get; set; }

    public (ulong Start, ulong End) InitText { get; set; }

    public bool IsInitFreed { get; set; }

    public bool IsModuleLoaded { get; set; }

    /// <summary>True from the moment a module's init function has returned.</summary>
    public bool IsModuleLive { get; set; } = true;

    public IReadOnlyList<GuestRange> Blacklist => BlacklistRanges;

    private (ulong Start, ulong End) ModuleText { get; set; }

    private (ulong Start, ulong End) ModuleInit { get; set; }

    public void LoadModule(string name, ulong core, ulong init)
    {
        _ = name;
        ModuleText = (core, core + 0x1000);
        ModuleInit = (init, init + 0x1000);
        IsModuleLoaded = true;
    }

    public void Add(string name, ulong address, ulong size)
    {
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        _symbols.Add(new Symbol(name[(colon + 1)..], address, (size + 15) & ~15UL, 'T', colon < 0 ? "" : name[..colon]));
    }

    public void Remove(string name) => _symbols.RemoveAll(s => s.Name == name);

    public ulong AddressOf(string name) =>
        TryResolve(name, out ulong address) ? address : throw new InvalidOperationException($"no symbol {name}");

    public bool TryResolve(string name, out ulong address)
    {
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        foreach (Symbol symbol in _symbols)
        {
            bool isThere = symbol.Module.Length == 0 || IsModuleLoaded;
            if (isThere && symbol.Name == name[(colon + 1)..] && (colon < 0 || symbol.Module == name[..colon]))
            {
                address = symbol.Address;
                return true;
            }
        }

        address = 0;
        return false;
    }

    public bool TryFindSymbol(ulong address, out Symbol symbol)
    {
        foreach (Symbol candidate in _symbols)
        {
            bool isThere = candidate.Module.Length == 0 || IsModuleLoaded;
            if (isThere && address - candidate.Address < candidate.Size)
            {
                symbol = candidate;
                return true;
            }
        }

        symbol = default;
        return false;
    }

    public KernelTextKind Classify(ulong address)
    {
        return Holds(KernelText, address) ? KernelTextKind.Kernel
            : Holds(InitText, address) ? IsInitFreed ? KernelTextKind.None : KernelTextKind.KernelInit
            : !IsModuleLoaded ? KernelTextKind.None
            : Holds(ModuleText, address) ? KernelTextKind.Module
            : Holds(ModuleInit, address) ? IsModuleLive ? KernelTextKind.ModuleGone : KernelTextKind.ModuleInit
            : KernelTextKind.None;
    }

    public bool IsBugSite(ulong address) => Bugs.Contains(address);

    public bool IsReturnTrampoline(ulong address) => ReturnTrampolines.Contains(address);

    public bool TryReadOriginal(ulong address, Span<byte> into)
    {
        for (int i = 0; i < into.Length; i++)
        {
            into[i] = Originals.GetValueOrDefault(address + (ulong)i);
        }

        return Holds(KernelText, address);
    }

    public bool IsJumpLabel(ulong address) => JumpLabels.Exists(site => Holds(site, address));

    private static bool Holds((ulong Start, ulong End) range, ulong address) =>
        address >= range.Start && address < range.End;
}
