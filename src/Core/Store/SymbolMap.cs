using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>The symbols of one run by address, in memory.</summary>
internal sealed class SymbolMap
{
    /// <summary>Symbols kept at most; further ones are in the database but name no address.</summary>
    internal const int MaxSymbols = 1_500_000;

    /// <summary>How far behind its start a symbol of unknown size is believed to reach.</summary>
    private const ulong ReachOfUnknownSize = 1 << 20;

    private readonly List<(TraceSymbol Symbol, int Order)> _symbols = [];
    private int _added;

    /// <summary>How many of the symbols, from the first, are in their order and replaced by none.</summary>
    private int _sorted;
    private bool _hasReplaced;

    internal int Count => _symbols.Count;

    /// <summary>Changes when a module's symbol comes: addresses may have other names from then on.</summary>
    internal int Version { get; private set; }

    /// <summary>Whether any symbol has taken the place of another.</summary>
    internal bool HasReplaced
    {
        get
        {
            Sort();
            return _hasReplaced;
        }
    }

    internal void Add(in TraceSymbol symbol)
    {
        if (_symbols.Count < MaxSymbols)
        {
            _symbols.Add((symbol, _added++));
            Version += symbol.Module.Length > 0 ? 1 : 0;
        }
    }

    /// <summary>The symbol that <paramref name="address"/> falls in.</summary>
    internal bool TryFind(ulong address, out TraceSymbol symbol)
    {
        Sort();
        int low = 0;
        int high = _symbols.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (_symbols[middle].Symbol.Address <= address)
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
            symbol = _symbols[high].Symbol;
            ulong offset = address - symbol.Address;
            return offset < (symbol.Size == 0 ? ReachOfUnknownSize : symbol.Size) || offset == 0;
        }

        symbol = default;
        return false;
    }

    /// <summary>Whether a symbol lies where other code lay when an earlier one was added.</summary>
    /// <remarks>Modules come and go; the kernel's own symbols may overlap each other and all hold.</remarks>
    private static bool Replaces(in TraceSymbol later, in TraceSymbol earlier) =>
        (later.Module.Length > 0 || earlier.Module.Length > 0)
        && (later.Module != earlier.Module || later.Address == earlier.Address)
        && later.Address < EndOf(earlier) && earlier.Address < EndOf(later);

    private static ulong EndOf(in TraceSymbol symbol) => symbol.Address + Math.Max(1, symbol.Size);

    /// <summary>Brings the symbols into the order of their addresses and takes out those that later ones have replaced.</summary>
    private void Sort()
    {
        if (_sorted == _symbols.Count)
        {
            return;
        }

        int kept = Merge();
        int before = _symbols.Count;
        for (int i = kept; i < _symbols.Count; i++)
        {
            (TraceSymbol Symbol, int Order) next = _symbols[i];
            bool replaced = false;
            while (kept > 0 && !replaced && _symbols[kept - 1] is (TraceSymbol Symbol, int Order) last
                && (Replaces(next.Symbol, last.Symbol) || Replaces(last.Symbol, next.Symbol)))
            {
                replaced = last.Order > next.Order;
                kept -= replaced ? 0 : 1;
            }

            if (!replaced)
            {
                _symbols[kept++] = next;
            }
        }

        _hasReplaced |= kept < before;
        _symbols.RemoveRange(kept, before - kept);
        _sorted = kept;
    }

    /// <summary>Moves what has come since to its places; those that were sorted are not sorted again. Returns the first place that changed.</summary>
    private int Merge()
    {
        List<(TraceSymbol Symbol, int Order)> come = _symbols.GetRange(_sorted, _symbols.Count - _sorted);
        come.Sort(Compare);
        int place = _symbols.Count;
        int old = _sorted - 1;
        for (int i = come.Count - 1; i >= 0; i--)
        {
            while (old >= 0 && Compare(_symbols[old], come[i]) > 0)
            {
                _symbols[--place] = _symbols[old--];
            }

            _symbols[--place] = come[i];
        }

        return place;
    }

    private static int Compare((TraceSymbol Symbol, int Order) a, (TraceSymbol Symbol, int Order) b) =>
        a.Symbol.Address != b.Symbol.Address
            ? a.Symbol.Address.CompareTo(b.Symbol.Address)
            : string.CompareOrdinal(b.Symbol.Name, a.Symbol.Name) is int order and not 0 ? order : a.Order.CompareTo(b.Order);
}
