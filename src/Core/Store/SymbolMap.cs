using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>The symbols of one run by address, in memory.</summary>
internal sealed class SymbolMap
{
    /// <summary>Symbols kept at most; further ones are in the database but name no address.</summary>
    internal const int MaxSymbols = 1_500_000;

    /// <summary>How far behind its start a symbol of unknown size is believed to reach.</summary>
    private const ulong ReachOfUnknownSize = 1 << 20;

    private readonly List<TraceSymbol> _symbols = [];
    private bool _sorted = true;

    internal int Count => _symbols.Count;

    internal void Add(in TraceSymbol symbol)
    {
        if (_symbols.Count >= MaxSymbols)
        {
            return;
        }

        _sorted = _sorted && (_symbols.Count == 0 || _symbols[^1].Address <= symbol.Address);
        _symbols.Add(symbol);
    }

    /// <summary>The symbol that <paramref name="address"/> falls in.</summary>
    internal bool TryFind(ulong address, out TraceSymbol symbol)
    {
        if (!_sorted)
        {
            _symbols.Sort((a, b) => a.Address != b.Address
                ? a.Address.CompareTo(b.Address)
                : string.CompareOrdinal(b.Name, a.Name));
            _sorted = true;
        }

        int low = 0;
        int high = _symbols.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (_symbols[middle].Address <= address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        // Of several names for one address the first of the alphabet is taken: equal traces give equal answers.
        if (high >= 0)
        {
            symbol = _symbols[high];
            ulong offset = address - symbol.Address;
            return offset < (symbol.Size == 0 ? ReachOfUnknownSize : symbol.Size) || offset == 0;
        }

        symbol = default;
        return false;
    }
}
