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
/// before the events that use them. Not safe for use from several threads.
/// </remarks>
public sealed class TraceReader : IDisposable
{
    /// <summary>Opens a trace file and reads its header.</summary>
    /// <exception cref="KprobeTraceException">There is no such file, or it is no trace, or one of a later version.</exception>
    public static TraceReader Open(string path) => throw new NotImplementedException();

    /// <summary>Reads from a stream that can seek; <paramref name="name"/> stands for the file in error messages.</summary>
    public TraceReader(Stream stream, string name)
    {
        _ = (stream, name);
        throw new NotImplementedException();
    }

    /// <summary>Reads a whole trace and reports what is missing or damaged.</summary>
    /// <exception cref="KprobeTraceException">There is no such file, or it is no trace, or one of a later version.</exception>
    public static TraceCheckReport Check(string path) => throw new NotImplementedException();

    /// <summary>The header.</summary>
    public TraceHeader Header { get; } = null!;

    /// <summary>Reads the next whole chunk; false at the end of the trace.</summary>
    /// <exception cref="KprobeTraceException">The file could not be read.</exception>
    public bool ReadChunk() => throw new NotImplementedException();

    /// <summary>What the current chunk holds.</summary>
    public TraceChunkKind Kind { get; }

    /// <summary>Events of the current chunk; valid until the next <see cref="ReadChunk"/>.</summary>
    public ReadOnlySpan<TraceEvent> Events => throw new NotImplementedException();

    /// <summary>Arguments of the current chunk's event <paramref name="index"/>: one MessagePack array, or empty.</summary>
    public ReadOnlySpan<byte> GetArguments(int index) => throw new NotImplementedException();

    /// <summary>Stack of the current chunk's event <paramref name="index"/>, innermost first, or empty.</summary>
    public ReadOnlySpan<ulong> GetStack(int index) => throw new NotImplementedException();

    /// <summary>Probe definitions of the current chunk.</summary>
    public IReadOnlyList<TraceProbe> Probes { get; } = [];

    /// <summary>Symbols of the current chunk.</summary>
    public IReadOnlyList<TraceSymbol> Symbols { get; } = [];

    /// <summary>Console lines of the current chunk.</summary>
    public IReadOnlyList<TraceConsoleLine> ConsoleLines { get; } = [];

    /// <summary>Code changes of the current chunk.</summary>
    public IReadOnlyList<TraceTextPoke> TextPokes { get; } = [];

    /// <summary>Notes of the current chunk.</summary>
    public IReadOnlyList<TraceNote> Notes { get; } = [];

    /// <summary>The footer, once <see cref="ReadChunk"/> has returned false; null when the trace was cut off.</summary>
    public TraceFooter? Footer { get; }

    /// <summary>What could not be read so far.</summary>
    public IReadOnlyList<TraceDamage> Damage { get; } = [];

    /// <summary>Bytes of the file read so far, for progress.</summary>
    public long Position { get; }

    /// <summary>Bytes in the file.</summary>
    public long Length { get; }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
    }
}
