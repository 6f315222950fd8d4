using System.Buffers.Binary;
using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>Reading MessagePack that nobody vouches for: every form at its least, its most and one beyond.</summary>
public sealed class MessagePackCursorTests
{
    private static readonly int[] _lengths = [0, 1, 32, 255, 256, 65535, 65536];

    /// <summary>Every form of a str and a bin: its type byte, bytes of length behind it, and lengths it can have.</summary>
    public static TheoryData<byte, int, int> Texts
    {
        get
        {
            TheoryData<byte, int, int> rows = [];
            foreach (int length in new[] { 0, 1, 30, 31 })
            {
                rows.Add((byte)(0xA0 | length), 0, length);
            }

            foreach ((byte type, int width) in new[] { ((byte)0xC4, 1), ((byte)0xD9, 1), ((byte)0xC5, 2), ((byte)0xDA, 2), ((byte)0xC6, 4), ((byte)0xDB, 4) })
            {
                foreach (int length in _lengths.Where(n => width > 2 || n < 1 << (8 * width)))
                {
                    rows.Add(type, width, length);
                }
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Texts))]
    public void Text_has_the_bytes_its_length_says(byte type, int width, int length)
    {
        byte[] content = [.. Enumerable.Range(0, length).Select(i => (byte)('a' + (i % 26)))];
        byte[] bytes = [type, .. BigEndian((uint)length, width), .. content];
        MessagePackCursor cursor = new([.. bytes, 0xC0]);

        Assert.Equal(content, cursor.ReadBytes());
        Assert.Equal(bytes.Length, cursor.Position);
        Assert.False(cursor.AtEnd);
        Assert.Equal(bytes.Length, Skipped([.. bytes, 0xC0]));
        Assert.Equal(System.Text.Encoding.ASCII.GetString(content), new MessagePackCursor(bytes).ReadString());
        if (length > 0)
        {
            Refused(bytes[..^1], static (ref cut) => cut.ReadBytes());
            Refused(bytes[..^1], static (ref cut) => cut.Skip());
        }
    }

    [Theory]
    [InlineData(0x9F, 0, 15, 1)]
    [InlineData(0xDC, 2, 0, 1)]
    [InlineData(0xDC, 2, 65535, 1)]
    [InlineData(0xDD, 4, 65536, 1)]
    [InlineData(0x8F, 0, 15, 2)]
    [InlineData(0xDE, 2, 0, 2)]
    [InlineData(0xDE, 2, 65535, 2)]
    [InlineData(0xDF, 4, 65536, 2)]
    public void Head_of_an_array_or_a_map_may_claim_what_is_left_and_no_more(byte type, int width, int count, int bytesEach)
    {
        byte[] head = [type, .. BigEndian((uint)count, width)];
        byte[] bytes = [.. head, .. new byte[count * bytesEach]];

        Assert.Equal(count, bytesEach == 1 ? new MessagePackCursor(bytes).ReadArrayHeader() : new MessagePackCursor(bytes).ReadMapHeader());
        Assert.Equal(bytes.Length, Skipped(bytes));
        if (bytesEach == 1)
        {
            MessagePackCursor cursor = new([.. bytes, 1, 2]);
            cursor.SkipArray();
            Assert.Equal(bytes.Length, cursor.Position);
        }

        if (count > 0)
        {
            Refused(bytes[..^1], bytesEach == 1 ? static (ref cut) => cut.ReadArrayHeader() : static (ref cut) => cut.ReadMapHeader());
        }
    }

    [Fact]
    public void Every_type_byte_is_what_the_specification_says()
    {
        byte[] behind = new byte[70_000];
        for (int type = 0; type < 256; type++)
        {
            byte[] bytes = [(byte)type, .. behind];
            bool integer = type is < 0x80 or >= 0xE0 or (>= 0xCC and <= 0xD3);
            bool text = type is (>= 0xA0 and < 0xC0) or (>= 0xC4 and <= 0xC6) or (>= 0xD9 and <= 0xDB);
            bool array = type is (>= 0x90 and < 0xA0) or 0xDC or 0xDD;
            bool map = type is (>= 0x80 and < 0x90) or 0xDE or 0xDF;
            bool other = type is 0xC0 or 0xC2 or 0xC3 or 0xCA or 0xCB;

            Assert.Equal(integer, Reads(bytes, static (ref cursor) => cursor.ReadInteger()));
            Assert.Equal(text, Reads(bytes, static (ref cursor) => cursor.ReadBytes()));
            Assert.Equal(array, Reads(bytes, static (ref cursor) => cursor.ReadArrayHeader()));
            Assert.Equal(map, Reads(bytes, static (ref cursor) => cursor.ReadMapHeader()));
            Assert.Equal(array, Reads(bytes, static (ref cursor) => cursor.SkipArray()));
            Assert.Equal(integer || text || array || map || other, Reads(bytes, static (ref cursor) => cursor.Skip()));
            Assert.Equal(integer, Reads(bytes, static (ref cursor) => cursor.SkipIntegers(1)));
        }
    }

    [Theory]
    [InlineData(0xCA, 4)]
    [InlineData(0xCB, 8)]
    [InlineData(0xCC, 1)]
    [InlineData(0xCD, 2)]
    [InlineData(0xCE, 4)]
    [InlineData(0xCF, 8)]
    [InlineData(0xD0, 1)]
    [InlineData(0xD1, 2)]
    [InlineData(0xD2, 4)]
    [InlineData(0xD3, 8)]
    [InlineData(0xC0, 0)]
    public void Scalar_is_stepped_over_whole(byte type, int width)
    {
        byte[] bytes = [type, .. new byte[width]];

        Assert.Equal(bytes.Length, Skipped([.. bytes, 0xC3]));
        if (width > 0)
        {
            Refused(bytes[..^1], static (ref cut) => cut.Skip());
        }
    }

    [Theory]
    [InlineData(0, 10, new byte[] { 0 }, true)]
    [InlineData(0, 10, new byte[] { 10 }, true)]
    [InlineData(0, 10, new byte[] { 11 }, false)]
    [InlineData(0, 10, new byte[] { 0xFF }, false)]
    [InlineData(-1, 10, new byte[] { 0xFF }, true)]
    [InlineData(-1, 10, new byte[] { 0xFE }, false)]
    [InlineData(int.MinValue, int.MaxValue, new byte[] { 0xCE, 0x7F, 0xFF, 0xFF, 0xFF }, true)]
    [InlineData(int.MinValue, int.MaxValue, new byte[] { 0xCE, 0x80, 0, 0, 0 }, false)]
    [InlineData(int.MinValue, int.MaxValue, new byte[] { 0xD2, 0x80, 0, 0, 0 }, true)]
    [InlineData(int.MinValue, int.MaxValue, new byte[] { 0xD3, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF }, false)]
    public void Number_out_of_its_range_is_refused(int low, int high, byte[] bytes, bool inRange)
    {
        MessagePackCursor cursor = new(bytes);
        try
        {
            int value = cursor.ReadInt32(low, high);
            Assert.True(inRange);
            Assert.Equal(PlainMessagePack.Read(bytes), (Int128)value);
        }
        catch (MalformedTraceException)
        {
            Assert.False(inRange);
        }
    }

    /// <summary>Arrays and maps within each other, as deep as the format allows, and one deeper.</summary>
    [Theory]
    [InlineData(0x91, new byte[0])]
    [InlineData(0x81, new byte[] { 0 })]
    [InlineData(0x92, new byte[] { 0 })]
    public void Values_nest_as_deep_as_the_format_says(byte head, byte[] before)
    {
        byte[] level = [head, .. before];
        foreach (int depth in new[] { 1, 2, TraceFormat.MaxDepth - 1, TraceFormat.MaxDepth })
        {
            byte[] bytes = [.. Enumerable.Repeat(level, depth).SelectMany(b => b), 0];
            Assert.Equal(bytes.Length, Skipped([.. bytes, 0xC3]));
        }

        byte[] deeper = [.. Enumerable.Repeat(level, TraceFormat.MaxDepth + 1).SelectMany(b => b), 0];
        Refused(deeper, static (ref cursor) => cursor.Skip());
    }

    [Fact]
    public void Nested_values_are_stepped_over_to_the_last()
    {
        byte[] bytes = [0x94, 1, 0x92, 0xA1, 0x41, 0xC0, 0x81, 0x93, 1, 2, 3, 0x91, 0xCC, 9, 0xC3];

        Assert.Equal(bytes.Length, Skipped([.. bytes, 7]));
        for (int length = 0; length < bytes.Length; length++)
        {
            Refused(bytes[..length], static (ref cut) => cut.Skip());
        }
    }

    [Fact]
    public void Integers_in_a_row_are_stepped_over_by_number()
    {
        byte[] bytes = [1, 0xFF, 0xCC, 1, 0xCD, 1, 2, 0xCF, 1, 2, 3, 4, 5, 6, 7, 8, 0xD3, 1, 2, 3, 4, 5, 6, 7, 8, 0x20];
        int[] ends = [0, 1, 2, 4, 7, 16, 25, 26];
        for (int count = 0; count < ends.Length; count++)
        {
            MessagePackCursor cursor = new(bytes);
            cursor.SkipIntegers(count);
            Assert.Equal(ends[count], cursor.Position);
        }

        Refused(bytes, static (ref cursor) => cursor.SkipIntegers(8));
        Refused(bytes[..24], static (ref cursor) => cursor.SkipIntegers(6));
        Refused([1, 0xC0], static (ref cursor) => cursor.SkipIntegers(2));
    }

    private static byte[] BigEndian(uint value, int width)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes[(4 - width)..];
    }

    private static int Skipped(byte[] bytes)
    {
        MessagePackCursor cursor = new(bytes);
        cursor.Skip();
        return cursor.Position;
    }

    private static bool Reads(byte[] bytes, CursorAction action)
    {
        try
        {
            MessagePackCursor cursor = new(bytes);
            action(ref cursor);
            return true;
        }
        catch (MalformedTraceException)
        {
            return false;
        }
    }

    private static void Refused(byte[] bytes, CursorAction action) => Assert.False(Reads(bytes, action));

    private delegate void CursorAction(ref MessagePackCursor cursor);
}
