namespace KprobeTrace.Tracing;

/// <summary>Numbers of the trace format (docs/trace-format.md).</summary>
internal static class TraceFormat
{
    /// <summary>Version of the format that this library writes and reads.</summary>
    public const byte Version = 1;

    /// <summary>Most events a chunk may hold.</summary>
    public const int MaxEventsPerChunk = 65536;

    /// <summary>Most bytes a chunk's payload may have before compression.</summary>
    public const int MaxRawBytes = 32 << 20;

    /// <summary>Most bytes the payload of a header, a footer or a chunk of rows may have before compression.</summary>
    public const int MaxRowBytes = 4 << 20;

    /// <summary>Most bytes of one event's argument array.</summary>
    public const int MaxArgumentBytes = 1 << 20;

    /// <summary>Most return addresses of one event's stack.</summary>
    public const int MaxStackDepth = 1024;

    /// <summary>Most bytes of one console line, text or code change; longer ones are written in pieces or cut.</summary>
    public const int MaxTextBytes = 64 << 10;

    /// <summary>Deepest nesting of arrays and maps anywhere in a payload.</summary>
    public const int MaxDepth = 16;

    /// <summary>Name of the codec of compressed payloads.</summary>
    public const string CodecName = "zstd";

    /// <summary>Bytes an event chunk's arguments may reach before the writer closes it.</summary>
    internal const int ArgumentBytesPerChunk = 1 << 20;

    /// <summary>Stack entries an event chunk may reach before the writer closes it.</summary>
    internal const int StackEntriesPerChunk = 1 << 17;

    /// <summary>Bytes a chunk of rows may reach before the writer closes it.</summary>
    internal const int RowBytesPerChunk = 1 << 20;

    /// <summary>Most bytes a compressed payload may have: zstd's bound for <see cref="MaxRawBytes"/>, rounded up.</summary>
    internal const int MaxPackedBytes = MaxRawBytes + (MaxRawBytes >> 7);
}
