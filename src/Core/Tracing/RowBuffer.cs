namespace KprobeTrace.Tracing;

/// <summary>The rows of one kind that wait for their chunk.</summary>
internal sealed class RowBuffer(TraceChunkKind kind)
{
    internal TraceChunkKind Kind { get; } = kind;

    internal MessagePackSink Bytes { get; } = new();

    internal int Count { get; set; }

    internal void Clear()
    {
        Bytes.Clear();
        Count = 0;
    }
}
