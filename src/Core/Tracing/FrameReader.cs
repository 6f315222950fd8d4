using System.IO.Hashing;
using ZstdSharp;

namespace KprobeTrace.Tracing;

/// <summary>Finds the whole frames of a file, whatever has happened to the rest of it.</summary>
/// <remarks>
/// Where no whole frame stands, it looks for the next marker with a valid head behind it. Work is linear in the
/// file's length and memory bounded by the format's limits.
/// </remarks>
internal sealed class FrameReader : IDisposable
{
    /// <summary>Damage listed; what goes beyond is only counted.</summary>
    internal const int MaxDamageListed = 1000;

    internal const int ScanBytes = 256 << 10;

    private readonly Stream _stream;
    private readonly string _name;
    private readonly Decompressor _decompressor = new();
    private readonly List<TraceDamage> _damage = [];
    private readonly byte[] _head = new byte[FrameHead.Size];
    private byte[] _packed = [];
    private byte[] _raw = [];
    private byte[]? _scan;
    private uint _nextIndex;
    private bool _damagedSinceFrame;
    private bool _isComplete;
    private long _failedBytes;

    internal FrameReader(Stream stream, string name)
    {
        _stream = stream;
        _name = name;
        Length = Guard(() => stream.Length);
    }

    internal long Length { get; }

    internal long Position { get; private set; }

    /// <summary>Offset of the frame that was read last.</summary>
    internal long FrameOffset { get; private set; }

    internal FrameHead Head { get; private set; }

    /// <summary>The current frame's payload, decompressed.</summary>
    internal ReadOnlySpan<byte> Payload => _raw.AsSpan(0, (int)Head.RawLength);

    internal IReadOnlyList<TraceDamage> Damage => _damage;

    internal long DamageNotListed { get; private set; }

    /// <summary>Where another trace begins behind this one, as where files were joined; null as far as none was met.</summary>
    internal long? SecondTraceAt { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _decompressor.Dispose();
        _stream.Dispose();
    }

    /// <summary>Notes something that could not be read.</summary>
    internal void AddDamage(long offset, long length, string reason)
    {
        _damagedSinceFrame = true;
        if (_damage.Count < MaxDamageListed)
        {
            _damage.Add(new TraceDamage(offset, length, reason));
        }
        else
        {
            DamageNotListed++;
        }
    }

    /// <summary>Notes that the current frame's content breaks the rules.</summary>
    internal void AddFrameDamage(string reason) =>
        AddDamage(FrameOffset, Position - FrameOffset, $"{Describe(Head)} is lost: {reason}");

    /// <summary>The first bytes of the file, as many as a head has or fewer.</summary>
    internal ReadOnlySpan<byte> PeekStart() => _head.AsSpan(0, ReadAt(0, _head));

    /// <summary>The first <paramref name="length"/> bytes of the file, or all of a shorter one.</summary>
    internal byte[] ReadStart(int length)
    {
        byte[] start = new byte[length];
        return start[..ReadAt(0, start)];
    }

    /// <summary>True when a whole head stands anywhere in the first <paramref name="limit"/> bytes.</summary>
    internal bool HasAnyFrame(long limit) => FindHead(0, Math.Min(Length, limit)) >= 0;

    /// <summary>Goes to the next whole frame; false at the end of the file.</summary>
    internal bool Next()
    {
        while (Position < Length && SecondTraceAt is null)
        {
            int read = ReadAt(Position, _head);
            if (!FrameHead.TryRead(_head.AsSpan(0, read), out FrameHead head))
            {
                SkipToNextHead(read);
            }
            else if (IsOfAnotherTrace(head))
            {
                SecondTraceAt = Position;
                _damage.Add(new TraceDamage(Position, Length - Position, TraceDamage.OfSecondTrace(Position)));
            }
            else if (TryReadPayload(head) && InOrder(head))
            {
                return true;
            }
        }

        return false;
    }

    private static string Describe(FrameHead head)
    {
        string what = head.Kind switch
        {
            TraceChunkKind.None => "header",
            TraceChunkKind.Footer => "footer",
            TraceChunkKind.Events when head.Count == 1 => $"event {head.First}",
            TraceChunkKind.Events => $"events {head.First} to {head.First + head.Count - 1}",
            _ => $"{head.Count} {head.Kind} rows",
        };
        return $"frame {head.Index} ({what})";
    }

    /// <summary>A trace has one header, which is its first frame, and nothing behind its footer.</summary>
    private bool IsOfAnotherTrace(in FrameHead head) =>
        _isComplete || (_nextIndex > 0 && head.Index == 0 && head.Kind == TraceChunkKind.None);

    private void SkipToNextHead(int read)
    {
        long start = Position;
        long found = FindHead(start + 1, Length);
        if (found >= 0)
        {
            Position = found;
            AddDamage(start, found - start, $"{found - start} bytes at offset {start} are no frame");
            return;
        }

        Position = Length;
        bool cutOff = read < FrameHead.Size && _head.AsSpan(0, Math.Min(read, FrameHead.Marker.Length))
            .SequenceEqual(FrameHead.Marker[..Math.Min(read, FrameHead.Marker.Length)]);
        AddDamage(start, Length - start, cutOff
            ? $"the file ends within the head of frame {_nextIndex}, at offset {Length}"
            : $"the last {Length - start} bytes, from offset {start}, are no frame");
    }

    private bool TryReadPayload(in FrameHead head)
    {
        long start = Position;
        long payload = start + FrameHead.Size;
        if (head.PackedLength > Length - payload)
        {
            SkipDamagedFrame(head, payload, $"the file ends after {Length - payload} of its {head.PackedLength} bytes");
            return false;
        }

        Grow(ref _packed, (int)head.PackedLength);
        Span<byte> packed = _packed.AsSpan(0, (int)head.PackedLength);
        if (ReadAt(payload, packed) < packed.Length || Crc32.HashToUInt32(packed) != head.PayloadChecksum)
        {
            SkipDamagedFrame(head, payload, "its checksum does not match");
            return false;
        }

        Position = payload + head.PackedLength;
        FrameOffset = start;
        if (Unpack(head, packed) is { } reason)
        {
            AddDamage(start, Position - start, $"{Describe(head)} is lost: {reason}");
            return false;
        }

        Head = head;
        return true;
    }

    /// <summary>
    /// Leaves a frame whose payload is bad: behind it when the file goes on there, else to the next head after its
    /// own, since bytes may have been lost and good frames may stand where the payload should be.
    /// </summary>
    private void SkipDamagedFrame(in FrameHead head, long payload, string reason)
    {
        long start = Position;
        long end = Math.Min(payload + head.PackedLength, Length);
        _failedBytes += head.PackedLength;

        // A file made of heads with false lengths must not have each of its bytes read for each head.
        bool search = _failedBytes <= (4 * Length) + TraceFormat.MaxPackedBytes || payload + head.PackedLength > Length;
        if (search && !HeadStandsAt(end))
        {
            long found = FindHead(payload, Length);
            end = found < 0 ? Length : found;
        }

        Position = end;
        AddDamage(start, end - start, $"{Describe(head)} is lost: {reason}");
    }

    private bool HeadStandsAt(long offset) => ReadAt(offset, _head) == FrameHead.Size && FrameHead.TryRead(_head, out _);

    private bool InOrder(in FrameHead head)
    {
        if (head.Index < _nextIndex)
        {
            AddFrameDamage($"frame {_nextIndex} should stand here");
            return false;
        }

        if (head.Index > _nextIndex && !_damagedSinceFrame)
        {
            AddDamage(FrameOffset, 0, head.Index == _nextIndex + 1
                ? $"frame {_nextIndex} is missing before offset {FrameOffset}"
                : $"frames {_nextIndex} to {head.Index - 1} are missing before offset {FrameOffset}");
        }

        _nextIndex = head.Index == uint.MaxValue ? head.Index : head.Index + 1;
        _damagedSinceFrame = false;
        _isComplete = head.Kind == TraceChunkKind.Footer;
        return true;
    }

    private string? Unpack(in FrameHead head, ReadOnlySpan<byte> packed)
    {
        int limit = head.Kind == TraceChunkKind.Events ? TraceFormat.MaxRawBytes : TraceFormat.MaxRowBytes;
        if (head.RawLength > limit)
        {
            return $"{head.RawLength} bytes are more than the {limit} it may have";
        }

        Grow(ref _raw, (int)head.RawLength);
        Span<byte> raw = _raw.AsSpan(0, (int)head.RawLength);
        switch (head.Codec)
        {
            case FrameHead.Stored when head.PackedLength == head.RawLength:
                packed.CopyTo(raw);
                return null;
            case FrameHead.Zstandard:
                try
                {
                    return _decompressor.Unwrap(packed, raw) == raw.Length ? null : "it unpacks to fewer bytes than it says";
                }
                catch (ZstdException)
                {
                    return "it does not unpack";
                }

            default:
                return $"codec {head.Codec} is not known";
        }
    }

    /// <summary>Offset of the first whole head from <paramref name="from"/> on, or -1.</summary>
    private long FindHead(long from, long end)
    {
        // Small windows first: a hostile file has a head every few bytes, and each search would read a large one.
        _scan ??= new byte[ScanBytes];
        int size = ScanBytes >> 6;
        while (from < end)
        {
            int read = ReadAt(from, _scan.AsSpan(0, size));
            ReadOnlySpan<byte> window = _scan.AsSpan(0, read);
            int at = 0;
            while (window[at..].IndexOf(FrameHead.Marker) is int next && next >= 0)
            {
                at += next;
                if (FrameHead.TryRead(window[at..], out _))
                {
                    return from + at;
                }

                at++;
            }

            if (read < size)
            {
                return -1;
            }

            // The window's end may hold the beginning of a head.
            from += read - FrameHead.Size + 1;
            size = Math.Min(4 * size, _scan.Length);
        }

        return -1;
    }

    private int ReadAt(long offset, Span<byte> target)
    {
        try
        {
            _stream.Position = offset;
            return _stream.ReadAtLeast(target, target.Length, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw Unreadable(e);
        }
    }

    private T Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw Unreadable(e);
        }
    }

    private KprobeTraceException Unreadable(Exception e) => new($"{_name}: cannot read the trace: {FileErrors.Reason(e)}", e);

    private static void Grow(ref byte[] buffer, int size)
    {
        if (buffer.Length < size)
        {
            buffer = GC.AllocateUninitializedArray<byte>(size);
        }
    }
}
