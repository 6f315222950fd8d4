using KprobeTrace.Files;

namespace KprobeTrace.Tracing;

/// <summary>Reads a trace file chunk by chunk, in bounded memory, believing nothing.</summary>
/// <remarks>
/// <code>
/// using var reader = TraceReader.Open(path);
/// while (reader.ReadChunk())
/// {
///     switch (reader.Kind)
///     {
///         case TraceChunkKind.Events: … reader.Events[i], reader.GetArguments(i), reader.GetStack(i) …
///         case TraceChunkKind.Console: … reader.ConsoleLines …
///     }
/// }
/// // now reader.Footer, reader.Damage
/// </code>
/// A damaged chunk is skipped and listed in <see cref="Damage"/>; all others are delivered. Probes and symbols come
/// before the events that use them. Sequence numbers only rise. Where another trace follows in the file, reading ends there and
/// <see cref="Damage"/> says so. Not safe for use from several threads.
/// </remarks>
internal sealed class TraceReader : IDisposable
{
    /// <summary>How much of a file that begins with no frame is searched for one before it is called no trace.</summary>
    internal const long MaxBytesBeforeFirstFrame = 256L << 20;

    private readonly FrameReader _frames;
    private readonly EventDecoder _decoder = new();
    private readonly List<TraceProbe> _probes = [];
    private readonly List<TraceSymbol> _symbols = [];
    private readonly List<TraceConsoleLine> _consoleLines = [];
    private readonly List<TraceTextPoke> _textPokes = [];
    private readonly List<TraceNote> _notes = [];
    private bool _pending;
    private bool _ended;

    /// <summary>Reads from a stream that can seek; <paramref name="name"/> stands for the file in error messages.</summary>
    /// <exception cref="KprobeTraceException">It is no trace, or one of a later version.</exception>
    public TraceReader(Stream stream, string name)
    {
        ArgumentNullException.ThrowIfNull(stream);
        _frames = new FrameReader(stream, name);
        RequireTrace(name);
        ReadHeader(name);
    }

    /// <summary>The header. Empty strings when the file's beginning is damaged.</summary>
    public TraceHeader Header { get; private set; } = new() { ImageName = "", ImageSha256 = "" };

    /// <summary>What the current chunk holds.</summary>
    public TraceChunkKind Kind { get; private set; }

    /// <summary>Events of the current chunk; valid until the next <see cref="ReadChunk"/>.</summary>
    public ReadOnlySpan<TraceEvent> Events => _decoder.Events;

    /// <summary>Probe definitions of the current chunk; valid until the next <see cref="ReadChunk"/>.</summary>
    public IReadOnlyList<TraceProbe> Probes => _probes;

    /// <summary>Symbols of the current chunk; valid until the next <see cref="ReadChunk"/>.</summary>
    public IReadOnlyList<TraceSymbol> Symbols => _symbols;

    /// <summary>Console lines of the current chunk; valid until the next <see cref="ReadChunk"/>.</summary>
    public IReadOnlyList<TraceConsoleLine> ConsoleLines => _consoleLines;

    /// <summary>Code changes of the current chunk; valid until the next <see cref="ReadChunk"/>.</summary>
    public IReadOnlyList<TraceTextPoke> TextPokes => _textPokes;

    /// <summary>Notes of the current chunk; valid until the next <see cref="ReadChunk"/>.</summary>
    public IReadOnlyList<TraceNote> Notes => _notes;

    /// <summary>The footer, once <see cref="ReadChunk"/> has returned false; null when the trace was cut off.</summary>
    public TraceFooter? Footer { get; private set; }

    /// <summary>What could not be read so far: the first thousand places.</summary>
    public IReadOnlyList<TraceDamage> Damage => _frames.Damage;

    /// <summary>Further damage that <see cref="Damage"/> does not list.</summary>
    public long DamageNotListed => _frames.DamageNotListed;

    /// <summary>Sequence number of the last event delivered, 0 before the first.</summary>
    public ulong LastSeq { get; private set; }

    /// <summary>Bytes of the file read so far, for progress.</summary>
    public long Position => _frames.Position;

    /// <summary>Bytes in the file.</summary>
    public long Length => _frames.Length;

    /// <summary>Opens a trace file and reads its header.</summary>
    /// <exception cref="KprobeTraceException">There is no such file, or it is no trace, or one of a later version.</exception>
    public static TraceReader Open(string path)
    {
        FileStream stream = InputFile.Open(path, "trace");
        try
        {
            return stream.CanSeek
                ? new TraceReader(stream, path)
                : throw new KprobeTraceException($"{path}: a trace is read from a file, not from a pipe or terminal");
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Reads a whole trace and reports what is missing or damaged.</summary>
    /// <exception cref="KprobeTraceException">There is no such file, or it is no trace, or one of a later version.</exception>
    public static TraceCheckReport Check(string path)
    {
        using TraceReader reader = Open(path);
        return reader.Check();
    }

    /// <summary>Reads the rest of the trace and reports what is missing or damaged.</summary>
    public TraceCheckReport Check()
    {
        ulong chunks = 0;
        ulong events = 0;
        ulong lost = 0;
        List<(ulong First, ulong Last)> gaps = [];
        ulong expected = LastSeq + 1;
        while (ReadChunk())
        {
            chunks++;

            // Every chunk says which event comes next, those of rows too.
            AddGap(expected, _frames.Head.First);
            expected = Math.Max(expected, _frames.Head.First);
            if (Kind == TraceChunkKind.Events)
            {
                expected = LastSeq + 1;
                events += (ulong)Events.Length;
            }
        }

        if (Footer is not null)
        {
            AddGap(expected, Footer.Events + 1);
        }

        return new TraceCheckReport
        {
            Bytes = Length,
            Chunks = chunks,
            Events = events,
            EventsLost = lost,
            Gaps = gaps,
            Damage = Damage,
            DamageNotListed = DamageNotListed,
            Footer = Footer,
        };

        void AddGap(ulong wanted, ulong found)
        {
            if (found > wanted)
            {
                lost += found - wanted;
                if (gaps.Count < FrameReader.MaxDamageListed)
                {
                    gaps.Add((wanted, found - 1));
                }
            }
        }
    }

    /// <summary>Arguments of the current chunk's event <paramref name="index"/>: one MessagePack array, well formed and
    /// nested at most <see cref="TraceFormat.MaxDepth"/> deep, or empty.</summary>
    public ReadOnlySpan<byte> GetArguments(int index)
    {
        (int start, int length) = _decoder.ArgumentsOf(index);
        return _frames.Payload.Slice(start, length);
    }

    /// <summary>Stack of the current chunk's event <paramref name="index"/>, innermost first, or empty.</summary>
    public ReadOnlySpan<ulong> GetStack(int index) => _decoder.StackOf(index);

    /// <summary>Reads the next whole chunk; false at the end of the trace.</summary>
    /// <exception cref="KprobeTraceException">The file could not be read.</exception>
    public bool ReadChunk()
    {
        ClearChunk();
        while (_pending || _frames.Next())
        {
            _pending = false;
            if (DecodeFrame())
            {
                return true;
            }

            ClearChunk();
        }

        if (!_ended)
        {
            _ended = true;
            NoteTheEnd();
        }

        return false;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        _frames.Dispose();
        _decoder.Dispose();
    }

    private void RequireTrace(string name)
    {
        if (_frames.Length == 0)
        {
            throw new KprobeTraceException($"{name}: the file is empty, not a trace; record it again");
        }

        ReadOnlySpan<byte> start = _frames.PeekStart();
        RequireVersion(name, FrameHead.OtherVersion(start));
        if (FrameHead.TryRead(start, out _) || _frames.HasAnyFrame(MaxBytesBeforeFirstFrame))
        {
            return;
        }

        int version = FrameHead.ClaimedVersion(start);
        RequireVersion(name, version);
        bool cutOff = version == TraceFormat.Version;
        if (version < 0 && FileRecogniser.Recognise(_frames.ReadStart(FileRecogniser.HeadSize)) is FileKind kind)
        {
            cutOff = kind.Family == FileFamily.Trace ? true : throw kind.Refuse(name, FileRole.Trace);
        }

        throw new KprobeTraceException(cutOff
            ? $"{name}: the trace was cut off before its first frame was whole"
            : $"{name}: not a KprobeTrace trace; kprobe-report reads traces of kprobe-record and its own databases");
    }

    /// <summary>Refuses a version that a trace claims, unless it is ours or none (negative).</summary>
    private static void RequireVersion(string name, long version)
    {
        if (version >= 0 && version != TraceFormat.Version)
        {
            throw new KprobeTraceException(
                $"{name}: a trace of format version {version}, this program reads version {TraceFormat.Version}; "
                + "use the kprobe-report that came with its recorder");
        }
    }

    private void ReadHeader(string name)
    {
        if (!_frames.Next())
        {
            return;
        }

        if (_frames.Head.Kind != TraceChunkKind.None)
        {
            // The header is lost and reported as damage; what stands here is the first chunk.
            _pending = true;
            return;
        }

        try
        {
            MessagePackCursor cursor = new(_frames.Payload);
            Header = TraceRows.ReadHeader(ref cursor, out long version);
            RequireVersion(name, version);
        }
        catch (MalformedTraceException e)
        {
            _frames.AddFrameDamage(e.Message);
        }
    }

    /// <summary>Decodes the current frame; false when there is nothing to deliver.</summary>
    private bool DecodeFrame()
    {
        FrameHead head = _frames.Head;
        try
        {
            MessagePackCursor cursor = new(_frames.Payload);
            switch (head.Kind)
            {
                case TraceChunkKind.Events:
                    if (head.First <= LastSeq)
                    {
                        throw new MalformedTraceException($"event {LastSeq} has been there before it");
                    }

                    _decoder.Decode(_frames.Payload, head.First, (int)Math.Min(head.Count, int.MaxValue));
                    LastSeq = head.First + head.Count - 1;
                    break;
                case TraceChunkKind.Probes:
                    for (uint rows = RowCount(ref cursor, head); rows > 0; rows--)
                    {
                        _probes.Add(TraceRows.ReadProbe(ref cursor));
                    }

                    break;
                case TraceChunkKind.Symbols:
                    for (uint rows = RowCount(ref cursor, head); rows > 0; rows--)
                    {
                        _symbols.Add(TraceRows.ReadSymbol(ref cursor));
                    }

                    break;
                case TraceChunkKind.Console:
                    for (uint rows = RowCount(ref cursor, head); rows > 0; rows--)
                    {
                        _consoleLines.Add(TraceRows.ReadConsoleLine(ref cursor));
                    }

                    break;
                case TraceChunkKind.TextPokes:
                    for (uint rows = RowCount(ref cursor, head); rows > 0; rows--)
                    {
                        _textPokes.Add(TraceRows.ReadTextPoke(ref cursor));
                    }

                    break;
                case TraceChunkKind.Notes:
                    for (uint rows = RowCount(ref cursor, head); rows > 0; rows--)
                    {
                        _notes.Add(TraceRows.ReadNote(ref cursor));
                    }

                    break;
                case TraceChunkKind.Footer:
                    Footer = TraceRows.ReadFooter(ref cursor);
                    return false;
                default:
                    // A kind of a later minor addition: nothing of ours.
                    return false;
            }
        }
        catch (MalformedTraceException e)
        {
            _frames.AddFrameDamage(e.Message);
            return false;
        }

        Kind = head.Kind;
        return true;
    }

    private static uint RowCount(ref MessagePackCursor cursor, in FrameHead head)
    {
        int rows = cursor.ReadArrayHeader();
        return (uint)rows == head.Count
            ? head.Count
            : throw new MalformedTraceException($"{rows} rows where its head says {head.Count}");
    }

    private void NoteTheEnd()
    {
        if (Footer is null)
        {
            _frames.AddDamage(
                Length, 0, $"the trace has no footer: it was cut off, or its recording was killed, after event {LastSeq}");
        }
        else if (Footer.Events > LastSeq)
        {
            _frames.AddDamage(
                Length, 0, $"events {LastSeq + 1} to {Footer.Events} at the end of the trace are missing");
        }
    }

    private void ClearChunk()
    {
        Kind = TraceChunkKind.None;
        _decoder.Clear();
        _probes.Clear();
        _symbols.Clear();
        _consoleLines.Clear();
        _textPokes.Clear();
        _notes.Clear();
    }
}
