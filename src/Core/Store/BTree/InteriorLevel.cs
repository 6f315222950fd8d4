using System.Buffers.Binary;

namespace KprobeTrace.Store.BTree;

/// <summary>One level of interior pages of a tree that is built from left to right.</summary>
/// <remarks>
/// Children and separators arrive alternately: child, separator, child, separator … child. A full page is held back
/// until the next one has a cell, so that the last page of a level never stands without one.
/// </remarks>
internal sealed class InteriorLevel
{
    private readonly PageAppender _file;
    private readonly byte _type;
    private TreePage _page;
    private TreePage _spare;
    private bool _held;
    private uint _heldRightmost;
    private byte[] _heldSeparator = [];

    internal InteriorLevel(PageAppender file, byte type)
    {
        _file = file;
        _type = type;
        _page = new TreePage(file.PageSize, type);
        _spare = new TreePage(file.PageSize, type);
    }

    /// <summary>The level nearer to the root, where there is one.</summary>
    internal InteriorLevel? Upper { get; private set; }

    /// <summary>Adds a child and the separator to its right (the part of an interior cell behind the child).</summary>
    internal void Add(uint child, ReadOnlySpan<byte> separator)
    {
        if (_page.TryAdd(4 + separator.Length, out Span<byte> cell))
        {
            BinaryPrimitives.WriteUInt32BigEndian(cell, child);
            separator.CopyTo(cell[4..]);
            ReleaseHeld();
            return;
        }

        (_page, _spare) = (_spare, _page);
        _page.Clear();
        _held = true;
        _heldRightmost = child;
        _heldSeparator = separator.ToArray();
    }

    /// <summary>Ends the tree with its last child at this level and writes the root to page <paramref name="root"/>.</summary>
    internal void Finish(uint lastChild, uint root)
    {
        if (_held && _page.Count == 0)
        {
            byte[] last = _spare.RemoveLast();
            _ = _page.TryAdd(4 + _heldSeparator.Length, out Span<byte> cell);
            BinaryPrimitives.WriteUInt32BigEndian(cell, _heldRightmost);
            _heldSeparator.CopyTo(cell[4..]);
            _heldRightmost = BinaryPrimitives.ReadUInt32BigEndian(last);
            _heldSeparator = last[4..];
        }

        ReleaseHeld();
        ReadOnlySpan<byte> page = _page.Finish(lastChild);
        if (Upper is null)
        {
            _file.Replace(root, page);
        }
        else
        {
            Upper.Finish(_file.Append(page), root);
        }
    }

    private void ReleaseHeld()
    {
        if (_held)
        {
            _held = false;
            Upper ??= new InteriorLevel(_file, _type);
            Upper.Add(_file.Append(_spare.Finish(_heldRightmost)), _heldSeparator);
        }
    }
}
