using System.Globalization;

namespace KprobeTrace.Symbols;

/// <summary>Names of guest addresses: the kernel's, and those of modules while they are loaded.</summary>
/// <remarks>
/// Follows the kernel's own rules (kernel/kallsyms.c): a symbol reaches to the next higher address that has a symbol,
/// and among several symbols at one address the first in table order answers a look-up by address. Per-CPU symbols,
/// whose value is an offset and no address, are found by name only. Not safe for use by several threads while modules
/// are added or removed.
/// </remarks>
public sealed class SymbolTable
{
    private readonly SymbolSet _kernel;
    private readonly List<SymbolSet> _modules = [];

    /// <summary>Creates a table of the kernel's symbols.</summary>
    /// <param name="symbols">The symbols in table order.</param>
    public SymbolTable(IReadOnlyCollection<Symbol> symbols)
    {
        ArgumentNullException.ThrowIfNull(symbols);
        _kernel = new SymbolSet("", symbols, [BoundsOf(symbols)]);
    }

    /// <summary>Gets a table without symbols.</summary>
    public static SymbolTable Empty => new([]);

    /// <summary>Gets the number of symbols, those of loaded modules included.</summary>
    public int Count
    {
        get
        {
            int count = _kernel.Count;
            foreach (SymbolSet module in _modules)
            {
                count += module.Count;
            }

            return count;
        }
    }

    /// <summary>Gets a number that grows whenever a module is added or removed, for users that cache look-ups.</summary>
    public int Version { get; private set; }

    /// <summary>Gets the names of the modules whose symbols are in the table, in the order they were added.</summary>
    public IEnumerable<string> Modules
    {
        get
        {
            foreach (SymbolSet module in _modules)
            {
                yield return module.Module;
            }
        }
    }

    /// <summary>All symbols: the kernel's by rising address, then each module's.</summary>
    public IEnumerable<Symbol> All()
    {
        for (int i = 0; i < _kernel.Count; i++)
        {
            yield return _kernel.At(i);
        }

        foreach (SymbolSet module in _modules)
        {
            for (int i = 0; i < module.Count; i++)
            {
                yield return module.At(i);
            }
        }
    }

    /// <summary>Finds the symbol that covers an address.</summary>
    /// <param name="address">A kernel or module address.</param>
    /// <param name="symbol">The symbol.</param>
    /// <param name="offset">Bytes from the symbol's start.</param>
    public bool TryFind(ulong address, out Symbol symbol, out ulong offset)
    {
        SymbolSet? set = SetOf(address);
        int index = set is null ? -1 : set.IndexAtOrBelow(address);
        if (index < 0)
        {
            symbol = default;
            offset = 0;
            return false;
        }

        symbol = set!.At(index);
        offset = address - symbol.Address;
        return true;
    }

    /// <summary>Finds the first symbol of a name; <c>MODULE:NAME</c> asks one module only.</summary>
    public bool TryFind(string name, out Symbol symbol)
    {
        ArgumentNullException.ThrowIfNull(name);
        foreach ((SymbolSet set, string bare) in SetsFor(name))
        {
            int index = set.IndexOf(bare);
            if (index >= 0)
            {
                symbol = set.At(index);
                return true;
            }
        }

        symbol = default;
        return false;
    }

    /// <summary>The address of the first symbol of a name; null when there is none.</summary>
    public ulong? AddressOf(string name) => TryFind(name, out Symbol symbol) ? symbol.Address : null;

    /// <summary>All symbols of a name; <c>MODULE:NAME</c> asks one module only.</summary>
    public IReadOnlyList<Symbol> FindAll(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        List<Symbol> found = [];
        foreach ((SymbolSet set, string bare) in SetsFor(name))
        {
            for (int index = set.IndexOf(bare); index >= 0; index = set.IndexAfter(index))
            {
                found.Add(set.At(index));
            }
        }

        return found;
    }

    /// <summary>Adds a module's symbols, replacing those of a module of the same name.</summary>
    /// <param name="module">Name of the module.</param>
    /// <param name="ranges">The module's memory: first address and address behind the last of each part.</param>
    /// <param name="symbols">Its symbols; those outside its memory are found by name only.</param>
    internal void AddModule(
        string module, IReadOnlyList<(ulong Start, ulong End)> ranges, IReadOnlyCollection<Symbol> symbols)
    {
        ArgumentException.ThrowIfNullOrEmpty(module);
        ArgumentNullException.ThrowIfNull(ranges);
        ArgumentNullException.ThrowIfNull(symbols);
        RemoveModule(module);
        _modules.Add(new SymbolSet(module, symbols, ranges));
        Version++;
    }

    /// <summary>Removes a module's symbols; does nothing when it has none here.</summary>
    internal void RemoveModule(string module)
    {
        if (_modules.RemoveAll(set => set.Module == module) > 0)
        {
            Version++;
        }
    }

    /// <summary>Writes an address as <c>name+0xOFFSET/0xSIZE</c>, with <c>[module]</c> behind, or as hexadecimal digits.</summary>
    public string Format(ulong address)
    {
        if (!TryFind(address, out Symbol symbol, out ulong offset))
        {
            return "0x" + address.ToString("x", CultureInfo.InvariantCulture);
        }

        string text = string.Create(CultureInfo.InvariantCulture, $"{symbol.Name}+0x{offset:x}/0x{symbol.Size:x}");
        return symbol.Module.Length == 0 ? text : $"{text} [{symbol.Module}]";
    }

    private SymbolSet? SetOf(ulong address)
    {
        if (_kernel.Covers(address))
        {
            return _kernel;
        }

        foreach (SymbolSet module in _modules)
        {
            if (module.Covers(address))
            {
                return module;
            }
        }

        return null;
    }

    private IEnumerable<(SymbolSet Set, string Name)> SetsFor(string name)
    {
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        string? module = colon > 0 ? name[..colon] : null;
        string bare = module is null ? name : name[(colon + 1)..];
        if (module is null)
        {
            yield return (_kernel, bare);
        }

        foreach (SymbolSet set in _modules)
        {
            if (module is null || set.Module == module)
            {
                yield return (set, bare);
            }
        }
    }

    // Per-CPU symbols stand at small offsets, the kernel proper in the upper half from _text or _stext to _end. A
    // table without those names (a small kernel's ELF) is taken whole.
    private static (ulong Start, ulong End) BoundsOf(IReadOnlyCollection<Symbol> symbols)
    {
        ulong? start = null;
        ulong? end = null;
        ulong lowest = ulong.MaxValue;
        ulong highest = 0;
        foreach (Symbol symbol in symbols)
        {
            if (symbol.Name is "_text" or "_stext")
            {
                start = Math.Min(start ?? ulong.MaxValue, symbol.Address);
            }
            else if (symbol.Name == "_end")
            {
                end = symbol.Address;
            }

            lowest = Math.Min(lowest, symbol.Address);
            highest = Math.Max(highest, symbol.End > symbol.Address ? symbol.End : symbol.Address);
        }

        if (symbols.Count == 0)
        {
            return (0, 0);
        }

        ulong from = start ?? lowest;
        return (from, end > from ? end.Value : highest == ulong.MaxValue ? highest : highest + 1);
    }
}
