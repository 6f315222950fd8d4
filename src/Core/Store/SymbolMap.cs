using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>The symbols of one run by address, in memory.</summary>
/// <remarks>
/// They stand in blocks of bounded size, in order, so that one more costs the same wherever its place is and whenever it comes: a
/// trace decides both.
/// </remarks>
internal sealed class SymbolMap
{
    /// <summary>Symbols kept at most; further ones are in the database but name no address.</summary>
    internal const int MaxSymbols = 1_500_000;

    /// <summary>Symbols of a block at most: few enough to move, enough to have few blocks.</summary>
    internal const int MaxBlock = 512;

    /// <summary>How far behind its start a symbol of unknown size is believed to reach.</summary>
    private const ulong ReachOfUnknownSize = 1 << 20;

    /// <summary>None of the blocks is empty.</summary>
    private readonly List<List<TraceSymbol>> _blocks = [];

    internal int Count { get; private set; }

    /// <summary>Changes when a module's symbol comes: addresses may have other names from then on.</summary>
    internal int Version { get; private set; }

    /// <summary>Whether any symbol has taken the place of another.</summary>
    internal bool HasReplaced { get; private set; }

    /// <summary>Symbols and blocks that have been moved to make room for others, or to close the room they left.</summary>
    internal long Moved { get; private set; }

    /// <summary>Adds a symbol, which takes the places of those of other modules that it overlaps.</summary>
    internal void Add(in TraceSymbol symbol)
    {
        if (Count >= MaxSymbols)
        {
            return;
        }

        Version += symbol.Module.Length > 0 ? 1 : 0;
        (int block, int place) = PlaceFor(symbol);
        while (Before(block, place) is (int Block, int Place) before && AreInOnePlace(symbol, _blocks[before.Block][before.Place]))
        {
            Remove(before.Block, before.Place);
            (block, place) = PlaceFor(symbol);
        }

        while (At(block, place) is (int Block, int Place) behind && AreInOnePlace(symbol, _blocks[behind.Block][behind.Place]))
        {
            Remove(behind.Block, behind.Place);
            (block, place) = PlaceFor(symbol);
        }

        Insert(block, place, symbol);
    }

    /// <summary>The symbol that <paramref name="address"/> falls in.</summary>
    internal bool TryFind(ulong address, out TraceSymbol symbol)
    {
        // Of several names for one address the first of the alphabet is taken: equal traces give equal answers. No name comes before it.
        (int block, int place) = PlaceFor(new TraceSymbol(address, 0, "", "", default));
        if (Before(block, place) is not (int Block, int Place) found)
        {
            symbol = default;
            return false;
        }

        symbol = _blocks[found.Block][found.Place];
        ulong offset = address - symbol.Address;
        return offset < (symbol.Size == 0 ? ReachOfUnknownSize : symbol.Size) || offset == 0;
    }

    /// <summary>Whether one of two symbols lies where other code lay when the other was added.</summary>
    private static bool AreInOnePlace(in TraceSymbol a, in TraceSymbol b) => Replaces(a, b) || Replaces(b, a);

    /// <summary>Whether a symbol lies where other code lay when an earlier one was added.</summary>
    /// <remarks>Modules come and go; the kernel's own symbols may overlap each other and all hold.</remarks>
    private static bool Replaces(in TraceSymbol later, in TraceSymbol earlier) =>
        (later.Module.Length > 0 || earlier.Module.Length > 0)
        && (later.Module != earlier.Module || later.Address == earlier.Address)
        && later.Address < EndOf(earlier) && earlier.Address < EndOf(later);

    private static ulong EndOf(in TraceSymbol symbol) => symbol.Address + Math.Max(1, symbol.Size);

    private static int Compare(in TraceSymbol a, in TraceSymbol b) =>
        a.Address != b.Address ? a.Address.CompareTo(b.Address) : string.CompareOrdinal(b.Name, a.Name);

    /// <summary>Where a symbol belongs: behind all that are not greater.</summary>
    private (int Block, int Place) PlaceFor(in TraceSymbol symbol)
    {
        int last = _blocks.Count - 1;
        if (last < 0)
        {
            return (0, 0);
        }

        // Symbols mostly come in their order.
        if (Compare(_blocks[last][^1], symbol) <= 0)
        {
            return (last, _blocks[last].Count);
        }

        int low = 0;
        int high = last;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (Compare(_blocks[middle][0], symbol) <= 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        if (high < 0)
        {
            return (0, 0);
        }

        List<TraceSymbol> block = _blocks[high];
        int found = high;
        low = 1;
        high = block.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (Compare(block[middle], symbol) <= 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return (found, low);
    }

    private (int Block, int Place)? Before(int block, int place) =>
        place > 0 ? (block, place - 1) : block > 0 ? (block - 1, _blocks[block - 1].Count - 1) : null;

    private (int Block, int Place)? At(int block, int place) =>
        block < _blocks.Count && place < _blocks[block].Count ? (block, place) : block + 1 < _blocks.Count ? (block + 1, 0) : null;

    private void Remove(int block, int place)
    {
        List<TraceSymbol> symbols = _blocks[block];
        symbols.RemoveAt(place);
        Moved += symbols.Count - place;
        if (symbols.Count == 0)
        {
            _blocks.RemoveAt(block);
            Moved += _blocks.Count - block;
        }

        Count--;
        HasReplaced = true;
    }

    private void Insert(int block, int place, in TraceSymbol symbol)
    {
        if (_blocks.Count == 0)
        {
            _blocks.Add([]);
        }

        List<TraceSymbol> symbols = _blocks[block];
        if (symbols.Count == MaxBlock)
        {
            // What comes in order leaves full blocks behind it.
            int kept = place == MaxBlock ? MaxBlock : MaxBlock / 2;
            List<TraceSymbol> rest = new(MaxBlock);
            rest.AddRange(symbols[kept..]);
            symbols.RemoveRange(kept, MaxBlock - kept);
            _blocks.Insert(block + 1, rest);
            Moved += rest.Count + _blocks.Count - block - 2;
            (symbols, place) = place >= kept ? (rest, place - kept) : (symbols, place);
        }

        symbols.Insert(place, symbol);
        Moved += symbols.Count - place - 1;
        Count++;
    }
}
