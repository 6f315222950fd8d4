using KprobeTrace.Symbols;

namespace KprobeTrace.Probes;

/// <summary>What definitions are checked against: a kernel's symbols and, where it has them, its BTF.</summary>
internal sealed class ImageProbeTarget : IProbeTarget
{
    private readonly SymbolTable _symbols;

    /// <summary>Creates the target.</summary>
    public ImageProbeTarget(SymbolTable symbols, Btf? types)
    {
        ArgumentNullException.ThrowIfNull(symbols);
        _symbols = symbols;
        Types = types is null ? null : new BtfProbeTypes(types);
    }

    /// <inheritdoc/>
    public IProbeTypes? Types { get; }

    /// <inheritdoc/>
    public bool TryResolve(string name, out ulong address)
    {
        bool found = _symbols.TryFind(name, out Symbol symbol);
        address = symbol.Address;
        return found;
    }

    /// <inheritdoc/>
    public int CountSymbols(string name) => _symbols.FindAll(name).Count;

    /// <inheritdoc/>
    public bool TryGetSymbolOffset(ulong address, out ulong offset) => _symbols.TryFind(address, out _, out offset);

    /// <inheritdoc/>
    public string AskForSymbol(string name, bool isText)
    {
        ArgumentNullException.ThrowIfNull(name);
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        IEnumerable<Symbol> symbols = _symbols.All().Where(s => (!isText || s.IsText) && (colon < 0 || s.Module == name[..colon]));
        return NearestName.Ask(name[(colon + 1)..], symbols.Select(s => s.Name));
    }

    /// <inheritdoc/>
    public bool IsModuleLoaded(string name) => _symbols.Modules.Contains(name);
}
