using System.Buffers.Binary;
using System.IO.Hashing;
using MessagePack;

namespace KprobeTrace.Tracing;

/// <summary>The fixed-size beginning of every frame: what it holds, how long it is, checksums.</summary>
/// <remarks>
/// A frame is one MessagePack array of eleven elements, written with fixed-width forms so that every element has a
/// fixed offset (docs/trace-format.md, "Frames"). The head's own checksum makes the length trustworthy.
/// </remarks>
internal readonly record struct FrameHead(
    TraceChunkKind Kind,
    byte Codec,
    uint Index,
    ulong First,
    uint Count,
    uint RawLength,
    uint PackedLength,
    uint PayloadChecksum)
{
    /// <summary>Bytes from the frame's first to its payload's first.</summary>
    internal const int Size = 59;

    /// <summary>The payload is stored as it is.</summary>
    internal const byte Stored = 0;

    /// <summary>The payload is one zstd frame.</summary>
    internal const byte Zstandard = 1;

    /// <summary>Bytes that the head's checksum covers.</summary>
    internal const int Covered = 49;

    /// <summary>Offset of the format's version.</summary>
    internal const int VersionOffset = 10;

    /// <summary>How every frame begins: array of eleven, bin of eight, name and version of the format.</summary>
    internal static ReadOnlySpan<byte> Marker =>
    [
        MessagePackCode.MinFixArray | 11, MessagePackCode.Bin8, 8, (byte)'K', (byte)'P', (byte)'T', (byte)'R', (byte)'A', (byte)'C', (byte)'E', TraceFormat.Version,
    ];

    /// <summary>The version of the format that the bytes claim, or -1 when they are no frame of any version.</summary>
    internal static int ClaimedVersion(ReadOnlySpan<byte> bytes) =>
        bytes.Length > VersionOffset && bytes[3..VersionOffset].SequenceEqual(Marker[3..VersionOffset])
            ? bytes[VersionOffset]
            : -1;

    /// <summary>
    /// The version other than ours that a head claims whose checksum is right, or -1: no flipped bit, but another program.
    /// </summary>
    internal static int OtherVersion(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= Covered + 5
        && bytes[..VersionOffset].SequenceEqual(Marker[..VersionOffset])
        && bytes[VersionOffset] != TraceFormat.Version
        && Get32(bytes, Covered) == Crc32.HashToUInt32(bytes[..Covered])
            ? bytes[VersionOffset]
            : -1;

    internal void Write(Span<byte> target)
    {
        Marker.CopyTo(target);
        target[11] = MessagePackCode.UInt8;
        target[12] = (byte)Kind;
        target[13] = MessagePackCode.UInt8;
        target[14] = Codec;
        Put32(target, 15, Index);
        target[20] = MessagePackCode.UInt64;
        BinaryPrimitives.WriteUInt64BigEndian(target[21..], First);
        Put32(target, 29, Count);
        Put32(target, 34, RawLength);
        Put32(target, 39, PackedLength);
        Put32(target, 44, PayloadChecksum);
        Put32(target, Covered, Crc32.HashToUInt32(target[..Covered]));
        Put32(target, 54, PackedLength);
        target[54] = MessagePackCode.Bin32;
    }

    /// <summary>Reads a head; false unless it is one, whole and within the format's limits.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> source, out FrameHead head)
    {
        head = default;
        if (source.Length < Size || !source.StartsWith(Marker))
        {
            return false;
        }

        FrameHead read = new(
            (TraceChunkKind)source[12],
            source[14],
            Get32(source, 15),
            BinaryPrimitives.ReadUInt64BigEndian(source[21..]),
            Get32(source, 29),
            Get32(source, 34),
            Get32(source, 39),
            Get32(source, 44));
        if (read.PackedLength > TraceFormat.MaxPackedBytes || read.RawLength > TraceFormat.MaxRawBytes)
        {
            return false;
        }

        // Every byte of a head follows from its values, checksum and type bytes included.
        Span<byte> written = stackalloc byte[Size];
        read.Write(written);
        if (!written.SequenceEqual(source[..Size]))
        {
            return false;
        }

        head = read;
        return true;
    }

    private static void Put32(Span<byte> target, int offset, uint value)
    {
        target[offset] = MessagePackCode.UInt32;
        BinaryPrimitives.WriteUInt32BigEndian(target[(offset + 1)..], value);
    }

    private static uint Get32(ReadOnlySpan<byte> source, int offset) =>
        BinaryPrimitives.ReadUInt32BigEndian(source[(offset + 1)..]);
}
