using System.Buffers.Binary;
using System.Security.Cryptography;
using KprobeTrace.Loaders;
using KprobeTrace.Tests.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

/// <summary>
/// Every field of an .xz stream (the .xz file format 1.2.1, sections 2 to 5) at its limits, in streams whose LZMA2 data is stored as it
/// is: a control byte, 1 with and 2 without a new dictionary, a length less one of 16 bits, and the bytes.
/// </summary>
public sealed class XzContainerTests
{
    private const string X86 = "04 00 ";
    private const string Lzma2 = "21 01 00";

    /// <summary>Sixteen bytes of which none repeats, 5,000 zeros and the sixteen bytes again, as xz packs them with a dictionary of 8 KiB.</summary>
    private const string FarData =
        "e013a700335d000083fef30921c952c81b2cdd0357791c591c65e2189070fda446733eea9776924da375ef5eba46a60f8538f3e63f1f98df000000";

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(0xFFFF)]
    [InlineData(0x10000)]
    public void Stored_bytes_are_unpacked(int length)
    {
        byte[] plain = Bytes(length);

        Assert.Equal(plain, Decode(Stream(0, Block(Lzma2, Stored(plain), plain)), length));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(10)]
    public void Blocks_of_any_length_follow_each_other_with_their_checks(byte check)
    {
        byte[][] parts = [Bytes(5), Bytes(6), Bytes(7), Bytes(8), Bytes(300), []];
        byte[] plain = [.. parts.SelectMany(static p => p)];
        byte[] stream = Stream(check, [.. parts.Select(p => Block(Lzma2, p.Length == 0 ? [0] : Stored(p), p))]);

        Assert.Equal(plain, Decode(stream, plain.Length));
    }

    [Fact]
    public void Chunks_of_a_block_follow_each_other_with_and_without_a_new_dictionary()
    {
        byte[] plain = Bytes(12);
        byte[] data = [1, 0, 4, .. plain[..5], 2, 0, 2, .. plain[5..8], 1, 0, 3, .. plain[8..], 0];

        Assert.Equal(plain, Decode(Stream(0, Block(Lzma2, data, plain)), 12));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(0x7F)]
    public void Control_byte_between_those_of_stored_and_packed_chunks_is_impossible(byte control)
    {
        byte[] data = [1, 0, 0, 7, control, 0, 0, 8, 0];

        Refuses($"impossible control byte {control:x2}", Stream(0, Block(Lzma2, data, [7, 8])), 2);
    }

    [Theory]
    [InlineData(9, "unpacks to more than the 9 bytes declared")]
    [InlineData(11, "unpacks to 10 bytes where 11 are declared")]
    public void Length_is_that_of_all_blocks(int declared, string said)
    {
        byte[] plain = Bytes(10);

        Refuses(said, Stream(0, Block(Lzma2, Stored(plain[..6]), plain[..6]), Block(Lzma2, Stored(plain[6..]), plain[6..])), declared);
    }

    [Theory]
    [InlineData(14, 10, true)]
    [InlineData(13, 10, false)]
    [InlineData(15, 10, false)]
    [InlineData(14, 9, false)]
    [InlineData(14, 11, false)]
    [InlineData(14, null, true)]
    [InlineData(null, 10, true)]
    [InlineData(15, null, false)]
    [InlineData(null, 11, false)]
    public void Sizes_in_a_blocks_header_are_those_of_its_data(int? packed, int? unpacked, bool isSound)
    {
        byte[] plain = Bytes(10);
        byte[] stream = Stream(0, Block(Lzma2, Stored(plain), plain, packed, unpacked));

        if (isSound)
        {
            Assert.Equal(plain, Decode(stream, 10));
        }
        else
        {
            Refuses("a block's sizes disagree with its data", stream, 10);
        }
    }

    /// <summary>A size of ten written with as many bytes.</summary>
    [Theory]
    [InlineData(1, null)]
    [InlineData(9, null)]
    [InlineData(10, "a number in its headers is cut off")]
    public void Number_has_nine_bytes_at_most(int bytes, string? said)
    {
        byte[] plain = Bytes(10);
        byte[] number = bytes == 1 ? [10] : [0x8A, .. Enumerable.Repeat((byte)0x80, bytes - 2), 0];
        byte[] header = Header([0x80, .. number, 0x21, 1, 0]);
        byte[] stream = Stream(0, new Part(header, Stored(plain), plain));

        if (said is null)
        {
            Assert.Equal(plain, Decode(stream, 10));
        }
        else
        {
            Refuses(said, stream, 10);
        }
    }

    [Theory]
    [InlineData(X86 + Lzma2, 1, null)]
    [InlineData("04 04 00 00 00 00 " + Lzma2, 1, null)]
    [InlineData("04 03 00 00 00 " + Lzma2, 1, "it uses filter 4,")]
    [InlineData("04 05 00 00 00 00 00 " + Lzma2, 1, "it uses filter 4,")]
    [InlineData(Lzma2 + " " + Lzma2, 1, "it uses filter 21,")]
    [InlineData("03 01 00 " + Lzma2, 1, "it uses filter 3,")]
    [InlineData(X86, 0, "it uses filter 4,")]
    [InlineData(X86 + X86, 1, "it uses filter 4,")]
    [InlineData(X86 + X86 + Lzma2, 2, "it uses filter 4,")]
    [InlineData("21 01 28", 0, null)]
    [InlineData("21 01 29", 0, "it uses filter 21,")]
    [InlineData("21 00", 0, "it uses filter 21,")]
    [InlineData("21 02 00 00", 0, "it uses filter 21,")]
    [InlineData("22 01 00", 0, "it uses filter 22,")]
    [InlineData("21 7F 00", 0, "a filter's properties reach beyond the block header")]
    [InlineData("21 08 00", 0, "it uses filter 21,")]
    [InlineData("21 09 00", 0, "a filter's properties reach beyond the block header")]
    public void Filters_are_LZMA2_alone_or_behind_that_of_x86(string filters, byte countLessOne, string? said)
    {
        // A header of sixteen bytes has eight behind the first filter's name and size, before its checksum.
        byte[] plain = Bytes(10);
        byte[] stream = Stream(0, new Part(Header([countLessOne, .. Convert.FromHexString(filters.Replace(" ", "", StringComparison.Ordinal))], least: 16), Stored(plain), plain));

        if (said is null)
        {
            Assert.Equal(plain, Decode(stream, 10));
        }
        else
        {
            Refuses(said, stream, 10);
        }
    }

    [Theory]
    [InlineData(0, 0, null)]
    [InlineData(1, 0, "stream header")]
    [InlineData(0, 2, "check type 2")]
    [InlineData(0, 11, "check type 11")]
    [InlineData(0, 0x10, "check type 16")]
    public void Flags_of_the_stream_are_a_zero_and_a_known_check(byte first, byte second, string? said)
    {
        byte[] plain = Bytes(4);
        byte[] stream = Stream(0, Block(Lzma2, Stored(plain), plain));
        stream[6] = first;
        stream[7] = second;
        BinaryPrimitives.WriteUInt32LittleEndian(stream.AsSpan(8), PlainTrace.Crc32(stream.AsSpan(6, 2)));

        if (said is null)
        {
            Assert.Equal(plain, Decode(stream, 4));
        }
        else
        {
            Refuses(first != 0 ? "check type 0" : said, stream, 4);
        }
    }

    [Fact]
    public void Padding_of_a_block_is_zero()
    {
        byte[] plain = Bytes(5);
        byte[] stream = Stream(0, Block(Lzma2, Stored(plain), plain));

        // 12 bytes of the stream's header, 12 of the block's, 9 of data.
        for (int at = 33; at < 36; at++)
        {
            byte[] damaged = [.. stream];
            Assert.Equal(0, damaged[at]);
            damaged[at] = 1;
            Refuses("a block's padding is not zero", damaged, 5);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(10)]
    public void Check_of_a_block_covers_its_bytes(byte check)
    {
        byte[] stream = Stream(check, Block(Lzma2, Stored(Bytes(5)), Bytes(6)[1..]));

        Refuses("the unpacked data's checksum is wrong", stream, 5);
    }

    /// <summary>Records of the index: how many, and what is said of the second block.</summary>
    [Theory]
    [InlineData(0, 0, 0, null)]
    [InlineData(-1, 0, 0, "index disagrees")]
    [InlineData(1, 0, 0, "index disagrees")]
    [InlineData(0, 1, 0, "index disagrees")]
    [InlineData(0, -1, 0, "index disagrees")]
    [InlineData(0, 0, 1, "index disagrees")]
    [InlineData(0, 0, -1, "index disagrees")]
    public void Index_has_a_record_for_each_block(int count, int unpadded, int unpacked, string? said)
    {
        byte[] plain = Bytes(300);
        Part[] blocks = [Block(Lzma2, Stored(plain[..40]), plain[..40]), Block(Lzma2, Stored(plain[40..]), plain[40..])];
        byte[] stream = Stream(1, blocks, (count, unpadded, unpacked));

        if (said is null)
        {
            Assert.Equal(plain, Decode(stream, 300));
        }
        else
        {
            Refuses(said, stream, 300);
        }
    }

    [Fact]
    public void Every_byte_is_needed_and_what_follows_the_stream_is_not_read()
    {
        byte[] plain = Bytes(9);
        byte[] stream = Stream(4, Block(Lzma2, Stored(plain), plain));

        for (int length = 0; length < stream.Length; length++)
        {
            Assert.Throws<KprobeTraceException>(() => Decode(stream[..length], 9));
        }

        Assert.Equal(plain, Decode([.. stream, 1, 2, 3], 9));
    }

    /// <summary>The code of a dictionary's size (section 5.3.1): 4 KiB, 6 KiB, 8 KiB, … 4 GiB less one.</summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(40, true)]
    public void Dictionary_is_as_large_as_declared_and_no_larger_than_the_data(byte code, bool reachesFarEnough)
    {
        byte[] some = [.. Enumerable.Range(0, 16).Select(static i => (byte)((((i * i * 73) + (i * 29) + 11) >> 3) & 255))];
        byte[] plain = [.. some, .. new byte[5000], .. some];
        byte[] stream = Stream(0, new Part(Header([0, 0x21, 1, code]), Convert.FromHexString(FarData), plain));

        long before = GC.GetAllocatedBytesForCurrentThread();
        if (reachesFarEnough)
        {
            Assert.Equal(plain, Decode(stream, plain.Length));
        }
        else
        {
            Refuses("the compressed data is damaged (LZMA2)", stream, plain.Length);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Theory]
    [InlineData("FD 37 7A 58 5A 00", true)]
    [InlineData("FD 37 7A 58 5A 00 00", true)]
    [InlineData("FD 37 7A 58 5A", false)]
    [InlineData("FD 37 7A 58 5A 01", false)]
    [InlineData("FC 37 7A 58 5A 00", false)]
    [InlineData("", false)]
    public void A_stream_begins_with_six_bytes(string bytes, bool isStream) =>
        Assert.Equal(isStream, XzDecoder.HasMagic(Convert.FromHexString(bytes.Replace(" ", "", StringComparison.Ordinal))));

    [Theory]
    [InlineData(0, null)]
    [InlineData(1, "a chunk's range coder does not start with 0")]
    public void Packed_data_starts_with_a_zero_behind_the_properties(byte first, string? said)
    {
        byte[] data = Convert.FromHexString(FarData);
        Assert.Equal((0xE0, 0x5D, 0), (data[0], data[5], data[6]));
        data[6] = first;
        byte[] stream = Stream(0, new Part(Header([0, 0x21, 1, 2]), data, new byte[5032]));

        if (said is null)
        {
            Assert.Equal(5032, Decode(stream, 5032).Length);
        }
        else
        {
            Refuses(said, stream, 5032);
        }
    }

    private static byte[] Decode(byte[] stream, int length) => XzDecoder.Decode("kernel", stream, length);

    private static void Refuses(string said, byte[] stream, int length) =>
        Assert.Contains(said, Assert.Throws<KprobeTraceException>(() => Decode(stream, length)).Message, StringComparison.Ordinal);

    private static byte[] Bytes(int count) => [.. Enumerable.Range(0, count).Select(static i => (byte)((i * 7) + 1))];

    private static byte[] Stored(byte[] plain) => [1, (byte)((plain.Length - 1) >> 8), (byte)(plain.Length - 1), .. plain, 0];

    private static Part Block(string filters, byte[] data, byte[] plain, int? packed = null, int? unpacked = null)
    {
        byte[] fields =
        [
            (byte)((packed is null ? 0 : 0x40) | (unpacked is null ? 0 : 0x80)),
            .. packed is null ? [] : Number((ulong)packed), .. unpacked is null ? [] : Number((ulong)unpacked),
            .. Convert.FromHexString(filters.Replace(" ", "", StringComparison.Ordinal)),
        ];
        return new Part(Header(fields), data, plain);
    }

    /// <summary>Size in fours less one, the fields, zeros, and the checksum of all before it.</summary>
    private static byte[] Header(byte[] fields, int least = 0)
    {
        int size = Math.Max(least, (1 + fields.Length + 4 + 3) & -4);
        byte[] header = new byte[size];
        header[0] = (byte)((size / 4) - 1);
        fields.CopyTo(header, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(size - 4), PlainTrace.Crc32(header.AsSpan(0, size - 4)));
        return header;
    }

    private static byte[] Number(ulong value) => value < 0x80 ? [(byte)value] : [(byte)(value | 0x80), .. Number(value >> 7)];

    private static byte[] Stream(byte check, params Part[] blocks) => Stream(check, blocks, default);

    private static byte[] Stream(byte check, Part[] blocks, (int Count, int Unpadded, int Unpacked) wrong)
    {
        List<byte> stream = [0xFD, .. "7zXZ\0"u8, 0, check, .. Crc([0, check])];
        List<byte> index = [0, .. Number((ulong)(blocks.Length + wrong.Count))];
        for (int i = 0; i < blocks.Length; i++)
        {
            (byte[] header, byte[] data, byte[] plain) = blocks[i];
            byte[] sum = check switch
            {
                0 => [],
                1 => Crc(plain),
                4 => BitConverter.GetBytes(Checksums.Crc64(plain)),
                _ => SHA256.HashData(plain),
            };
            stream.AddRange([.. header, .. data, .. new byte[-data.Length & 3], .. sum]);
            int unpadded = header.Length + data.Length + sum.Length + (i == 1 ? wrong.Unpadded : 0);
            index.AddRange([.. Number((ulong)unpadded), .. Number((ulong)(plain.Length + (i == 1 ? wrong.Unpacked : 0)))]);
        }

        index.AddRange(new byte[-index.Count & 3]);
        byte[] footer = [.. BitConverter.GetBytes(index.Count / 4), 0, check];
        return [.. stream, .. index, .. Crc([.. index]), .. Crc(footer), .. footer, .. "YZ"u8];
    }

    private static byte[] Crc(byte[] bytes) => BitConverter.GetBytes(PlainTrace.Crc32(bytes));

    private sealed record Part(byte[] Header, byte[] Data, byte[] Plain);
}
