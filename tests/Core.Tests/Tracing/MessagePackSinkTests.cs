using System.Buffers;
using System.Globalization;
using KprobeTrace.Tracing;
using MessagePack;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>What the sink writes, beside the MessagePack library's writer where that has the same form and the specification's bytes where not.</summary>
public sealed class MessagePackSinkTests
{
    private delegate void WriteAll(ref MessagePackWriter writer);

    /// <summary>Numbers at and beside each at which a form ends.</summary>
    private static readonly ulong[] _ends =
    [
        .. new[] { 0, 5, 7, 8, 15, 16, 31, 32, 63 }.SelectMany(static bit => new[] { (1UL << bit) - 1, 1UL << bit, (1UL << bit) + 1 })
            .SelectMany(static n => new[] { n, 0 - n }).Append(ulong.MaxValue).Distinct(),
    ];

    /// <summary>Lengths at and beside each at which a form ends.</summary>
    private static readonly int[] _lengths = [0, 1, 15, 16, 17, 31, 32, 33, 127, 128, 254, 255, 256, 257, 65534, 65535, 65536, 65537];

    [Fact]
    public void Numbers_texts_and_heads_take_the_form_that_the_library_gives_them()
    {
        MessagePackSink sink = new(1);
        foreach (ulong number in _ends)
        {
            Same(sink, s => s.Write(number), (ref w) => w.Write(number));
            Same(sink, s => s.Write((long)number), (ref w) => w.Write((long)number));
        }

        foreach (int length in _lengths)
        {
            Same(sink, s => s.WriteArrayHeader(length), (ref w) => w.WriteArrayHeader(length));
            Same(sink, s => s.WriteMapHeader(length), (ref w) => w.WriteMapHeader(length));
            Same(sink, s => s.Write(new string('x', length)), (ref w) => w.Write(new string('x', length)));
            Same(sink, s => s.Write(new byte[length].AsSpan()), (ref w) => w.Write(new byte[length].AsSpan()));
            Same(sink, s => s.Write(new string('é', length)), (ref w) => w.Write(new string('é', length)));
        }

        Same(sink, static s => s.WriteNil(), (ref w) => w.WriteNil());
        Same(sink, static s => s.Write("a\ud800b€😀"), (ref w) => w.Write("a\ud800b€😀"));
    }

    [Theory]
    [InlineData("0", "00")]
    [InlineData("127", "7f")]
    [InlineData("128", "ce 00000080")]
    [InlineData("255", "ce 000000ff")]
    [InlineData("65536", "ce 00010000")]
    [InlineData("4294967295", "ce ffffffff")]
    [InlineData("4294967296", "cf 0000000100000000")]
    [InlineData("18446744073709551615", "cf ffffffffffffffff")]
    [InlineData("-1", "ff")]
    [InlineData("-32", "e0")]
    [InlineData("-33", "d3 ffffffffffffffdf")]
    [InlineData("-9223372036854775808", "d3 8000000000000000")]
    public void Coarse_number_takes_one_byte_five_or_nine(string number, string bytes)
    {
        MessagePackSink sink = new(1);
        Int128 value = Int128.Parse(number, CultureInfo.InvariantCulture);
        if (value >= 0)
        {
            sink.WriteCoarse((ulong)value);
            Assert.Equal(bytes.Replace(" ", "", StringComparison.Ordinal), Taken(sink));
        }

        if (value <= long.MaxValue)
        {
            sink.WriteCoarse((long)value);
            Assert.Equal(bytes.Replace(" ", "", StringComparison.Ordinal), Taken(sink));
        }
    }

    [Theory]
    [InlineData("", "a0")]
    [InlineData("61", "a1 61")]
    [InlineData("c3a9", "a2 c3a9")]
    [InlineData("ff", "c5 0001 ff")]
    [InlineData("c3", "c5 0001 c3")]
    [InlineData("61616161616161616161616161616161616161616161616161616161616161", "bf 61616161616161616161616161616161616161616161616161616161616161")]
    [InlineData("6161616161616161616161616161616161616161616161616161616161616161", "da 0020 6161616161616161616161616161616161616161616161616161616161616161")]
    public void Guests_text_is_a_str_or_a_bin_where_it_is_no_UTF8(string text, string bytes)
    {
        MessagePackSink sink = new(1);
        sink.WriteGuestText(Convert.FromHexString(text));

        Assert.Equal(bytes.Replace(" ", "", StringComparison.Ordinal), Taken(sink));
    }

    [Fact]
    public void Long_forms_have_four_bytes_of_length_however_little_there_is()
    {
        MessagePackSink sink = new(1);
        sink.WriteLongArrayHeader(1);
        sink.WriteLongMapHeader(0x01020304);
        sink.WriteLongBin([7, 8]);

        Assert.Equal("dd00000001df01020304c6000000020708", Taken(sink));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(9)]
    [InlineData(4096)]
    public void What_was_written_stands_there_whatever_the_first_size(int capacity)
    {
        MessagePackSink sink = new(capacity);
        ArrayBufferWriter<byte> plain = new();
        MessagePackWriter writer = new(plain);
        Random random = new(6);
        for (int i = 0; i < 400; i++)
        {
            switch (random.Next(4))
            {
                case 0:
                    byte[] bytes = new byte[random.Next(20)];
                    sink.Append(bytes);
                    writer.WriteRaw(bytes);
                    break;
                case 1:
                    string text = new('k', random.Next(32));
                    sink.Write(text);
                    writer.Write(text);
                    break;
                default:
                    long number = random.NextInt64() >> random.Next(63);
                    sink.Write(number);
                    writer.Write(number);
                    break;
            }
        }

        writer.Flush();
        Assert.Equal(plain.WrittenCount, sink.Length);
        Assert.Equal(plain.WrittenSpan.ToArray(), sink.Written.ToArray());
    }

    private static void Same(MessagePackSink sink, Action<MessagePackSink> ours, WriteAll theirs)
    {
        ArrayBufferWriter<byte> bytes = new();
        MessagePackWriter writer = new(bytes);
        theirs(ref writer);
        writer.Flush();
        ours(sink);

        Assert.Equal(Convert.ToHexStringLower(bytes.WrittenSpan), Taken(sink));
    }

    private static string Taken(MessagePackSink sink)
    {
        string bytes = Convert.ToHexStringLower(sink.Written);
        sink.Clear();
        return bytes;
    }
}
