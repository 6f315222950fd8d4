using KprobeTrace.Tracing;
using Xunit;

namespace KprobeTrace.Tests.Tracing;

/// <summary>The integers of columns at every length they change form at.</summary>
public sealed unsafe class MessagePackIntegerTests
{
    /// <summary>One below, at and one above each power of two and its negative.</summary>
    public static TheoryData<long> Values
    {
        get
        {
            HashSet<long> values = [0, long.MinValue, long.MaxValue];
            for (int bit = 0; bit < 63; bit++)
            {
                long power = 1L << bit;
                values.UnionWith([power - 1, power, power + 1, -power - 1, -power, -power + 1]);
            }

            return [.. values.Order()];
        }
    }

    [Theory]
    [MemberData(nameof(Values))]
    public void Written_in_the_shortest_form_and_read_back(long value)
    {
        byte[] bytes = Write(value);

        Assert.Equal((Int128)value, PlainMessagePack.Read(bytes));
        Assert.Equal(ShortestLength(value), bytes.Length);
        Assert.Equal(bytes.Length, MessagePackInteger.Length(bytes[0]));
        Assert.Equal((true, value, bytes.Length), TryRead(bytes, bytes.Length));
        Assert.Equal((true, value, bytes.Length), TryRead([.. bytes, .. new byte[16]], bytes.Length + 16));
        Assert.Equal(value, new MessagePackCursor(bytes).ReadInteger());
    }

    [Theory]
    [MemberData(nameof(Values))]
    public void Cut_off_anywhere_it_is_none(long value)
    {
        byte[] bytes = Write(value);
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.Equal((false, 0L, 0), TryRead([.. bytes, .. new byte[16]], length));
        }
    }

    [Fact]
    public void Every_type_byte_is_an_integers_or_not()
    {
        byte[] payload = [0x81, 0x02, 0x83, 0x04, 0x85, 0x06, 0x87, 0x08];
        for (int type = 0; type < 256; type++)
        {
            byte[] bytes = [(byte)type, .. payload];
            object? expected = null;
            int length = 0;
            if (type is < 0x80 or >= 0xE0 or (>= 0xCC and <= 0xD3))
            {
                expected = PlainMessagePack.Read(bytes, ref length);
            }

            Assert.Equal(length, MessagePackInteger.Length((byte)type));
            foreach (int room in new[] { 9, 10 })
            {
                (bool read, long value, int used) = TryRead([.. bytes, 0], room);
                Assert.Equal((expected is not null, length), (read, used));
                Assert.Equal(expected is null ? 0 : unchecked((long)(Int128)expected), value);
            }
        }
    }

    private static int ShortestLength(long value) => value switch
    {
        >= -32 and < 128 => 1,
        >= sbyte.MinValue and <= byte.MaxValue => 2,
        >= short.MinValue and <= ushort.MaxValue => 3,
        >= int.MinValue and <= uint.MaxValue => 5,
        _ => 9,
    };

    private static byte[] Write(long value)
    {
        byte[] room = new byte[MessagePackInteger.MaxBytes];
        fixed (byte* start = room)
        {
            return room[..(int)(MessagePackInteger.Write(start, value) - start)];
        }
    }

    private static (bool Read, long Value, int Used) TryRead(byte[] bytes, int end)
    {
        fixed (byte* start = bytes)
        {
            byte* at = start;
            bool read = MessagePackInteger.TryRead(ref at, start + end, out long value);
            return (read, value, (int)(at - start));
        }
    }
}
