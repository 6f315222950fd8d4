using KprobeTrace.Symbols;

namespace KprobeTrace.Probes;

/// <summary>What definitions are checked against: a kernel's symbols and, where it has them, its BTF.</summary>
public sealed class ImageProbeTarget : IProbeTarget
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
    public bool IsModuleLoaded(string name) => _symbols.Modules.Contains(name);
}
