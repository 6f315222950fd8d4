using System.Runtime.InteropServices;
using System.Text;
using KprobeTrace.Store.BTree;
using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>Gives task names numbers.</summary>
internal sealed class CommTable
{
    private const int MaxRemembered = 1 << 17;

    private readonly Dictionary<(ulong, ulong), long> _numbers = [];
    private readonly TableLoader _table;
    private readonly TableRow _row = new(HistoryTables.Comm);
    private long _last;

    internal CommTable(TableLoader table, long last)
    {
        _table = table;
        _last = last;
    }

    /// <summary>The number of a name.</summary>
    internal long Of(in TraceComm comm)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>((ReadOnlySpan<byte>)comm);
        (ulong, ulong) key = (words[0], words[1]);
        if (!_numbers.TryGetValue(key, out long number))
        {
            if (_numbers.Count >= MaxRemembered)
            {
                _numbers.Clear();
            }

            _numbers.Add(key, number = ++_last);
            _table.Add(number, _row.Set("name", Encoding.UTF8.GetBytes(comm.ToString())).End());
        }

        return number;
    }
}
