namespace KprobeTrace.Symbols;

/// <summary>The symbols of one module or of the kernel, sorted by address; equal addresses keep their given order.</summary>
internal sealed class SymbolSet
{
    private readonly ulong[] _addresses;
    private readonly string[] _names;
    private readonly char[] _types;
    private readonly (ulong Start, ulong End)[] _ranges;
    private Dictionary<string, int>? _first;
    private int[] _next = [];

    public SymbolSet(
        string module, IReadOnlyCollection<Symbol> symbols, IReadOnlyList<(ulong Start, ulong End)> ranges)
    {
        Module = module;
        _ranges = [.. ranges];
        Symbol[] sorted = [.. symbols];
        ulong[] keys = new ulong[sorted.Length];
        int[] order = new int[sorted.Length];
        bool inOrder = true;
        for (int i = 0; i < sorted.Length; i++)
        {
            keys[i] = sorted[i].Address;
            order[i] = i;
            inOrder &= i == 0 || keys[i] >= keys[i - 1];
        }

        if (!inOrder)
        {
            Array.Sort(order, (a, b) => keys[a] != keys[b] ? keys[a].CompareTo(keys[b]) : a.CompareTo(b));
        }

        _addresses = new ulong[sorted.Length];
        _names = new string[sorted.Length];
        _types = new char[sorted.Length];
        for (int i = 0; i < order.Length; i++)
        {
            ref readonly Symbol symbol = ref sorted[order[i]];
            _addresses[i] = symbol.Address;
            _names[i] = symbol.Name;
            _types[i] = symbol.Type;
        }
    }

    public string Module { get; }

    public int Count => _addresses.Length;

    /// <summary>Tells whether look-ups by address consider an address.</summary>
    public bool Covers(ulong address) => EndOfRange(address) != 0;

    public Symbol At(int index)
    {
        int next = index + 1;
        ulong address = _addresses[index];
        while (next < _addresses.Length && _addresses[next] == address)
        {
            next++;
        }

        ulong following = next < _addresses.Length ? _addresses[next] : ulong.MaxValue;
        ulong limit = EndOfRange(address);
        ulong end = limit != 0 ? Math.Min(following, limit) : next < _addresses.Length ? following : address;
        return new Symbol(_names[index], address, end - address, _types[index], Module);
    }

    /// <summary>Index of the first symbol at the highest address that is not above the given one; -1 when there is none.</summary>
    public int IndexAtOrBelow(ulong address)
    {
        int low = 0;
        int high = _addresses.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_addresses[middle] <= address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        int index = low - 1;
        while (index > 0 && _addresses[index - 1] == _addresses[index])
        {
            index--;
        }

        return index;
    }

    /// <summary>Index of the first symbol of a name, -1 when there is none.</summary>
    public int IndexOf(string name) => Index().TryGetValue(name, out int index) ? index : -1;

    /// <summary>Index of the next symbol of the name that <see cref="IndexOf"/> was asked for, -1 when there is none.</summary>
    public int IndexAfter(int index) => _next[index];

    private ulong EndOfRange(ulong address)
    {
        foreach ((ulong start, ulong end) in _ranges)
        {
            if (address >= start && address < end)
            {
                return end;
            }
        }

        return 0;
    }

    private Dictionary<string, int> Index()
    {
        if (_first is not null)
        {
            return _first;
        }

        int[] next = new int[_names.Length];
        Dictionary<string, int> first = new(_names.Length, StringComparer.Ordinal);
        for (int i = _names.Length - 1; i >= 0; i--)
        {
            next[i] = first.TryGetValue(_names[i], out int later) ? later : -1;
            first[_names[i]] = i;
        }

        _next = next;
        return _first = first;
    }
}
