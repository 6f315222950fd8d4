using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using K4os.Compression.LZ4;
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

        foreach (uint length in (uint[])[0, 1, (uint)PlainOf(format).Length - 1, (uint)PlainOf(format).Length + 1, 400_000_000, uint.MaxValue])
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

    /// <summary>
    /// Frames of the old format by hand: M is its magic number, a number the length of a block, and what stands between quotes a block
    /// of so many literals; + is a byte of no use.
    /// </summary>
    [Theory]
    [InlineData("M 4 'abc'", 3, null)]
    [InlineData("M 4 'abc' 3 'de'", 5, null)]
    [InlineData("M 4 'abc' M 3 'de'", 5, null)]
    [InlineData("M 4 'abc' 3 'de' M", 5, null)]
    [InlineData("M M 4 'abc'", 3, null)]
    [InlineData("M 4 'abc'", 2, "does not unpack into 2 bytes")]
    [InlineData("M 4 'abc'", 4, "unpacks to 3 bytes where 4 are declared")]
    [InlineData("M 4 'abc' 3 'de'", 4, "the block at offset 16 does not unpack into 1 bytes")]
    [InlineData("M 4 'abc' 3 'de'", 3, "the block at offset 16 does not unpack into 0 bytes")]
    [InlineData("M 5 'abc'", 3, "a block of 5 bytes at offset 8 does not fit")]
    [InlineData("M 3 'abc'", 3, "the block at offset 8 does not unpack into 3 bytes")]
    [InlineData("M 4 'abc' +", 3, "a block of 0 bytes at offset 16 does not fit")]
    [InlineData("M 4 'abc' + + +", 3, "a block of 0 bytes at offset 16 does not fit")]
    [InlineData("M 4 'abc' 0", 3, "a block of 0 bytes at offset 16 does not fit")]
    [InlineData("M 4 'abc' 1", 3, "a block of 1 bytes at offset 16 does not fit")]
    [InlineData("M 0 4 'abc'", 3, "a block of 0 bytes at offset 8 does not fit")]
    public void Blocks_of_lz4_fill_the_frame_and_what_is_declared(string frame, int length, string? said)
    {
        List<byte> packed = [];
        foreach (string word in frame.Split(' '))
        {
            packed.AddRange(word switch
            {
                "M" => [0x02, 0x21, 0x4C, 0x18],
                "+" => [1],
                _ when word[0] == '\'' => [(byte)((word.Length - 2) << 4), .. Encoding.ASCII.GetBytes(word.Trim('\''))],
                _ => BitConverter.GetBytes(int.Parse(word, CultureInfo.InvariantCulture)),
            });
        }

        byte[] payload = BzImageBuilder.WithLength([.. packed], length);
        if (said is null)
        {
            Assert.Equal("abcde"[..length], Encoding.ASCII.GetString(PayloadDecompressor.Unpack("kernel", payload)));
        }
        else
        {
            Assert.Contains(said, AssertRefused(payload), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void A_block_of_lz4_unpacks_to_8_MiB_at_most(int more, bool isAccepted)
    {
        byte[] plain = new byte[(8 << 20) + more];
        byte[] packed = new byte[LZ4Codec.MaximumOutputSize(plain.Length)];
        int length = LZ4Codec.Encode(plain, packed, LZ4Level.L00_FAST);
        byte[] payload = BzImageBuilder.WithLength([0x02, 0x21, 0x4C, 0x18, .. BitConverter.GetBytes(length), .. packed.AsSpan(0, length)], plain.Length);

        if (isAccepted)
        {
            Assert.Equal(plain, PayloadDecompressor.Unpack("kernel", payload));
        }
        else
        {
            Assert.Contains("does not unpack into 8388608 bytes", AssertRefused(payload), StringComparison.Ordinal);
        }
    }

    /// <summary>Zeros as zstd packs them, and a frame to be skipped that makes the payload so long.</summary>
    [Theory]
    [InlineData(1 << 20, 100, null)]
    [InlineData((1 << 20) + 1, 100, "which no kernel packs into so few")]
    [InlineData(2000 * 1032, 2000, null)]
    [InlineData((2001 * 1032) - 1, 2000, null)]
    [InlineData(2001 * 1032, 2000, "which no kernel packs into so few")]
    [InlineData(2000 * 1032, 1999, "which no kernel packs into so few")]
    public void A_byte_stands_for_1032_at_most_beyond_the_first_MiB(int length, int payloadLength, string? said)
    {
        byte[] frame = BzImageBuilder.Zstd(new byte[length])[..^4];
        byte[] skipped = new byte[payloadLength - 4 - frame.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(skipped, 0x184D2A50);
        BinaryPrimitives.WriteUInt32LittleEndian(skipped.AsSpan(4), (uint)(skipped.Length - 8));
        byte[] payload = BzImageBuilder.WithLength([.. frame, .. skipped], length);

        if (said is null)
        {
            Assert.Equal(length, PayloadDecompressor.Unpack("kernel", payload).Length);
        }
        else
        {
            Assert.Contains(said, AssertRefused(payload), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0u, "declares 0 bytes unpacked, where 1 to 536870912 make sense")]
    [InlineData(512u << 20, "which no kernel packs into so few")]
    [InlineData((512u << 20) + 1, "where 1 to 536870912 make sense")]
    public void A_payload_unpacks_to_512_MiB_at_most(uint length, string said) => Assert.All((string[])["gzip", "xz", "lz4", "zstd"], format =>
    {
        byte[] payload = Pack(format);
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(payload.Length - 4), length);

        Assert.Contains($"the {format} payload declares {length} bytes unpacked", AssertRefused(payload), StringComparison.Ordinal);
        Assert.Contains(said, AssertRefused(payload), StringComparison.Ordinal);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Frame_of_zstd_that_lacks_its_end_is_refused_though_all_bytes_are_there(int missing)
    {
        byte[] payload = Pack("zstd");

        AssertRefused(BzImageBuilder.WithLength(payload[..^(4 + missing)], _plain.Length));
    }

    [Fact]
    public void Checksum_of_gzip_covers_its_bytes()
    {
        byte[] payload = Pack("gzip");
        payload[^8] ^= 1;

        Assert.Contains("the gzip payload is damaged", AssertRefused(payload), StringComparison.Ordinal);
        Assert.Contains("checksum is wrong", AssertRefused([.. Pack("gzip"), 0, 0, 0, 0, .. payload[^4..]]), StringComparison.Ordinal);
        Assert.Equal(_plain, PayloadDecompressor.Unpack("kernel", (byte[])[.. Pack("gzip"), .. Pack("gzip")[^8..]]));
    }

    [Theory]
    [InlineData("gzip", "1F8B080000000000")]
    [InlineData("xz", "FD377A585A000000")]
    [InlineData("lz4", "02214C1800000000")]
    [InlineData("zstd", "28B52FFD00000000")]
    public void Format_is_known_by_its_magic_number_and_eight_bytes(string format, string start)
    {
        byte[] bytes = Convert.FromHexString(start);

        Assert.Equal(format, PayloadDecompressor.FormatOf(bytes));
        Assert.Equal(format, PayloadDecompressor.FormatOf([.. bytes, 1]));
        Assert.Null(PayloadDecompressor.FormatOf(bytes.AsSpan(0, 7)));
        for (int at = 0; at < (format switch { "gzip" => 3, "xz" => 6, _ => 4 }); at++)
        {
            byte[] other = [.. bytes];
            other[at] ^= 1;
            Assert.Null(PayloadDecompressor.FormatOf(other));
        }
    }

    [Fact]
    public void Other_bytes_are_of_no_known_format()
    {
        Assert.Null(PayloadDecompressor.FormatOf("BZh91AY&SY"u8));
        Assert.Null(PayloadDecompressor.FormatOf([]));
        Assert.Contains("in no known compressed format", AssertRefused([.. "BZh91AY&SY"u8, 1, 0, 0, 0]), StringComparison.Ordinal);
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

    private static string AssertRefused(byte[] payload)
    {
        KprobeTraceException error = Assert.Throws<KprobeTraceException>(
            () => PayloadDecompressor.Unpack("kernel", payload));
        Assert.StartsWith("kernel: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        return error.Message;
    }
}
