using System.Buffers.Binary;
using KprobeTrace.Loaders;
using KprobeTrace.Tests.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

public sealed class XzDecoderTests
{
    [Theory]
    [InlineData("branch.xz")]
    [InlineData("branch-offset.xz")]
    [InlineData("crc64.xz")]
    [InlineData("sha256-blocks.xz")]
    [InlineData("none.xz")]
    [InlineData("sizes.xz")]
    public void Unpacks_what_the_xz_tool_packed(string file)
    {
        byte[] unpacked = XzDecoder.Decode("kernel", XzSample.Read(file), XzSample.Plain.Length);

        Assert.Equal(XzSample.Plain, unpacked);
    }

    [Fact]
    public void Refuses_filters_other_than_x86_and_LZMA2()
    {
        KprobeTraceException error = Assert.Throws<KprobeTraceException>(
            () => XzDecoder.Decode("kernel", XzSample.Read("delta.xz"), XzSample.Plain.Length));

        Assert.Contains("filter 3", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("branch.xz")]
    [InlineData("sha256-blocks.xz")]
    public void Every_truncation_is_one_clear_error(string file)
    {
        byte[] whole = XzSample.Read(file);

        for (int length = 6; length < whole.Length; length += length < 64 || length > whole.Length - 80 ? 1 : 997)
        {
            KprobeTraceException error = Assert.Throws<KprobeTraceException>(
                () => XzDecoder.Decode("kernel", whole.AsMemory(0, length), XzSample.Plain.Length));
            Assert.StartsWith("kernel: ", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', error.Message);
        }
    }

    [Theory]
    [InlineData("branch.xz")]
    [InlineData("crc64.xz")]
    [InlineData("sha256-blocks.xz")]
    public void Every_flipped_bit_is_noticed(string file)
    {
        byte[] whole = XzSample.Read(file);

        for (int at = 0; at < whole.Length; at += at < 64 || at > whole.Length - 80 ? 1 : 101)
        {
            byte[] damaged = [.. whole];
            damaged[at] ^= 0x10;
            Exception? error = Record.Exception(() => XzDecoder.Decode("kernel", damaged, XzSample.Plain.Length));
            Assert.True(error is KprobeTraceException, $"byte {at}: {error}");
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public void A_wrong_length_is_an_error(int difference)
    {
        byte[] file = XzSample.Read("branch.xz");

        Assert.Throws<KprobeTraceException>(() => XzDecoder.Decode("kernel", file, XzSample.Plain.Length + difference));
    }

    /// <summary>Fields of the stream's footer, which its checksum covers but the last two: size of the index, flags, magic.</summary>
    [Theory]
    [InlineData(4, 1)]
    [InlineData(4, -1)]
    [InlineData(8, 1)]
    [InlineData(8, 0x80)]
    [InlineData(9, 1)]
    [InlineData(10, 1)]
    [InlineData(11, 1)]
    public void A_footer_that_disagrees_is_refused_whatever_its_checksum(int at, int change)
    {
        byte[] file = [.. XzSample.Read("branch.xz")];
        Span<byte> footer = file.AsSpan(^12..);
        footer[at] = (byte)(footer[at] + change);
        BinaryPrimitives.WriteUInt32LittleEndian(footer, PlainTrace.Crc32(footer[4..10]));

        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => XzDecoder.Decode("kernel", file, XzSample.Plain.Length));

        Assert.Contains("footer", error.Message, StringComparison.Ordinal);
    }

    /// <summary>The first of two filters is x86's; other processors' branch filters have no properties either.</summary>
    [Theory]
    [InlineData(4, null)]
    [InlineData(5, "filter 5")]
    [InlineData(7, "filter 7")]
    [InlineData(9, "filter 9")]
    public void A_branch_filter_of_another_processor_is_refused(byte filter, string? refusal)
    {
        byte[] file = [.. XzSample.Read("branch.xz")];
        Span<byte> header = file.AsSpan(12, (file[12] + 1) * 4);
        Assert.Equal((1, 4, 0), (header[1] & 0xC3, header[2], header[3]));
        header[2] = filter;
        BinaryPrimitives.WriteUInt32LittleEndian(header[^4..], PlainTrace.Crc32(header[..^4]));

        Exception? error = Record.Exception(() => XzDecoder.Decode("kernel", file, XzSample.Plain.Length));

        Assert.Equal(refusal is null, error is null);
        Assert.Contains(refusal ?? "", error?.Message ?? "", StringComparison.Ordinal);
    }
}
