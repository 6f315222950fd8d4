using System.Text;
using KprobeTrace.Store.BTree;
using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>Gives code addresses a row with their symbol, so that no query has to look one up.</summary>
internal sealed class PlaceTable
{
    /// <summary>Addresses remembered at most.</summary>
    internal const int MaxRemembered = 1 << 20;

    private readonly Dictionary<ulong, Known> _places = [];
    private readonly int _most;
    private readonly SymbolMap _symbols;
    private readonly TableLoader _table;
    private readonly TableRow _row = new(HistoryTables.Place);
    private readonly long _run;
    private long _last;

    internal PlaceTable(SymbolMap symbols, TableLoader table, long run, long last, int most)
    {
        _most = most;
        _symbols = symbols;
        _table = table;
        _run = run;
        _last = last;
    }

    /// <summary>Changes when all addresses are forgotten: what is known of them only holds until then.</summary>
    internal int Generation { get; private set; }

    /// <summary>
    /// Whether an address has had another row in this generation: a module has taken another's place there. To be asked after
    /// <see cref="Of"/>.
    /// </summary>
    internal bool HasMoved(ulong address) => _places.TryGetValue(address, out Known known) && known.HasMoved;

    /// <summary>Whether any address has.</summary>
    internal bool MayHaveMoved => _symbols.HasReplaced;

    /// <summary>The row of <paramref name="address"/>.</summary>
    internal long Of(ulong address)
    {
        bool isKnown = _places.TryGetValue(address, out Known known);
        if (!isKnown || known.Version != _symbols.Version)
        {
            known = Look(address, isKnown, known);
        }

        return known.Place;
    }

    /// <summary>Names an address, anew where symbols have come since; it keeps its row when its symbol is still the same.</summary>
    private Known Look(ulong address, bool isKnown, Known known)
    {
        bool named = _symbols.TryFind(address, out TraceSymbol symbol);
        symbol = named ? symbol : default;
        if (isKnown && known.Symbol == symbol)
        {
            known = known with { Version = _symbols.Version };
        }
        else
        {
            if (!isKnown && _places.Count >= _most)
            {
                _places.Clear();
                Generation++;
            }

            known = new Known(Add(address, named, symbol), symbol, _symbols.Version, HasMoved: isKnown);
        }

        _places[address] = known;
        return known;
    }

    private long Add(ulong address, bool named, in TraceSymbol symbol)
    {
        ++_last;
        _ = _row.Set("run", _run)
            .Set("address", address)
            .Set("symbol", named ? Encoding.UTF8.GetBytes(symbol.Name) : Encoding.ASCII.GetBytes($"0x{address:x}"))
            .Set("offset", named ? address - symbol.Address : 0)
            .Set("size", named ? symbol.Size : 0)
            .Set("module", named ? Encoding.UTF8.GetBytes(symbol.Module) : []);
        _table.Add(_last, _row.End());
        return _last;
    }

    /// <summary>An address's row, the symbol it was named by, when that was looked at last, and whether it had another row before.</summary>
    private readonly record struct Known(long Place, TraceSymbol Symbol, int Version, bool HasMoved);
}
