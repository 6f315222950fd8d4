using System.Buffers.Binary;
using System.IO.Compression;
using K4os.Compression.LZ4;
using ZstdSharp;

namespace KprobeTrace.Loaders;

/// <summary>Unpacks the compressed payload of a Linux bzImage.</summary>
/// <remarks>
/// The last four bytes of every payload hold the unpacked length, little-endian: gzip's own trailer has it there, and
/// the kernel's build appends it to the other formats. The length is checked before anything is allocated.
/// </remarks>
internal static class PayloadDecompressor
{
    /// <summary>Largest unpacked payload that is accepted, in bytes.</summary>
    public const int MaxUnpacked = 512 << 20;

    /// <summary>Bytes that one packed byte stands for at most: what gzip can do, and hundreds of times what any kernel has.</summary>
    private const uint MaxRatio = 1032;

    /// <summary>Unpacked bytes that are allocated whatever the ratio.</summary>
    private const uint AlwaysAccepted = 1 << 20;

    private const uint Lz4LegacyMagic = 0x184C2102;
    private const uint ZstdMagic = 0xFD2FB528;
    private const int Lz4BlockSize = 8 << 20;
    private const int LengthSize = 4;
    private const int GzipTrailer = 8;

    /// <summary>Names the format a payload begins like: <c>gzip</c>, <c>xz</c>, <c>lz4</c>, <c>zstd</c>, or null.</summary>
    public static string? FormatOf(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < 8)
        {
            return null;
        }

        if (payload[0] == 0x1F && payload[1] == 0x8B && payload[2] == 8)
        {
            return "gzip";
        }

        if (XzDecoder.HasMagic(payload))
        {
            return "xz";
        }

        return BinaryPrimitives.ReadUInt32LittleEndian(payload) switch
        {
            Lz4LegacyMagic => "lz4",
            ZstdMagic => "zstd",
            _ => null,
        };
    }

    /// <summary>Unpacks a payload whose format <see cref="FormatOf"/> knows.</summary>
    /// <param name="name">Name of the image, for messages.</param>
    /// <param name="payload">The payload with its trailing length.</param>
    /// <exception cref="KprobeTraceException">The payload is damaged, or its length is absurd.</exception>
    public static byte[] Unpack(string name, ReadOnlyMemory<byte> payload)
    {
        string format = FormatOf(payload.Span)
            ?? throw new KprobeTraceException($"{name}: the payload is in no known compressed format");
        uint declared = BinaryPrimitives.ReadUInt32LittleEndian(payload.Span[^LengthSize..]);
        if (declared is 0 or > MaxUnpacked)
        {
            throw new KprobeTraceException(
                $"{name}: the {format} payload declares {declared} bytes unpacked, where 1 to {MaxUnpacked} make sense;"
                + " the file is damaged or truncated");
        }

        if (declared > AlwaysAccepted && declared / MaxRatio > payload.Length)
        {
            throw new KprobeTraceException(
                $"{name}: the {format} payload declares {declared} bytes unpacked from {payload.Length}, which no kernel packs into so few;"
                + " the file is damaged or truncated");
        }

        int length = (int)declared;
        ReadOnlyMemory<byte> packed = payload[..^LengthSize];
        try
        {
            return format switch
            {
                "gzip" => Gunzip(name, payload, length),
                "xz" => XzDecoder.Decode(name, packed, length),
                "lz4" => DecodeLz4(name, packed.Span, length),
                _ => Unzstd(name, packed, length),
            };
        }
        catch (Exception e) when (e is InvalidDataException or ZstdException or EndOfStreamException)
        {
            throw new KprobeTraceException(
                $"{name}: the {format} payload is damaged; get the file again", e);
        }
        catch (OutOfMemoryException e)
        {
            throw new KprobeTraceException($"{name}: the host cannot provide the {length >> 20} MiB that the {format} payload unpacks to", e);
        }
    }

    private static byte[] Gunzip(string name, ReadOnlyMemory<byte> payload, int length)
    {
        using GZipStream gzip = new(AsStream(payload), CompressionMode.Decompress);
        byte[] output = ReadExactly(name, "gzip", gzip, length);
        uint stored = BinaryPrimitives.ReadUInt32LittleEndian(payload.Span[^GzipTrailer..]);
        return Checksums.Crc32(output) == stored
            ? output
            : throw new KprobeTraceException($"{name}: the gzip payload's checksum is wrong; get the file again");
    }

    private static byte[] Unzstd(string name, ReadOnlyMemory<byte> packed, int length)
    {
        using DecompressionStream zstd = new(AsStream(packed), bufferSize: 0, checkEndOfStream: true, leaveOpen: false);
        return ReadExactly(name, "zstd", zstd, length);
    }

    // The legacy frame has no checksum and no end mark: a magic number, then blocks of up to 8 MiB, each behind its length.
    private static byte[] DecodeLz4(string name, ReadOnlySpan<byte> packed, int length)
    {
        byte[] output = new byte[length];
        int written = 0;
        int at = 0;
        while (at < packed.Length)
        {
            uint size = packed.Length - at >= LengthSize ? BinaryPrimitives.ReadUInt32LittleEndian(packed[at..]) : 0;
            at += LengthSize;
            if (size == Lz4LegacyMagic)
            {
                continue;
            }

            if (size == 0 || at > packed.Length || size > (uint)(packed.Length - at))
            {
                throw new KprobeTraceException(
                    $"{name}: the lz4 payload is damaged: a block of {size} bytes at offset {at} does not fit into it;"
                    + " get the file again");
            }

            int room = Math.Min(Lz4BlockSize, length - written);
            int got = LZ4Codec.Decode(packed.Slice(at, (int)size), output.AsSpan(written, room));
            if (got < 0)
            {
                throw new KprobeTraceException(
                    $"{name}: the lz4 payload is damaged: the block at offset {at} does not unpack into {room} bytes;"
                    + " get the file again");
            }

            written += got;
            at += (int)size;
        }

        return written == length ? output : throw WrongLength(name, "lz4", written, length);
    }

    private static MemoryStream AsStream(ReadOnlyMemory<byte> bytes) => new(bytes.ToArray(), writable: false);

    private static byte[] ReadExactly(string name, string format, Stream from, int length)
    {
        byte[] output = new byte[length];
        int got = from.ReadAtLeast(output, length, throwOnEndOfStream: false);
        if (got != length)
        {
            throw WrongLength(name, format, got, length);
        }

        return from.ReadByte() < 0 ? output : throw WrongLength(name, format, "more", length);
    }

    private static KprobeTraceException WrongLength(string name, string format, object got, int length) => new(
        $"{name}: the {format} payload unpacks to {got} bytes where {length} are declared; get the file again");
}
