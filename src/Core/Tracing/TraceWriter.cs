using KprobeTrace.Files;

namespace KprobeTrace.Tracing;

/// <summary>Writes a trace file, chunk by chunk, in bounded memory.</summary>
/// <remarks>
/// The same calls give the same bytes. Whole chunks reach the operating system as they are closed, so that a killed
/// process leaves a readable trace. The format is docs/trace-format.md. Not safe for use from several threads.
/// </remarks>
internal sealed class TraceWriter : IDisposable
{
    /// <summary>Addresses whose symbols are asked for; beyond it new ones go without, so that memory stays bounded.</summary>
    internal const int MaxAddresses = 1 << 20;

    private readonly FrameWriter _frames;
    private readonly TraceWriterOptions _options;
    private readonly EventEncoder _events;
    private readonly MessagePackSink _payload = new();
    private readonly HashSet<ulong> _addresses = [];
    private readonly Dictionary<ulong, TraceSymbol> _symbolsWritten = [];

    // In the order in which a flush writes them: what events refer to comes before the events.
    private readonly RowBuffer _probes = new(TraceChunkKind.Probes);
    private readonly RowBuffer _symbols = new(TraceChunkKind.Symbols);
    private readonly RowBuffer _console = new(TraceChunkKind.Console);
    private readonly RowBuffer _pokes = new(TraceChunkKind.TextPokes);
    private readonly RowBuffer _notes = new(TraceChunkKind.Notes);
    private ulong _eventsInChunks;
    private ulong _chunks;
    private ulong _nextFlush;
    private bool _closed;

    /// <summary>Writes to a stream; <paramref name="name"/> stands for the file in error messages.</summary>
    /// <exception cref="KprobeTraceException">The header could not be written.</exception>
    public TraceWriter(Stream stream, string name, TraceHeader header, TraceWriterOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(header);
        _options = options ?? new TraceWriterOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.EventsPerChunk, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(_options.EventsPerChunk, TraceFormat.MaxEventsPerChunk);
        ArgumentOutOfRangeException.ThrowIfZero(_options.InstructionsPerFlush);
        _nextFlush = _options.InstructionsPerFlush;
        _frames = new FrameWriter(stream, name);
        _events = new EventEncoder(_options.EventsPerChunk, _options.ResolveSymbol is null ? null : NameAddress);
        TraceRows.Write(_payload, header);
        _frames.Write(TraceChunkKind.None, 1, 1, _payload.Written, compress: false);
    }

    /// <summary>Events written so far.</summary>
    public ulong EventCount => _eventsInChunks + (ulong)_events.Count;

    /// <summary>Bytes handed to the file so far.</summary>
    public long BytesWritten => _frames.BytesWritten;

    /// <summary>Creates the file and writes the header; an existing file becomes <c>FILE.old</c>.</summary>
    /// <exception cref="KprobeTraceException">The file cannot be created.</exception>
    public static TraceWriter Create(string path, TraceHeader header, TraceWriterOptions? options = null)
    {
        FileName.Require(path, "trace");
        FileStream? stream = null;
        try
        {
            string target = OutputFile.Follow(path);
            stream = OutputFile.IsOrdinary(target)
                ? CreateOrdinary(path, target)
                : new FileStream(target, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
            return new TraceWriter(stream, path, header, options);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new KprobeTraceException(
                Directory.Exists(path)
                    ? $"{path}: is a directory; name the trace's file with -o"
                    : $"{path}: cannot create the trace: {FileErrors.Reason(e)}; choose another place with -o",
                e);
        }
        catch
        {
            stream?.Dispose();
            throw;
        }
    }

    /// <summary>Creates the file and marks it as being written; what stood there is moved away, unless it is being written too.</summary>
    private static FileStream CreateOrdinary(string path, string target)
    {
        if (File.Exists(target))
        {
            using (FileStream old = InputFile.Open(target, "trace"))
            {
                if (OutputFile.IsBeingWritten(old))
                {
                    throw new KprobeTraceException($"{path}: another kprobe-record is writing it; name another file with -o");
                }
            }

            File.Move(target, target + ".old", overwrite: true);
        }

        FileStream stream = new(target, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
        _ = OutputFile.TryMark(stream);
        return stream;
    }

    /// <summary>Adds an event.</summary>
    /// <param name="e">The event; its <see cref="TraceEvent.Seq"/> is ignored.</param>
    /// <param name="arguments">The fetched arguments: empty, or exactly one MessagePack array with one value an
    /// argument of the probe (integer, str, bin for bytes that are no UTF-8, array, nil for what could not be read).</param>
    /// <param name="stack">Return addresses, innermost first, at most <see cref="TraceFormat.MaxStackDepth"/>; empty
    /// when none was taken.</param>
    /// <returns>The event's sequence number: 1 for the first.</returns>
    /// <exception cref="ArgumentException">The arguments are no well-formed MessagePack array or too long, the stack
    /// is too deep, or the entry does not lie before the event.</exception>
    /// <exception cref="KprobeTraceException">The file could not be written (disk full …).</exception>
    public ulong WriteEvent(in TraceEvent e, ReadOnlySpan<byte> arguments, ReadOnlySpan<ulong> stack)
    {
        ulong seq = EventCount + 1;
        if (e.EntrySeq >= seq || e.EntryTimeNs > e.TimeNs || e.Kind > TraceEventKind.Return)
        {
            ThrowBadEvent();
        }

        if (!arguments.IsEmpty)
        {
            CheckArguments(arguments);
        }

        if (stack.Length > TraceFormat.MaxStackDepth)
        {
            throw new ArgumentException($"a stack has at most {TraceFormat.MaxStackDepth} entries", nameof(stack));
        }

        Advance(e.Instructions);
        if (_events.Full)
        {
            FlushEvents();
        }

        _events.Add(in e, seq, arguments, stack);
        return seq;
    }

    /// <summary>Adds a probe's definition. A later one with the same id replaces it for the reader.</summary>
    public void WriteProbe(TraceProbe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        ArgumentOutOfRangeException.ThrowIfNegative(probe.Id, nameof(probe));
        TraceRows.Write(_probes.Bytes, probe);
        Added(_probes);
    }

    /// <summary>Adds a symbol. Those that <see cref="TraceWriterOptions.ResolveSymbol"/> gave need not be repeated.</summary>
    public void WriteSymbol(in TraceSymbol symbol)
    {
        TraceRows.Write(_symbols.Bytes, symbol with { Name = Clip(symbol.Name) });
        _symbolsWritten[symbol.Address] = symbol;
        Added(_symbols);
    }

    /// <summary>
    /// Other code than so far lies at a stretch of addresses, a module's for instance: the events before this are closed, and
    /// those behind it have the addresses named anew.
    /// </summary>
    /// <param name="start">The first address.</param>
    /// <param name="end">The address behind the last.</param>
    public void ForgetSymbols(ulong start, ulong end)
    {
        _addresses.RemoveWhere(a => a >= start && a < end);
        ulong[] written = [.. _symbolsWritten.Keys.Where(a => a >= start && a < end)];
        if (Array.TrueForAll(written, a => _options.ResolveSymbol?.Invoke(a) == _symbolsWritten[a]))
        {
            // The same module at the same place.
            return;
        }

        FlushEvents();
        foreach (ulong address in written)
        {
            _symbolsWritten.Remove(address);
        }
    }

    /// <summary>Adds a console line, without its line end. One beyond <see cref="TraceFormat.MaxTextBytes"/> becomes
    /// several.</summary>
    public void WriteConsoleLine(ulong timeNs, ulong instructions, ReadOnlySpan<byte> line)
    {
        Advance(instructions);
        do
        {
            ReadOnlySpan<byte> piece = line[..Math.Min(line.Length, TraceFormat.MaxTextBytes)];
            line = line[piece.Length..];
            MessagePackSink writer = _console.Bytes;
            writer.WriteArrayHeader(3);
            writer.Write(timeNs);
            writer.Write(instructions);
            writer.Write(piece);
            Added(_console);
        }
        while (!line.IsEmpty);
    }

    /// <summary>Adds a change of code. One beyond <see cref="TraceFormat.MaxTextBytes"/> becomes several.</summary>
    /// <exception cref="ArgumentException">Old and new bytes differ in number.</exception>
    public void WriteTextPoke(
        ulong timeNs, ulong instructions, ulong address, ReadOnlySpan<byte> old, ReadOnlySpan<byte> replacement, string reason)
    {
        ArgumentNullException.ThrowIfNull(reason);
        if (old.Length != replacement.Length)
        {
            throw new ArgumentException("a change of code has as many bytes before as after", nameof(replacement));
        }

        Advance(instructions);
        for (int start = 0; start == 0 || start < old.Length; start += TraceFormat.MaxTextBytes)
        {
            int length = Math.Min(old.Length - start, TraceFormat.MaxTextBytes);
            MessagePackSink writer = _pokes.Bytes;
            writer.WriteArrayHeader(6);
            writer.Write(timeNs);
            writer.Write(instructions);
            writer.Write(address + (ulong)start);
            writer.Write(old.Slice(start, length));
            writer.Write(replacement.Slice(start, length));
            writer.Write(Clip(reason));
            Added(_pokes);
        }
    }

    /// <summary>Adds a note: a miss, a limit, a refusal, a change of a probe's state.</summary>
    public void WriteNote(TraceNote note)
    {
        ArgumentNullException.ThrowIfNull(note);
        Advance(note.Instructions);
        TraceRows.Write(_notes.Bytes, note with { Text = Clip(note.Text) });
        Added(_notes);
    }

    /// <summary>
    /// Tells the writer how far the guest has run, so that pending events reach the file even when no further one
    /// comes. Everything pending is written when a multiple of
    /// <see cref="TraceWriterOptions.InstructionsPerFlush"/> has been crossed.
    /// </summary>
    public void Advance(ulong instructions)
    {
        if (instructions >= _nextFlush)
        {
            FlushPeriod(instructions);
        }
    }

    /// <summary>Writes what is pending and the footer, and closes the file.</summary>
    /// <exception cref="KprobeTraceException">The file could not be written.</exception>
    public void Complete(TraceFooter footer)
    {
        ArgumentNullException.ThrowIfNull(footer);
        Flush();
        _payload.Clear();
        TraceRows.Write(_payload, footer with { Events = EventCount, Chunks = _chunks });
        _frames.Write(TraceChunkKind.Footer, EventCount + 1, 1, _payload.Written, compress: false);
        Close();
    }

    /// <summary>Closes the file; without <see cref="Complete"/> what is pending is written but no footer.</summary>
    public void Dispose()
    {
        if (_closed)
        {
            return;
        }

        try
        {
            Flush();
        }
        catch (KprobeTraceException)
        {
            // The call that failed first has reported it; closing must not hide that.
        }
        finally
        {
            Close();
        }
    }

    private static void ThrowBadEvent() =>
        throw new ArgumentException("the entry of an event must lie before it, and its kind be one of the four");

    private static string Clip(string text) =>
        text.Length <= TraceFormat.MaxTextBytes / 4 ? text : text[..(TraceFormat.MaxTextBytes / 4)];

    private static void CheckArguments(ReadOnlySpan<byte> arguments)
    {
        if (arguments.Length > TraceFormat.MaxArgumentBytes)
        {
            throw new ArgumentException(
                $"an event's arguments take at most {TraceFormat.MaxArgumentBytes} bytes", nameof(arguments));
        }

        try
        {
            MessagePackCursor cursor = new(arguments);
            cursor.SkipArray();
            if (cursor.AtEnd)
            {
                return;
            }
        }
        catch (MalformedTraceException e)
        {
            throw new ArgumentException($"the arguments are no MessagePack array: {e.Message}", nameof(arguments), e);
        }

        throw new ArgumentException("bytes follow the arguments' array", nameof(arguments));
    }

    private void NameAddress(ulong address)
    {
        if (_addresses.Count >= MaxAddresses || !_addresses.Add(address))
        {
            return;
        }

        TraceSymbol? symbol = _options.ResolveSymbol!(address);
        if (symbol is { } found && !_symbolsWritten.ContainsKey(found.Address))
        {
            WriteSymbol(found);
        }
    }

    private void Added(RowBuffer rows)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        rows.Count++;
        if (rows.Bytes.Length >= TraceFormat.RowBytesPerChunk)
        {
            FlushRows(rows);
        }
    }

    private void FlushPeriod(ulong instructions)
    {
        Flush();
        ulong period = instructions / _options.InstructionsPerFlush;
        _nextFlush = period == ulong.MaxValue / _options.InstructionsPerFlush
            ? ulong.MaxValue
            : (period + 1) * _options.InstructionsPerFlush;
    }

    private void Flush()
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        FlushEvents();
        FlushRows(_console);
        FlushRows(_pokes);
        FlushRows(_notes);
    }

    private void FlushEvents()
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        FlushRows(_probes);
        FlushRows(_symbols);
        if (_events.Count == 0)
        {
            return;
        }

        int count = _events.Count;
        _payload.Clear();
        _events.Take(_payload);
        _frames.Write(TraceChunkKind.Events, _eventsInChunks + 1, count, _payload.Written, compress: true);
        _eventsInChunks += (ulong)count;
        _chunks++;
    }

    private void FlushRows(RowBuffer rows)
    {
        if (rows.Count == 0)
        {
            return;
        }

        _payload.Clear();
        _payload.WriteLongArrayHeader(rows.Count);
        _payload.Append(rows.Bytes.Written);
        _frames.Write(rows.Kind, _eventsInChunks + 1, rows.Count, _payload.Written, compress: true);
        rows.Clear();
        _chunks++;
    }

    private void Close()
    {
        _closed = true;
        _frames.Dispose();
        _events.Dispose();
    }
}
