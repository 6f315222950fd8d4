using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;

namespace KprobeTrace.Kprobes;

/// <summary>What an image's symbols and tables say of its text, and the modules that have come since.</summary>
internal sealed class ImageText : IKernelText
{
    private const uint Live = 0;
    private const uint Going = 2;

    private readonly LoadedImage _image;
    private readonly SymbolTable _symbols;
    private readonly GuestTables _tables;
    private readonly List<GuestModule> _modules = [];
    private readonly Dictionary<string, List<GuestRange>> _moduleBlacklists = [];
    private readonly ulong[] _trampolines;
    private GuestRange[] _blacklist;

    /// <summary>Creates the view over an image.</summary>
    public ImageText(LoadedImage image, SymbolTable symbols, GuestTables tables)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(symbols);
        ArgumentNullException.ThrowIfNull(tables);
        _image = image;
        _symbols = symbols;
        _tables = tables;
        _blacklist = [.. tables.Blacklist];
        _trampolines = ReturnTrampolines.AddressesIn(symbols);
    }

    /// <summary>True once the kernel has freed its init text.</summary>
    public bool IsInitFreed { get; set; }

    /// <summary>The kernel's init text; empty when the image has none.</summary>
    public GuestRange InitText => _tables.InitText;

    /// <summary>Says what state a module is in now; without it the state it had when it was set counts.</summary>
    public Func<GuestModule, uint>? ModuleState { get; set; }

    /// <inheritdoc/>
    public IReadOnlyList<GuestRange> Blacklist => _blacklist;

    /// <summary>The modules known to be there.</summary>
    public IReadOnlyList<GuestModule> Modules => _modules;

    /// <summary>Adds a module or replaces what was known of it; its symbols go into the symbol table.</summary>
    public void SetModule(GuestModule module)
    {
        ArgumentNullException.ThrowIfNull(module);
        _modules.RemoveAll(m => m.Name == module.Name);
        _modules.Add(module);
        _symbols.AddModule(module.Name, module.Ranges, module.Symbols);
        _moduleBlacklists[module.Name] =
            KprobeBlacklist.Collect(_symbols, module.Tables.BlacklistedFunctions, module.Tables.BlacklistedText);
        CollectBlacklist();
    }

    /// <summary>Forgets a module, its symbols and its tables.</summary>
    public void RemoveModule(string name)
    {
        _modules.RemoveAll(m => m.Name == name);
        _symbols.RemoveModule(name);
        _moduleBlacklists.Remove(name);
        CollectBlacklist();
    }

    /// <inheritdoc/>
    public bool TryResolve(string name, out ulong address)
    {
        bool found = _symbols.TryFind(name, out Symbol symbol);
        address = symbol.Address;
        return found;
    }

    /// <inheritdoc/>
    public bool HasSymbols => _symbols.Count > 0;

    /// <inheritdoc/>
    public bool TryFindSymbol(ulong address, out Symbol symbol) => _symbols.TryFind(address, out symbol, out _);

    /// <inheritdoc/>
    public KernelTextKind Classify(ulong address)
    {
        if (_tables.Text.Contains(address))
        {
            return KernelTextKind.Kernel;
        }

        if (_tables.InitText.Contains(address))
        {
            return IsInitFreed ? KernelTextKind.None : KernelTextKind.KernelInit;
        }

        foreach (GuestModule module in _modules)
        {
            if (module.CoreText.Contains(address))
            {
                return StateOf(module) == Going ? KernelTextKind.ModuleGone : KernelTextKind.Module;
            }

            if (module.InitText.Contains(address))
            {
                return StateOf(module) is Live or Going ? KernelTextKind.ModuleGone : KernelTextKind.ModuleInit;
            }
        }

        return _tables.Text.End == 0 && IsExecutable(address) ? KernelTextKind.Kernel : KernelTextKind.None;
    }

    /// <inheritdoc/>
    public bool IsBugSite(ulong address) =>
        _tables.IsBugAddress(address) || _modules.Exists(m => m.Tables.BugSites.BeginAt(address));

    /// <inheritdoc/>
    public bool IsJumpLabel(ulong address) =>
        _tables.JumpLabelAt(address) is not null || _modules.Exists(m => m.Tables.JumpLabels.At(address) is not null);

    private uint StateOf(GuestModule module) => ModuleState?.Invoke(module) ?? module.State;

    private void CollectBlacklist() =>
        _blacklist = [.. _tables.Blacklist, .. _modules.SelectMany(m => _moduleBlacklists[m.Name])];

    /// <inheritdoc/>
    public bool TryReadOriginal(ulong address, Span<byte> into) => _image.TryReadLink(address, into);

    /// <inheritdoc/>
    public bool IsReturnTrampoline(ulong address) => Array.IndexOf(_trampolines, address) >= 0;

    /// <summary>An image without Linux' text symbols: what its file says may be executed.</summary>
    private bool IsExecutable(ulong address)
    {
        foreach (LinkRange range in _image.LinkRanges)
        {
            if (range.Executable && address - range.LinkAddress < range.Length)
            {
                return true;
            }
        }

        return false;
    }
}
