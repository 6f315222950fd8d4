using KprobeTrace.Memory;
using KprobeTrace.Tests.Cpu;
using KprobeTrace.Tests.Guests;
using Xunit;

namespace KprobeTrace.Tests.Memory;

public sealed class PageWalkerTests : IDisposable
{
    private const ulong Linear = 0x40_8060_1000;
    private const ulong Cr3 = 0x300000;
    private const PageAccess Modern = PageAccess.WriteProtect | PageAccess.NoExecuteEnabled | PageAccess.Smep | PageAccess.Smap;

    private readonly TestGuest _guest = new();

    public static TheoryData<string> Rights()
    {
        TheoryData<string> cases = [];
        foreach (string line in File.ReadLines(Repository.PathOf("tests/Core.Tests/Memory/Tables/page-rights.txt")))
        {
            if (line.Length > 0 && line[0] != '#')
            {
                cases.Add(line);
            }
        }

        return cases;
    }

    public void Dispose() => _guest.Dispose();

    [Theory]
    [MemberData(nameof(Rights))]
    public void Allows_or_refuses_as_the_table_says(string row)
    {
        string[] columns = row.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        for (int level = 0; level < 3; level++)
        {
            ulong linear = Linear + ((ulong)level << 40);
            _guest.Map(linear & ~((1UL << (12 + (9 * level))) - 1), 0, Bits(columns[0]), level);

            PageWalk walk = PageWalker.Walk(_guest.Memory, Cr3, linear, Access(columns[1], columns[2]));

            Assert.Equal(columns[3], walk.Ok ? "ok" : walk.ErrorCode.ToString("x", System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    [Theory]
    [InlineData(0, 0x1000UL)]
    [InlineData(1, 0x200000UL)]
    [InlineData(2, 0x40000000UL)]
    public void Translates_pages_of_every_size(int level, ulong size)
    {
        _guest.Map(Linear & ~(size - 1), 0x40000000, TestGuest.PresentWrite, level);

        PageWalk walk = PageWalker.Walk(_guest.Memory, Cr3, Linear + 0x123, PageAccess.None);

        Assert.True(walk.Ok);
        Assert.Equal(size, walk.PageSize);
        Assert.Equal(0x40000000 + ((Linear + 0x123) & (size - 1)), walk.Physical);
    }

    [Theory]
    [InlineData(PageAccess.None, false)]
    [InlineData(PageAccess.Fetch, false)]
    [InlineData(PageAccess.Write, true)]
    internal void Sets_accessed_bit_on_every_level_and_dirty_bit_on_the_leaf_of_a_store(PageAccess access, bool dirty)
    {
        for (int leaf = 0; leaf < 3; leaf++)
        {
            ulong linear = Linear + ((ulong)leaf << 40);
            _guest.Map(linear & ~((1UL << (12 + (9 * leaf))) - 1), 0, TestGuest.PresentWrite, leaf);

            PageWalk walk = PageWalker.Walk(_guest.Memory, Cr3, linear, access);

            Assert.True(walk.Ok);
            Assert.Equal(dirty, walk.Writable);
            for (int level = leaf; level < 4; level++)
            {
                ulong expected = TestGuest.Accessed | (dirty && level == leaf ? TestGuest.Dirty : 0);
                Assert.Equal(expected, _guest.Read(_guest.EntryOf(linear, level)) & (TestGuest.Accessed | TestGuest.Dirty));
            }
        }
    }

    [Fact]
    public void A_refused_store_sets_no_dirty_bit()
    {
        ulong entry = _guest.Map(Linear, 0, 1);

        PageWalk walk = PageWalker.Walk(_guest.Memory, Cr3, Linear, PageAccess.Write | Modern);

        Assert.False(walk.Ok);
        Assert.Equal(0UL, _guest.Read(entry) & TestGuest.Dirty);
    }

    [Fact]
    public void Looking_in_from_outside_needs_no_rights_and_leaves_no_trace()
    {
        ulong entry = _guest.Map(Linear, 0x5000, 1 | TestGuest.NoExecute);

        PageWalk walk = PageWalker.Walk(_guest.Memory, Cr3, Linear, PageAccess.Peek | PageAccess.User | PageAccess.Write | Modern);

        Assert.True(walk.Ok);
        Assert.Equal(0x5000UL, walk.Physical);
        Assert.Equal(0UL, _guest.Read(entry) & (TestGuest.Accessed | TestGuest.Dirty));
    }

    [Theory]
    [InlineData(0, 40)]
    [InlineData(0, 51)]
    [InlineData(1, 40)]
    [InlineData(1, 13)]
    [InlineData(1, 20)]
    [InlineData(2, 13)]
    [InlineData(2, 29)]
    [InlineData(3, 7)]
    public void Reserved_bits_fault_with_their_own_error_code(int level, int bit)
    {
        ulong entry = level == 3 ? _guest.EntryOf(Linear, 3) : _guest.Map(Linear & ~((1UL << (12 + (9 * level))) - 1), 0, TestGuest.PresentWrite, level);
        ulong value = level == 3 ? 0x3F0000 | TestGuest.PresentWrite : _guest.Read(entry);
        _guest.Write(entry, value | (1UL << bit));

        PageWalk walk = PageWalker.Walk(_guest.Memory, Cr3, Linear, PageAccess.Write | PageAccess.User | PageAccess.NoExecuteEnabled);

        Assert.False(walk.Ok);
        Assert.Equal(0xFU, walk.ErrorCode);
    }

    [Theory]
    [InlineData(0, 52)]
    [InlineData(0, 9)]
    [InlineData(0, 7)]
    [InlineData(1, 12)]
    [InlineData(2, 12)]
    public void Ignored_and_memory_type_bits_do_not_fault(int level, int bit)
    {
        ulong entry = _guest.Map(Linear & ~((1UL << (12 + (9 * level))) - 1), 0, TestGuest.PresentWrite, level);
        _guest.Write(entry, _guest.Read(entry) | (1UL << bit));

        PageWalk walk = PageWalker.Walk(_guest.Memory, Cr3, Linear, PageAccess.None);

        Assert.True(walk.Ok);
        Assert.Equal(Linear & ((1UL << (12 + (9 * level))) - 1), walk.Physical);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Rights_of_upper_tables_bind_the_page_below(int level)
    {
        _guest.Map(Linear, 0, TestGuest.PresentWrite | TestGuest.UserPage);
        ulong upper = _guest.EntryOf(Linear, level);
        ulong value = _guest.Read(upper);

        _guest.Write(upper, value & ~TestGuest.UserPage);
        Assert.Equal(5U, PageWalker.Walk(_guest.Memory, Cr3, Linear, PageAccess.User).ErrorCode);
        _guest.Write(upper, value & ~2UL);
        Assert.Equal(7U, PageWalker.Walk(_guest.Memory, Cr3, Linear, PageAccess.User | PageAccess.Write).ErrorCode);
        _guest.Write(upper, value | TestGuest.NoExecute);
        Assert.Equal(0x15U, PageWalker.Walk(_guest.Memory, Cr3, Linear, PageAccess.User | PageAccess.Fetch | PageAccess.NoExecuteEnabled).ErrorCode);
        _guest.Write(upper, value & ~1UL);
        Assert.Equal(4U, PageWalker.Walk(_guest.Memory, Cr3, Linear, PageAccess.User).ErrorCode);
    }

    [Theory]
    [InlineData(0x00007FFFFFFFFFFFUL, true)]
    [InlineData(0x0000800000000000UL, false)]
    [InlineData(0xFFFF7FFFFFFFFFFFUL, false)]
    [InlineData(0xFFFF800000000000UL, true)]
    public void Knows_canonical_addresses(ulong linear, bool canonical) =>
        Assert.Equal(canonical, PageWalker.IsCanonical(linear));

    private static ulong Bits(string letters) =>
        (letters.Contains('p', StringComparison.Ordinal) ? 1UL : 0)
        | (letters.Contains('w', StringComparison.Ordinal) ? 2UL : 0)
        | (letters.Contains('u', StringComparison.Ordinal) ? 4UL : 0)
        | (letters.Contains('x', StringComparison.Ordinal) ? TestGuest.NoExecute : 0);

    private static PageAccess Access(string modes, string access)
    {
        PageAccess bits = access switch { "w" => PageAccess.Write, "f" => PageAccess.Fetch, _ => PageAccess.None };
        foreach (string mode in modes.Split(','))
        {
            bits |= mode switch
            {
                "wp" => PageAccess.WriteProtect,
                "nxe" => PageAccess.NoExecuteEnabled,
                "smep" => PageAccess.Smep,
                "smap" => PageAccess.Smap,
                "user" => PageAccess.User,
                _ => PageAccess.None,
            };
        }

        return bits;
    }
}
