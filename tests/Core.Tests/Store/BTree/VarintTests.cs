using KprobeTrace.Store.BTree;
using Xunit;

namespace KprobeTrace.Tests.Store.BTree;

public sealed class VarintTests
{
    public static TheoryData<ulong, int> Limits()
    {
        TheoryData<ulong, int> rows = new() { { 0, 1 }, { 1, 1 }, { 1UL << 63, 9 }, { (1UL << 63) - 1, 9 }, { ulong.MaxValue, 9 } };
        for (int bytes = 1; bytes <= 8; bytes++)
        {
            ulong next = 1UL << (7 * bytes);
            rows.Add(next - 1, bytes);
            rows.Add(next, bytes + 1);
            rows.Add(next + 1, bytes + 1);
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(Limits))]
    public void A_number_takes_the_fewest_bytes_and_reads_back(ulong value, int length)
    {
        byte[] bytes = [.. Enumerable.Repeat((byte)0xAA, Varint.MaxLength + 1)];

        Assert.Equal(length, Varint.Write(bytes, value));
        Assert.Equal(value, Read(bytes, out int read));
        Assert.Equal(length, read);
        Assert.Equal(0xAA, bytes[length]);
    }

    [Fact]
    public void Row_ids_of_every_width_read_back()
    {
        long[] ids = [long.MinValue, long.MinValue + 1, -1, .. Limits().Select(static r => (ulong)r[0]).Where(static v => v <= long.MaxValue).Order().Select(static v => (long)v)];
        using TreeFile file = new(512);
        file.LoadTable(ids.Select(static id => (id, (object?[])[id, null, "x"])));

        file.AssertRows("SELECT rowid, a FROM t NOT INDEXED ORDER BY rowid", ids.Select(static id => (object?[])[id, id]));
        Assert.All(ids, id => file.AssertRows($"SELECT c FROM t NOT INDEXED WHERE rowid = {id}", [["x"]]));
    }

    /// <summary>Groups of seven bits, the highest first, each but the last with its top bit set; all of the ninth byte counts.</summary>
    private static ulong Read(byte[] bytes, out int length)
    {
        ulong value = 0;
        for (length = 0; length < 8;)
        {
            byte next = bytes[length++];
            value = (value << 7) | (next & 0x7FU);
            if (next < 0x80)
            {
                return value;
            }
        }

        return (value << 8) | bytes[length++];
    }
}
