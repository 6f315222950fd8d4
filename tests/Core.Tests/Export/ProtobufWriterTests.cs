using System.Text;
using Google.Protobuf;
using KprobeTrace.Export;
using Xunit;

namespace KprobeTrace.Tests.Export;

/// <summary>Bytes by the rules of https://protobuf.dev/programming-guides/encoding.</summary>
public sealed class ProtobufWriterTests
{
    private readonly ProtobufWriter _writer = new();

    [Theory]
    [InlineData(1, 150, "089601")]
    [InlineData(1, 0, "0800")]
    [InlineData(1, 127, "087F")]
    [InlineData(1, 128, "088001")]
    [InlineData(15, 1, "7801")]
    [InlineData(16, 1, "800101")]
    [InlineData(2047, 1, "F87F01")]
    [InlineData(2048, 1, "80800101")]
    [InlineData(1, ulong.MaxValue, "08FFFFFFFFFFFFFFFFFF01")]
    public void A_varint_has_seven_bits_a_byte_lowest_first(int field, ulong value, string expected)
    {
        _writer.Varint(field, value);

        Assert.Equal(expected, Convert.ToHexString(_writer.Bytes));
    }

    [Fact]
    public void A_text_stands_behind_its_length_in_bytes()
    {
        _writer.Text(2, "testing");
        _writer.Text(2, "ß");
        _writer.Text(2, "");

        Assert.Equal("120774657374696E67" + "1202C39F" + "1200", Convert.ToHexString(_writer.Bytes));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(16383)]
    [InlineData(16384)]
    [InlineData(2097151)]
    [InlineData(2097152)]
    public void A_nested_message_tells_its_length_in_four_bytes(int length)
    {
        int start = _writer.Begin(3);
        while (_writer.Bytes.Length - start < length)
        {
            // One byte of a field's number and one of its value.
            _writer.Varint(1, 1);
        }

        _writer.End(start);
        int written = _writer.Bytes.Length - start;

        Assert.InRange(written, length, length + 1);
        Assert.Equal(0x1A, _writer.Bytes[0]);
        Assert.Equal(5, start);
        Assert.Equal(written, Enumerable.Range(0, 4).Sum(i => (_writer.Bytes[1 + i] & 0x7F) << (7 * i)));
        Assert.Equal([true, true, true, false], Enumerable.Range(1, 4).Select(i => _writer.Bytes[i] >= 0x80));
    }

    [Fact]
    public void Whatever_is_written_at_the_buffers_end_stays_whole()
    {
        for (int room = 0; room < 16; room++)
        {
            ProtobufWriter writer = new();
            byte[] filling = new byte[65536 - room - 4];
            Array.Fill(filling, (byte)7);
            writer.Bytes32(1, filling);
            writer.Varint(1, ulong.MaxValue);
            int start = writer.Begin(2);
            writer.Text(3, new string('x', 200_000));
            writer.End(start);

            byte[] expected = [0x0A, .. Length(filling.Length), .. filling, .. Convert.FromHexString("08FFFFFFFFFFFFFFFFFF01"), 0x12, 0xC4, 0x9A, 0x8C, 0x00, 0x1A, .. Length(200_000), .. Encoding.ASCII.GetBytes(new string('x', 200_000))];
            Assert.Equal(expected, writer.Bytes.ToArray());
        }
    }

    [Fact]
    public void Cleared_it_begins_again()
    {
        _writer.Varint(1, 1);
        _writer.Clear();
        _writer.Varint(2, 2);

        Assert.Equal("1002", Convert.ToHexString(_writer.Bytes));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Googles_reader_finds_in_drawn_messages_what_was_written_into_them(int seed)
    {
        List<string> written = [];
        Random random = new(seed);
        for (int i = 0; i < 200; i++)
        {
            Draw(random, depth: 0, written);
        }

        using CodedInputStream input = new(_writer.Bytes.ToArray());
        List<string> read = [];
        Read(input, depth: 0, read);

        Assert.Equal(written, read);
        Assert.True(input.IsAtEnd);
    }

    /// <summary>Writes a field: numbers below 1000 are numbers, below 2000 text, above them messages.</summary>
    private void Draw(Random random, int depth, List<string> written)
    {
        int kind = random.Next(depth < 6 ? 3 : 2);
        int field = (kind * 1000) + random.Next(1, 1000);
        string head = $"{depth}:{field}:";
        if (kind == 0)
        {
            ulong value = (ulong)random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64);
            _writer.Varint(field, value);
            written.Add(head + value);
        }
        else if (kind == 1)
        {
            string value = string.Concat(Enumerable.Range(0, random.Next(1 << random.Next(12))).Select(_ => (string[])["a", "\0", "ß", "漢", "🐧"]).Select(t => t[random.Next(t.Length)]));
            _writer.Text(field, value);
            written.Add(head + value);
        }
        else
        {
            written.Add(head);
            int start = _writer.Begin(field);
            for (int i = random.Next(5); i > 0; i--)
            {
                Draw(random, depth + 1, written);
            }

            _writer.End(start);
        }
    }

    private static void Read(CodedInputStream input, int depth, List<string> read)
    {
        while (input.ReadTag() is not 0 and uint tag)
        {
            int field = WireFormat.GetTagFieldNumber(tag);
            string head = $"{depth}:{field}:";
            Assert.Equal(field < 1000 ? WireFormat.WireType.Varint : WireFormat.WireType.LengthDelimited, WireFormat.GetTagWireType(tag));
            if (field < 1000)
            {
                read.Add(head + input.ReadUInt64());
            }
            else if (field < 2000)
            {
                read.Add(head + input.ReadString());
            }
            else
            {
                read.Add(head);
                using CodedInputStream message = input.ReadBytes().CreateCodedInput();
                Read(message, depth + 1, read);
            }
        }
    }

    private static byte[] Length(int value) => [(byte)(value | 0x80), (byte)((value >> 7) | 0x80), (byte)(value >> 14)];
}
