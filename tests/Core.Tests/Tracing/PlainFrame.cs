namespace KprobeTrace.Tests.Tracing;

/// <summary>A frame of a trace with its payload unpacked.</summary>
internal sealed record PlainFrame(int Offset, int Kind, int Codec, uint Index, ulong First, uint Count, int Length, byte[] Payload);
