using KprobeTrace.Symbols;

namespace KprobeTrace.Guest;

/// <summary>Makes the ranges where Linux refuses kprobes out of listed functions and areas of text.</summary>
/// <remarks>
/// As <c>kprobe_add_ksym_blacklist</c> and <c>kprobe_add_area_blacklist</c> do: a function reaches to the next symbol, an
/// area is taken function by function and ends at the first address without a symbol.
/// </remarks>
internal static class KprobeBlacklist
{
    public static List<GuestRange> Collect(
        SymbolTable symbols, IEnumerable<ulong> functions, IEnumerable<GuestRange> areas)
    {
        List<GuestRange> ranges = [];
        foreach (ulong function in functions)
        {
            _ = TryAdd(ranges, symbols, function, out _);
        }

        foreach (GuestRange area in areas)
        {
            ulong at = area.Start;
            while (at < area.End && ranges.Count < CodeSites.Max && TryAdd(ranges, symbols, at, out ulong size))
            {
                at += Math.Max(size, 1);
            }
        }

        return ranges;
    }

    private static bool TryAdd(List<GuestRange> ranges, SymbolTable symbols, ulong address, out ulong size)
    {
        bool found = symbols.TryFind(address, out Symbol symbol, out _);
        size = symbol.Size;
        if (found)
        {
            ranges.Add(new GuestRange(address, address + size, symbol.Name));
        }

        return found;
    }
}
