using System.IO.Hashing;
using ZstdSharp;

namespace KprobeTrace.Tracing;

/// <summary>Compresses payloads, puts heads before them and hands whole frames to a stream.</summary>
internal sealed class FrameWriter : IDisposable
{
    private readonly Stream _stream;
    private readonly string _name;
    private readonly Compressor _compressor = new(level: 1);
    private byte[] _frame = new byte[64 << 10];
    private uint _index;
    private bool _failed;

    internal FrameWriter(Stream stream, string name)
    {
        _stream = stream;
        _name = name;
    }

    internal long BytesWritten { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _compressor.Dispose();
        _stream.Dispose();
    }

    /// <summary>Writes one frame with one call to the stream.</summary>
    /// <exception cref="KprobeTraceException">The stream refused it, now or earlier.</exception>
    internal void Write(TraceChunkKind kind, ulong first, int count, ReadOnlySpan<byte> payload, bool compress)
    {
        int limit = kind == TraceChunkKind.Events ? TraceFormat.MaxRawBytes : TraceFormat.MaxRowBytes;
        if (payload.Length > limit)
        {
            throw new KprobeTraceException(
                $"{_name}: {payload.Length} bytes for one {kind} frame of the trace, the limit is {limit}");
        }

        int packed = payload.Length;
        byte codec = FrameHead.Stored;
        if (compress)
        {
            Reserve(FrameHead.Size + Compressor.GetCompressBound(payload.Length));
            packed = _compressor.Wrap(payload, _frame.AsSpan(FrameHead.Size));
            codec = FrameHead.Zstandard;
        }

        if (!compress || packed >= payload.Length)
        {
            Reserve(FrameHead.Size + payload.Length);
            payload.CopyTo(_frame.AsSpan(FrameHead.Size));
            packed = payload.Length;
            codec = FrameHead.Stored;
        }

        uint checksum = Crc32.HashToUInt32(_frame.AsSpan(FrameHead.Size, packed));
        FrameHead head = new(kind, codec, _index, first, (uint)count, (uint)payload.Length, (uint)packed, checksum);
        head.Write(_frame);
        Put(_frame.AsSpan(0, FrameHead.Size + packed));
        _index++;
    }

    private void Put(ReadOnlySpan<byte> frame)
    {
        if (_failed)
        {
            throw new KprobeTraceException($"{_name}: writing the trace has failed before");
        }

        try
        {
            _stream.Write(frame);
            _stream.Flush();
        }
        catch (ArgumentOutOfRangeException e)
        {
            // What .NET makes of EFBIG: the file system or a limit of the process forbids a longer file.
            throw Failed("the file would become too large", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw Failed(FileErrors.Reason(e), e);
        }

        BytesWritten += frame.Length;
    }

    private KprobeTraceException Failed(string reason, Exception cause)
    {
        _failed = true;
        DropTail();
        return new KprobeTraceException(
            $"{_name}: cannot write the trace: {reason}; {BytesWritten} bytes of it are whole and readable", cause);
    }

    /// <summary>Takes back what has been written of a frame that did not fit.</summary>
    private void DropTail()
    {
        try
        {
            if (_stream.CanSeek)
            {
                _stream.SetLength(BytesWritten);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            // The reader copes with a cut-off frame; the first error is the one to tell.
        }
    }

    private void Reserve(int size)
    {
        if (_frame.Length < size)
        {
            _frame = new byte[Math.Max(size, 2 * _frame.Length)];
        }
    }
}
