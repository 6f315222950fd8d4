using System.Runtime.CompilerServices;
using KprobeTrace.Store.BTree;
using KprobeTrace.Tracing;

namespace KprobeTrace.Store;

/// <summary>Stores the registers that calls preserve once for the events that share them.</summary>
/// <remarks>
/// Only rows that were used lately are remembered, one for each value of a hash: where two meet, a row is stored
/// again, which costs its bytes and nothing else.
/// </remarks>
internal sealed class KeptTable(TableLoader table, long last)
{
    private const int HashBits = 15;

    private readonly (Row Row, long Number)[] _recent = new (Row, long)[1 << HashBits];
    private readonly RecordBuilder _record = new();
    private long _last = last;

    /// <summary>The number of the row that holds these registers' <see cref="RegisterColumns.Kept"/>.</summary>
    internal long Of(in TraceRegisters registers)
    {
        Row row = default;
        ReadOnlySpan<ulong> values = registers.AsReadOnlySpan();
        ReadOnlySpan<int> kept = RegisterColumns.Kept;
        Span<ulong> cells = row;
        for (int i = 0; i < cells.Length; i++)
        {
            cells[i] = values[kept[i]];
        }

        ref (Row Row, long Number) recent = ref _recent[Hash(in row)];
        if (recent.Number == 0 || !((ReadOnlySpan<ulong>)recent.Row).SequenceEqual(row))
        {
            recent = (row, Add(row));
        }

        return recent.Number;
    }

    private static int Hash(in Row row)
    {
        ulong hash = 0;
        foreach (ulong value in (ReadOnlySpan<ulong>)row)
        {
            hash = (hash ^ value) * 0x9E3779B97F4A7C15;
            hash ^= hash >> 32;
        }

        return (int)(hash & ((1 << HashBits) - 1));
    }

    private long Add(ReadOnlySpan<ulong> row)
    {
        _record.Begin();
        _record.Null();
        foreach (ulong value in row)
        {
            _record.Integer(value);
        }

        table.Add(++_last, _record.End());
        return _last;
    }

    /// <summary>One value for each of the <see cref="RegisterColumns.Kept"/>.</summary>
    [InlineArray(RegisterColumns.KeptCount)]
    private struct Row
    {
        private ulong _first;
    }
}
