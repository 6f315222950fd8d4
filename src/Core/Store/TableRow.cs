using KprobeTrace.Store.BTree;

namespace KprobeTrace.Store;

/// <summary>A row of a table that is filled by the names of its columns. For rows that are few: each name is looked up.</summary>
internal sealed class TableRow(HistoryTable table)
{
    private readonly RecordBuilder _record = new();
    private readonly long?[] _numbers = new long?[table.Columns.Count];
    private readonly byte[]?[] _bytes = new byte[]?[table.Columns.Count];

    /// <summary>A number, or NULL, of the row that comes next.</summary>
    internal TableRow Set(string column, long? value)
    {
        _numbers[table[column]] = value;
        return this;
    }

    /// <summary>A number of the row that comes next.</summary>
    internal TableRow Set(string column, ulong value) => Set(column, (long)value);

    /// <summary>A text in UTF-8, or bytes, of the row that comes next.</summary>
    internal TableRow Set(string column, ReadOnlySpan<byte> value)
    {
        _bytes[table[column]] = value.ToArray();
        return this;
    }

    /// <summary>The record; NULL stands where nothing was set. What comes next begins anew.</summary>
    internal ReadOnlySpan<byte> End()
    {
        _record.Begin();
        for (int i = 0; i < _numbers.Length; i++)
        {
            if (_bytes[i] is { } bytes)
            {
                if (table.Columns[i].Type == ColumnType.Text)
                {
                    _record.Text(bytes);
                }
                else
                {
                    _record.Blob(bytes);
                }
            }
            else if (_numbers[i] is { } number)
            {
                _record.Integer(number);
            }
            else
            {
                _record.Null();
            }
        }

        Array.Clear(_numbers);
        Array.Clear(_bytes);
        return _record.End();
    }
}
