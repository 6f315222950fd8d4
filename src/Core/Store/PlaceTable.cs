using System.Text;
using KprobeTrace.Store.BTree;
using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>Gives code addresses a row with their symbol, so that no query has to look one up.</summary>
internal sealed class PlaceTable
{
    private const int MaxRemembered = 1 << 20;

    private readonly Dictionary<ulong, long> _places = [];
    private readonly SymbolMap _symbols;
    private readonly TableLoader _table;
    private readonly RecordBuilder _record = new();
    private readonly long _run;
    private long _last;
    private ulong _lastAddress;
    private long _lastPlace;

    internal PlaceTable(SymbolMap symbols, TableLoader table, long run, long last)
    {
        _symbols = symbols;
        _table = table;
        _run = run;
        _last = last;
    }

    /// <summary>The row of <paramref name="address"/>.</summary>
    internal long Of(ulong address)
    {
        if (address == _lastAddress && _lastPlace != 0)
        {
            return _lastPlace;
        }

        if (!_places.TryGetValue(address, out long place))
        {
            place = Add(address);
        }

        _lastAddress = address;
        _lastPlace = place;
        return place;
    }

    private long Add(ulong address)
    {
        if (_places.Count >= MaxRemembered)
        {
            _places.Clear();
        }

        _places.Add(address, ++_last);
        _record.Begin();
        _record.Null();
        _record.Integer(_run);
        _record.Integer(address);
        if (_symbols.TryFind(address, out TraceSymbol symbol))
        {
            _record.Text(Encoding.UTF8.GetBytes(symbol.Name));
            _record.Integer(address - symbol.Address);
            _record.Integer(symbol.Size);
            _record.Text(Encoding.UTF8.GetBytes(symbol.Module));
        }
        else
        {
            _record.Text(Encoding.ASCII.GetBytes($"0x{address:x}"));
            _record.Integer(0L);
            _record.Integer(0L);
            _record.Text(default);
        }

        _table.Add(_last, _record.End());
        return _last;
    }
}
