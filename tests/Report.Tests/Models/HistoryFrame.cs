using System.Buffers.Binary;

namespace KprobeTrace.Tests.Report.Models;

/// <summary>A frame of a trace file, found by the offsets that docs/trace-format.md gives.</summary>
/// <param name="Offset">Where it begins.</param>
/// <param name="Length">How long it is.</param>
/// <param name="Kind">0 header, 1 events, 127 footer, others rows.</param>
/// <param name="First">Number of the first event, or of the next one to come.</param>
/// <param name="Count">Events or rows in it.</param>
internal sealed record HistoryFrame(int Offset, int Length, byte Kind, ulong First, uint Count)
{
    private const int HeadAndPayloadHead = 59;

    internal bool HasEvents => Kind == 1;

    internal bool IsChunk => Kind is not (0 or 127);

    /// <summary>The frames of a whole trace.</summary>
    internal static List<HistoryFrame> Of(ReadOnlySpan<byte> trace)
    {
        List<HistoryFrame> frames = [];
        for (int at = 0; at < trace.Length; at += frames[^1].Length)
        {
            ReadOnlySpan<byte> head = trace[at..];
            int payload = (int)BinaryPrimitives.ReadUInt32BigEndian(head[40..]);
            frames.Add(new HistoryFrame(
                at, HeadAndPayloadHead + payload, head[12], BinaryPrimitives.ReadUInt64BigEndian(head[21..]), BinaryPrimitives.ReadUInt32BigEndian(head[30..])));
        }

        return frames;
    }
}
