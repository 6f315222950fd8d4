namespace KprobeTrace.Tracing;

/// <summary>Writes a trace file, chunk by chunk, in bounded memory.</summary>
/// <remarks>
/// The same calls give the same bytes. Whole chunks reach the operating system as they are closed, so that a killed
/// process leaves a readable trace. The format is docs/trace-format.md. Not safe for use from several threads.
/// </remarks>
public sealed class TraceWriter : IDisposable
{
    /// <summary>Creates the file and writes the header; an existing file becomes <c>FILE.old</c>.</summary>
    /// <exception cref="KprobeTraceException">The file cannot be created.</exception>
    public static TraceWriter Create(string path, TraceHeader header, TraceWriterOptions? options = null)
    {
        _ = (path, header, options);
        throw new NotImplementedException();
    }

    /// <summary>Writes to a stream; <paramref name="name"/> stands for the file in error messages.</summary>
    public TraceWriter(Stream stream, string name, TraceHeader header, TraceWriterOptions? options = null)
    {
        _ = (stream, name, header, options);
    }

    /// <summary>Events written so far.</summary>
    public ulong EventCount { get; }

    /// <summary>Bytes handed to the file so far.</summary>
    public long BytesWritten { get; }

    /// <summary>Adds an event.</summary>
    /// <param name="e">The event; its <see cref="TraceEvent.Seq"/> is ignored.</param>
    /// <param name="arguments">The fetched arguments: empty, or exactly one MessagePack array with one value an
    /// argument of the probe (integer, str, bin for bytes that are no UTF-8, array, nil for what could not be read).</param>
    /// <param name="stack">Return addresses, innermost first; empty when none was taken.</param>
    /// <returns>The event's sequence number: 1 for the first.</returns>
    /// <exception cref="ArgumentException">The arguments are no well-formed MessagePack array.</exception>
    /// <exception cref="KprobeTraceException">The file could not be written (disk full …).</exception>
    public ulong WriteEvent(in TraceEvent e, ReadOnlySpan<byte> arguments, ReadOnlySpan<ulong> stack) =>
        throw new NotImplementedException();

    /// <summary>Adds a probe's definition. A later one with the same id replaces it for the reader.</summary>
    public void WriteProbe(TraceProbe probe) => throw new NotImplementedException();

    /// <summary>Adds a symbol. Those that <see cref="TraceWriterOptions.ResolveSymbol"/> gave need not be repeated.</summary>
    public void WriteSymbol(in TraceSymbol symbol) => throw new NotImplementedException();

    /// <summary>Adds a console line, without its line end.</summary>
    public void WriteConsoleLine(ulong timeNs, ulong instructions, ReadOnlySpan<byte> line) =>
        throw new NotImplementedException();

    /// <summary>Adds a change of code.</summary>
    public void WriteTextPoke(
        ulong timeNs, ulong instructions, ulong address, ReadOnlySpan<byte> old, ReadOnlySpan<byte> @new, string reason) =>
        throw new NotImplementedException();

    /// <summary>Adds a note: a miss, a limit, a refusal, a change of a probe's state.</summary>
    public void WriteNote(TraceNote note) => throw new NotImplementedException();

    /// <summary>
    /// Tells the writer how far the guest has run, so that pending events reach the file even when no further one
    /// comes. When and how often it is called does not change the file's bytes.
    /// </summary>
    public void Advance(ulong instructions) => throw new NotImplementedException();

    /// <summary>Writes what is pending and the footer, and closes the file.</summary>
    /// <exception cref="KprobeTraceException">The file could not be written.</exception>
    public void Complete(TraceFooter footer) => throw new NotImplementedException();

    /// <summary>Closes the file; without <see cref="Complete"/> what is pending is written but no footer.</summary>
    public void Dispose()
    {
    }
}
