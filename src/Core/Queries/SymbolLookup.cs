using KprobeTrace.Store;
using KprobeTrace.Store.Sqlite;
using KprobeTrace.Tracing;

namespace KprobeTrace.Queries;

/// <summary>Names addresses by the symbols of a history, read when first needed.</summary>
internal sealed class SymbolLookup
{
    private readonly TraceHistory _history;
    private readonly Dictionary<long, SymbolMap> _maps = [];

    internal SymbolLookup(TraceHistory history) => _history = history;

    /// <summary>The address as <c>symbol+0xoffset</c>, or as a number where no symbol is known.</summary>
    /// <param name="address">The address.</param>
    /// <param name="run">The run, 0 for the first.</param>
    internal string Name(ulong address, long run) =>
        Find(address, run, out TraceSymbol symbol)
            ? address == symbol.Address ? symbol.Name : $"{symbol.Name}+0x{address - symbol.Address:x}"
            : $"0x{address:x}";

    /// <summary>The symbol an address falls in.</summary>
    internal bool Find(ulong address, long run, out TraceSymbol symbol)
    {
        if (!_maps.TryGetValue(run, out SymbolMap? map))
        {
            _maps.Add(run, map = Read(run));
        }

        return map.TryFind(address, out symbol);
    }

    private SymbolMap Read(long run)
    {
        // Its own connection: the lookup may be asked from within a running statement's function.
        SymbolMap map = new();
        using SqliteDatabase database = SqliteDatabase.Open(_history.Path);
        using SqliteStatement statement = database.Prepare("""
            SELECT address, size, name, module, kind FROM kt_symbol
            WHERE run = CASE ?1 WHEN 0 THEN (SELECT min(run) FROM kt_run) ELSE ?1 END
            ORDER BY rowid
            """);
        _ = statement.Bind(1, run);
        while (statement.Step())
        {
            string kind = statement.Text(4);
            map.Add(new TraceSymbol(
                statement.UInt64(0), statement.UInt64(1), statement.Text(2), statement.Text(3), kind.Length > 0 ? kind[0] : ' '));
        }

        return map;
    }
}
