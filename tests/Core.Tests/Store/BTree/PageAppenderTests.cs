using System.Buffers.Binary;
using KprobeTrace.Store.BTree;
using Xunit;

namespace KprobeTrace.Tests.Store.BTree;

/// <summary>Pages behind a database's own: their numbers, the one at 1 GiB that SQLite locks, and the counts in the header (fileformat2, 1.3 and 1.6).</summary>
public sealed class PageAppenderTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), "pages-" + Guid.NewGuid().ToString("N"));

    public void Dispose() => File.Delete(_path);

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    [InlineData(65536)]
    public void The_page_at_one_gibibyte_is_left_out_and_stays_zero(int size)
    {
        uint locked = ((1u << 30) / (uint)size) + 1;
        MakeFile(size, locked - 3);
        using (PageAppender pages = new(_path))
        {
            Assert.Equal((size, locked - 3, locked - 2), (pages.PageSize, pages.PageCount, pages.NextPage));
            Assert.Equal([locked - 1, locked + 1, locked + 1, locked + 2], new[] { locked - 2, locked - 1, locked, locked + 1 }.Select(pages.PageAfter));
            Assert.Equal(locked - 2, pages.Append(Page(size, 1)));
            Assert.Equal(locked - 1, pages.NextPage);
            Assert.Equal(locked - 1, pages.Append(Page(size, 2)));
            Assert.Equal(locked + 1, pages.NextPage);
            Assert.Equal(locked + 1, pages.Append(Page(size, 3)));
            Assert.Equal((locked + 1, locked + 2), (pages.PageCount, pages.NextPage));
            pages.Complete();
        }

        Assert.Equal((long)size * (locked + 1), new FileInfo(_path).Length);
        Assert.Equal([1, 2, 0, 3], new[] { locked - 2, locked - 1, locked, locked + 1 }.Select(number => ContentOf(size, number)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(130)]
    public void Pages_stand_in_the_order_they_came_in_and_one_is_replaced_where_it_stands(int count)
    {
        MakeFile(512, 2);
        using (PageAppender pages = new(_path))
        {
            for (int i = 0; i < count; i++)
            {
                Assert.Equal((uint)(i + 3), pages.NextPage);
                Assert.Equal((uint)(i + 3), pages.Append(Page(512, (byte)(i + 1))));
                Assert.Equal((uint)(i + 3), pages.PageCount);
            }

            pages.Replace(2, Page(512, 200));
            Assert.Equal((uint)(count + 3), pages.Append(Page(512, 201)));
            pages.Complete();
        }

        byte[] file = File.ReadAllBytes(_path);
        Assert.Equal([200, .. Enumerable.Range(1, count), 201], Enumerable.Range(2, count + 2).Select(number => ContentOf(512, (uint)number)));
        Assert.Equal(512 * (count + 3), file.Length);
        Assert.Equal((8u, (uint)(count + 3), 8u), (Number(file, 24), Number(file, 28), Number(file, 92)));
        Assert.All(file[..512].Index().Where(b => b.Index is not ((>= 16 and < 32) or (>= 92 and < 96))), b => Assert.Equal(0, b.Item));
    }

    private static uint Number(byte[] file, int offset) => BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(offset));

    private static byte[] Page(int size, byte content) => [.. Enumerable.Repeat(content, size)];

    /// <summary>A header with its page size and a change counter of 7, and pages of zeros that take no space on the disk.</summary>
    private void MakeFile(int size, uint pages)
    {
        using FileStream file = new(_path, FileMode.Create);
        byte[] header = new byte[100];
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(16), (ushort)(size == 65536 ? 1 : size));
        header[27] = 7;
        file.Write(header);
        file.SetLength(size * (long)pages);
    }

    /// <summary>The byte that a whole page consists of.</summary>
    private int ContentOf(int size, uint number)
    {
        using FileStream file = File.OpenRead(_path);
        file.Position = (number - 1) * (long)size;
        byte[] page = new byte[size];
        file.ReadExactly(page);
        return Assert.Single(page.Distinct());
    }
}
