using System.Runtime.InteropServices;

namespace KprobeTrace.Queries;

/// <summary>A run of sorted values in a temporary file, read a block at a time.</summary>
internal sealed class SortedRun
{
    private readonly FileStream _file;
    private readonly long[] _block;
    private readonly bool _isConverted;
    private long _offset;
    private long _left;
    private int _at;
    private int _filled;

    /// <summary>Creates a reader of <paramref name="count"/> values.</summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where the run begins, in bytes.</param>
    /// <param name="count">Values in it.</param>
    /// <param name="block">Values read at once.</param>
    /// <param name="isConverted">True where it holds integers and doubles are wanted.</param>
    internal SortedRun(FileStream file, long offset, long count, int block, bool isConverted)
    {
        _file = file;
        _offset = offset;
        _left = count;
        _block = new long[block];
        _isConverted = isConverted;
    }

    /// <summary>The value that was read last.</summary>
    internal long Current { get; private set; }

    /// <summary>Goes to the next value; false at the end.</summary>
    internal bool Next()
    {
        if (_at == _filled)
        {
            if (_left == 0)
            {
                return false;
            }

            _filled = (int)Math.Min(_block.Length, _left);
            _at = 0;
            _left -= _filled;
            Span<byte> bytes = MemoryMarshal.AsBytes(_block.AsSpan(0, _filled));
            _file.Position = _offset;
            _file.ReadExactly(bytes);
            _offset += bytes.Length;
        }

        long value = _block[_at++];
        Current = _isConverted ? BitConverter.DoubleToInt64Bits(value) : value;
        return true;
    }
}
