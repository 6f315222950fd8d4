using System.Buffers.Binary;

namespace KprobeTrace.Store.BTree;

/// <summary>Fills one empty b-tree of a SQLite database from rows that arrive in key order.</summary>
/// <remarks>
/// SQLite's own insert interprets a program for each row; appending whole pages takes a fraction of that time, and
/// the file is the same kind of file. Formats: https://www.sqlite.org/fileformat2.html, sections 1.6 and 2.
/// </remarks>
internal abstract class TreeLoader
{
    private readonly byte[] _overflow;
    private readonly byte _interiorType;
    private byte[] _cell = new byte[512];

    private protected TreeLoader(PageAppender file, uint root, byte leafType, byte interiorType)
    {
        File = file;
        Root = root;
        Leaf = new TreePage(file.PageSize, leafType);
        _interiorType = interiorType;
        _overflow = new byte[file.PageSize];
    }

    /// <summary>Rows added.</summary>
    internal long Rows { get; private protected set; }

    private protected PageAppender File { get; }

    private protected uint Root { get; }

    private protected TreePage Leaf { get; }

    private protected InteriorLevel? Parent { get; private set; }

    /// <summary>Writes what is left and the root page.</summary>
    internal abstract void Finish();

    private protected void AddToParent(uint child, ReadOnlySpan<byte> separator)
    {
        Parent ??= new InteriorLevel(File, _interiorType);
        Parent.Add(child, separator);
    }

    private protected void FinishWithLeaf()
    {
        ReadOnlySpan<byte> page = Leaf.Finish();
        if (Parent is null)
        {
            File.Replace(Root, page);
        }
        else
        {
            Parent.Finish(File.Append(page), Root);
        }
    }

    /// <summary>
    /// Adds a cell of a prefix and a payload to the leaf; where it does not fit, returns false and the cell's bytes.
    /// </summary>
    private protected bool TryAdd(
        ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> payload, int maxLocal, out ReadOnlySpan<byte> cell)
    {
        if (payload.Length <= maxLocal)
        {
            if (Leaf.TryAdd(prefix.Length + payload.Length, out Span<byte> room))
            {
                prefix.CopyTo(room);
                payload.CopyTo(room[prefix.Length..]);
                cell = default;
                return true;
            }

            Span<byte> copy = CellBuffer(prefix.Length + payload.Length);
            prefix.CopyTo(copy);
            payload.CopyTo(copy[prefix.Length..]);
            cell = copy;
            return false;
        }

        cell = WithOverflow(prefix, payload, maxLocal);
        return TryAdd(cell);
    }

    private protected bool TryAdd(ReadOnlySpan<byte> cell)
    {
        if (!Leaf.TryAdd(cell.Length, out Span<byte> room))
        {
            return false;
        }

        cell.CopyTo(room);
        return true;
    }

    private Span<byte> CellBuffer(int length)
    {
        if (_cell.Length < length)
        {
            _cell = new byte[length];
        }

        return _cell.AsSpan(0, length);
    }

    private ReadOnlySpan<byte> WithOverflow(ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> payload, int maxLocal)
    {
        int usable = File.PageSize;
        int minLocal = ((usable - 12) * 32 / 255) - 23;
        int local = minLocal + ((payload.Length - minLocal) % (usable - 4));
        if (local > maxLocal)
        {
            local = minLocal;
        }

        Span<byte> cell = CellBuffer(prefix.Length + local + 4);
        prefix.CopyTo(cell);
        payload[..local].CopyTo(cell[prefix.Length..]);
        BinaryPrimitives.WriteUInt32BigEndian(cell[(prefix.Length + local)..], File.NextPage);
        ReadOnlySpan<byte> rest = payload[local..];
        while (rest.Length > 0)
        {
            int part = Math.Min(rest.Length, usable - 4);
            uint page = File.NextPage;
            BinaryPrimitives.WriteUInt32BigEndian(_overflow, part < rest.Length ? File.PageAfter(page) : 0);
            rest[..part].CopyTo(_overflow.AsSpan(4));
            _overflow.AsSpan(4 + part).Clear();
            File.Append(_overflow);
            rest = rest[part..];
        }

        return cell;
    }
}
