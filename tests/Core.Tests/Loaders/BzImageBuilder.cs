using System.Buffers.Binary;
using System.IO.Compression;
using K4os.Compression.LZ4;

namespace KprobeTrace.Tests.Loaders;

/// <summary>Writes small bzImages and the payloads in them.</summary>
internal static class BzImageBuilder
{
    public const int PayloadOffset = 0x300;

    /// <summary>A bzImage with setup sectors behind the boot sector, 0 meaning 4, and the payload at 0x300 of its second part.</summary>
    public static byte[] Build(byte[] payload, byte setupSectors = 1)
    {
        int part = (PayloadOffset + payload.Length + 15) & -16;
        int setup = ((setupSectors == 0 ? 4 : setupSectors) + 1) * 512;
        byte[] file = new byte[setup + part];
        file[0x1F1] = setupSectors;
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(0x1F4), (uint)part / 16);
        file[0x1FE] = 0x55;
        file[0x1FF] = 0xAA;
        file[0x201] = 0x66;
        "HdrS"u8.CopyTo(file.AsSpan(0x202));
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x206), 0x020F);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x20E), 0x180);
        file[0x211] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(0x22C), 0x7FFF_FFFF);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x236), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(0x238), 2047);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(0x248), PayloadOffset);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(0x24C), (uint)payload.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(0x258), 0x100_0000);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(0x260), 0x10_0000);
        "6.1.0-test (someone) #1"u8.CopyTo(file.AsSpan(0x380));
        payload.CopyTo(file, setup + PayloadOffset);
        return file;
    }

    public static byte[] Gzip(byte[] plain)
    {
        MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Fastest))
        {
            gzip.Write(plain);
        }

        return packed.ToArray();
    }

    public static byte[] Zstd(byte[] plain)
    {
        using ZstdSharp.Compressor compressor = new();
        compressor.SetParameter(ZstdSharp.Unsafe.ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        return WithLength(compressor.Wrap(plain).ToArray(), plain.Length);
    }

    /// <summary>The legacy frame, in blocks of 8 MiB.</summary>
    public static byte[] Lz4(byte[] plain)
    {
        MemoryStream packed = new();
        Span<byte> word = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(word, 0x184C2102);
        packed.Write(word);
        for (int at = 0; at < plain.Length; at += 8 << 20)
        {
            ReadOnlySpan<byte> block = plain.AsSpan(at, Math.Min(8 << 20, plain.Length - at));
            byte[] target = new byte[LZ4Codec.MaximumOutputSize(block.Length)];
            int length = LZ4Codec.Encode(block, target, LZ4Level.L00_FAST);
            BinaryPrimitives.WriteUInt32LittleEndian(word, (uint)length);
            packed.Write(word);
            packed.Write(target, 0, length);
        }

        return WithLength(packed.ToArray(), plain.Length);
    }

    public static byte[] WithLength(byte[] packed, int length)
    {
        byte[] payload = new byte[packed.Length + 4];
        packed.CopyTo(payload, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(packed.Length), (uint)length);
        return payload;
    }
}
