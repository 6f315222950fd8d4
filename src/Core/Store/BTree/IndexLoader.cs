namespace KprobeTrace.Store.BTree;

/// <summary>Fills an index or a WITHOUT ROWID table.</summary>
/// <remarks>
/// Here the separators between pages are rows of their own. The row that did not fit on a leaf becomes one, once
/// another row follows it.
/// </remarks>
internal sealed class IndexLoader : TreeLoader
{
    private byte[] _separator = [];
    private int _separatorLength;

    internal IndexLoader(PageAppender file, uint root)
        : base(file, root, TreePage.IndexLeaf, TreePage.IndexInterior)
    {
    }

    /// <summary>Adds a row; its key is larger than all before.</summary>
    internal void Add(ReadOnlySpan<byte> record)
    {
        if (_separatorLength > 0)
        {
            AddToParent(File.Append(Leaf.Finish()), _separator.AsSpan(0, _separatorLength));
            Leaf.Clear();
            _separatorLength = 0;
        }

        Span<byte> prefix = stackalloc byte[Varint.MaxLength];
        int length = Varint.Write(prefix, (ulong)record.Length);
        int maxLocal = ((File.PageSize - 12) * 64 / 255) - 23;
        if (!TryAdd(prefix[..length], record, maxLocal, out ReadOnlySpan<byte> cell))
        {
            if (_separator.Length < cell.Length)
            {
                _separator = new byte[File.PageSize];
            }

            cell.CopyTo(_separator);
            _separatorLength = cell.Length;
        }

        Rows++;
    }

    /// <inheritdoc/>
    internal override void Finish()
    {
        if (_separatorLength > 0)
        {
            byte[] last = Leaf.RemoveLast();
            AddToParent(File.Append(Leaf.Finish()), last);
            Leaf.Clear();
            _ = TryAdd(_separator.AsSpan(0, _separatorLength));
            _separatorLength = 0;
        }

        FinishWithLeaf();
    }
}
