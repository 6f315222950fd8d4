using System.Buffers.Binary;

namespace KprobeTrace.Store.BTree;

/// <summary>Appends pages to a SQLite database file that no connection has open.</summary>
/// <remarks>
/// The page that holds the byte at 1 GiB carries SQLite's locks and is never part of a tree; it is left out.
/// </remarks>
internal sealed class PageAppender : IDisposable
{
    private const long LockByte = 0x4000_0000;
    private const int BufferedPages = 64;

    private readonly FileStream _file;
    private readonly byte[] _buffer;
    private int _buffered;
    private uint _written;

    internal PageAppender(string path)
    {
        _file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        Span<byte> header = stackalloc byte[100];
        _file.ReadExactly(header);
        int size = BinaryPrimitives.ReadUInt16BigEndian(header[16..]);
        PageSize = size == 1 ? 65536 : size;
        _written = (uint)(_file.Length / PageSize);
        _buffer = new byte[BufferedPages * PageSize];
        _file.Position = _file.Length;
    }

    /// <summary>Bytes in a page.</summary>
    internal int PageSize { get; }

    /// <summary>Pages in the file, those still buffered included.</summary>
    internal uint PageCount => _written + (uint)_buffered;

    /// <summary>The number that the next appended page will get.</summary>
    internal uint NextPage => IsLockPage(PageCount + 1) ? PageCount + 2 : PageCount + 1;

    /// <summary>The number of the page appended after <paramref name="page"/>.</summary>
    internal uint PageAfter(uint page) => IsLockPage(page + 1) ? page + 2 : page + 1;

    /// <summary>Appends a page and returns its number.</summary>
    internal uint Append(ReadOnlySpan<byte> page)
    {
        if (IsLockPage(PageCount + 1))
        {
            Reserve().Clear();
        }

        page.CopyTo(Reserve());
        return PageCount;
    }

    /// <summary>Replaces page <paramref name="number"/>, which stood in the file before.</summary>
    internal void Replace(uint number, ReadOnlySpan<byte> page)
    {
        Flush();
        _file.Position = (long)(number - 1) * PageSize;
        _file.Write(page);
        _file.Position = _file.Length;
    }

    /// <summary>Writes what is buffered and the header's page count.</summary>
    internal void Complete()
    {
        Flush();
        Span<byte> field = stackalloc byte[4];
        _file.Position = 24;
        _file.ReadExactly(field);
        BinaryPrimitives.WriteUInt32BigEndian(field, BinaryPrimitives.ReadUInt32BigEndian(field) + 1);
        _file.Position = 24;
        _file.Write(field);

        // The page count counts only where "version-valid-for" (92) equals the change counter (24).
        _file.Position = 92;
        _file.Write(field);
        BinaryPrimitives.WriteUInt32BigEndian(field, _written);
        _file.Position = 28;
        _file.Write(field);
        _file.Flush();
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private bool IsLockPage(uint number) => (long)(number - 1) * PageSize == LockByte;

    private Span<byte> Reserve()
    {
        if (_buffered == BufferedPages)
        {
            Flush();
        }

        return _buffer.AsSpan(_buffered++ * PageSize, PageSize);
    }

    private void Flush()
    {
        _file.Write(_buffer, 0, _buffered * PageSize);
        _written += (uint)_buffered;
        _buffered = 0;
    }
}
