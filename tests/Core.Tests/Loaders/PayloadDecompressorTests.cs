using System.Buffers.Binary;
using KprobeTrace.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

public sealed class PayloadDecompressorTests
{
    private static readonly byte[] _plain = MakePlain(100_000);

    public static TheoryData<string> Formats => ["gzip", "xz", "lz4", "zstd"];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Unpacks(string format)
    {
        byte[] payload = Pack(format);

        Assert.Equal(format, PayloadDecompressor.FormatOf(payload));
        Assert.Equal(PlainOf(format), PayloadDecompressor.Unpack("kernel", payload));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_length_that_nothing_packs_into_so_few_bytes_is_refused_before_room_is_made_for_it(string format)
    {
        byte[] payload = Pack(format);
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(payload.Length - 4), 500 << 20);
        AssertRefused(payload);

        long before = GC.GetAllocatedBytesForCurrentThread();
        AssertRefused(payload);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Unpacks_lz4_of_several_blocks()
    {
        byte[] plain = MakePlain((8 << 20) + 12345);

        Assert.Equal(plain, PayloadDecompressor.Unpack("kernel", BzImageBuilder.Lz4(plain)));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Every_truncation_is_one_clear_error(string format)
    {
        byte[] payload = Pack(format);

        for (int length = 8; length < payload.Length; length += 1 + (payload.Length / 40))
        {
            AssertRefused(payload[..length]);
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("xz")]
    [InlineData("zstd")]
    public void A_flipped_bit_in_the_data_is_noticed(string format)
    {
        byte[] payload = Pack(format);

        for (int at = 100; at < payload.Length - 4; at += 1 + (payload.Length / 30))
        {
            byte[] damaged = [.. payload];
            damaged[at] ^= 0x20;
            AssertRefused(damaged);
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_length_that_is_too_small_or_too_large_is_an_error(string format)
    {
        byte[] payload = Pack(format);

        foreach (uint length in (uint[])[0, 1, (uint)_plain.Length + 1, 400_000_000, uint.MaxValue])
        {
            BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(payload.Length - 4), length);
            AssertRefused(payload);
        }
    }

    [Fact]
    public void A_damaged_lz4_block_length_is_an_error()
    {
        byte[] payload = BzImageBuilder.Lz4(_plain);
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(4), 0x7FFF_FFFF);

        AssertRefused(payload);
    }

    [Fact]
    public void Other_bytes_are_of_no_known_format()
    {
        Assert.Null(PayloadDecompressor.FormatOf("BZh91AY&SY"u8));
        Assert.Null(PayloadDecompressor.FormatOf([]));
    }

    private static byte[] PlainOf(string format) => format == "xz" ? XzSample.Plain : _plain;

    private static byte[] Pack(string format) => format switch
    {
        "gzip" => BzImageBuilder.Gzip(_plain),
        "lz4" => BzImageBuilder.Lz4(_plain),
        "zstd" => BzImageBuilder.Zstd(_plain),
        _ => BzImageBuilder.WithLength(XzSample.Read("branch.xz"), XzSample.Plain.Length),
    };

    private static byte[] MakePlain(int length)
    {
        byte[] plain = new byte[length];
        for (int i = 0; i < plain.Length; i++)
        {
            plain[i] = (byte)((i * i >> 7) ^ (i >> 3));
        }

        return plain;
    }

    private static void AssertRefused(byte[] payload)
    {
        KprobeTraceException error = Assert.Throws<KprobeTraceException>(
            () => PayloadDecompressor.Unpack("kernel", payload));
        Assert.StartsWith("kernel: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }
}
