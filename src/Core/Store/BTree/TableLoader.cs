namespace KprobeTrace.Store.BTree;

/// <summary>Fills a rowid table.</summary>
internal sealed class TableLoader : TreeLoader
{
    private long _lastRowId;

    internal TableLoader(PageAppender file, uint root)
        : base(file, root, TreePage.TableLeaf, TreePage.TableInterior)
    {
    }

    /// <summary>Adds a row; its row id is larger than all before.</summary>
    internal void Add(long rowId, ReadOnlySpan<byte> record)
    {
        Span<byte> prefix = stackalloc byte[2 * Varint.MaxLength];
        int length = Varint.Write(prefix, (ulong)record.Length);
        length += Varint.Write(prefix[length..], (ulong)rowId);
        if (!TryAdd(prefix[..length], record, File.PageSize - 35, out ReadOnlySpan<byte> cell))
        {
            Span<byte> separator = stackalloc byte[Varint.MaxLength];
            AddToParent(File.Append(Leaf.Finish()), separator[..Varint.Write(separator, (ulong)_lastRowId)]);
            Leaf.Clear();
            _ = TryAdd(cell);
        }

        _lastRowId = rowId;
        Rows++;
    }

    /// <inheritdoc/>
    internal override void Finish() => FinishWithLeaf();
}
