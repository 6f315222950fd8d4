using System.Globalization;
using System.Text;
using KprobeTrace.Queries;
using Xunit;

namespace KprobeTrace.Tests.Queries;

public sealed class Utf8OutputTests
{
    private const int Buffer = 65536;

    public static TheoryData<string> Writers() => [.. _writers.Keys];

    private static readonly Dictionary<string, (Action<Utf8Output> Write, string Text)> _writers = new()
    {
        ["byte"] = (static o => o.WriteByte((byte)'x'), "x"),
        ["bytes"] = (static o => o.Write("some bytes"u8), "some bytes"),
        ["text"] = (static o => o.Write("straße 😀"), "straße 😀"),
        ["integer"] = (static o => o.WriteInteger(long.MinValue), "-9223372036854775808"),
        ["unsigned"] = (static o => o.WriteUnsigned(ulong.MaxValue), "18446744073709551615"),
        ["digits"] = (static o => o.WriteUnsigned(42, 9), "000000042"),
        ["hex"] = (static o => o.WriteHex(ulong.MaxValue), "0xffffffffffffffff"),
        ["double"] = (static o => o.WriteDouble(double.MinValue), "-1.7976931348623157E+308"),
        ["blanks"] = (static o => o.WriteBlanks(5), "     "),
    };

    [Theory]
    [MemberData(nameof(Writers))]
    public void What_is_written_at_any_place_of_the_buffer_arrives_whole(string name)
    {
        (Action<Utf8Output> write, string text) = _writers[name];
        for (int room = 0; room < 64; room++)
        {
            using MemoryStream stream = new();
            using Utf8Output output = new(stream, leaveOpen: true);
            byte[] before = [.. Enumerable.Repeat((byte)'.', Buffer - room)];
            output.Write(before);
            write(output);
            write(output);
            output.Flush();

            Assert.Equal(Encoding.ASCII.GetString(before) + text + text, Encoding.UTF8.GetString(stream.ToArray()));
            Assert.Equal(stream.Length, output.Length);
        }
    }

    [Theory]
    [InlineData(0, Buffer - 1)]
    [InlineData(0, Buffer)]
    [InlineData(0, Buffer + 1)]
    [InlineData(1, Buffer - 2)]
    [InlineData(1, Buffer - 1)]
    [InlineData(1, Buffer)]
    [InlineData(Buffer, 1)]
    [InlineData(Buffer, Buffer)]
    [InlineData(100, 3 * Buffer)]
    public void Long_pieces_keep_their_order(int first, int second)
    {
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            output.Write(new byte[first]);
            output.Write([.. Enumerable.Repeat((byte)1, second)]);
            output.WriteByte(2);
        }

        Assert.Equal([.. new byte[first], .. Enumerable.Repeat((byte)1, second), 2], stream.ToArray());
    }

    [Fact]
    public void Nothing_reaches_the_stream_before_the_buffer_is_full()
    {
        using MemoryStream stream = new();
        using Utf8Output output = new(stream, leaveOpen: true);
        output.Write(new byte[Buffer - 1]);
        output.WriteByte(1);
        Assert.Equal((0L, 0L), (stream.Length, output.Length));

        output.WriteByte(2);

        Assert.Equal((Buffer, Buffer), (stream.Length, output.Length));
    }

    [Fact]
    public void Pairs_of_surrogates_are_not_torn_wherever_they_stand()
    {
        for (int before = 4090; before < 4100; before++)
        {
            string text = new string('a', before) + "😀" + new string('b', 5000) + "😀😀";
            using MemoryStream stream = new();
            using (Utf8Output output = new(stream, leaveOpen: true))
            {
                output.Write(text);
            }

            Assert.Equal(text, Encoding.UTF8.GetString(stream.ToArray()));
        }
    }

    [Fact]
    public void Numbers_in_hexadecimal_have_no_zeros_before_them()
    {
        foreach (ulong value in Enumerable.Range(0, 64).SelectMany(static i => (ulong[])[(1ul << i) - 1, 1ul << i, (1ul << i) + 1]))
        {
            Assert.Equal("0x" + value.ToString("x", CultureInfo.InvariantCulture), Written(o => o.WriteHex(value)));
        }
    }

    [Theory]
    [InlineData(0, 1, "0")]
    [InlineData(0, 3, "000")]
    [InlineData(999, 3, "999")]
    [InlineData(1000, 3, "1000")]
    public void Digits_are_the_least(ulong value, int digits, string expected) => Assert.Equal(expected, Written(o => o.WriteUnsigned(value, digits)));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_stream_is_closed_unless_it_is_to_stay_open(bool leaveOpen)
    {
        using MemoryStream stream = new();
        Utf8Output output = new(stream, leaveOpen);
        output.WriteByte(1);
        output.Dispose();

        Assert.Equal(leaveOpen, stream.CanWrite);
        Assert.Equal([1], stream.ToArray());
    }

    private static string Written(Action<Utf8Output> write)
    {
        using MemoryStream stream = new();
        using (Utf8Output output = new(stream, leaveOpen: true))
        {
            write(output);
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
