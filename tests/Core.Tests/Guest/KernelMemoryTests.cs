using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using Xunit;

namespace KprobeTrace.Tests.Guest;

public sealed unsafe class KernelMemoryTests
{
    private const ulong DirectMap = 0xFFFF_8880_0000_0000;
    private const ulong Tables = GuestImage.Physical + 0x1000;
    private const int RamSize = 32 << 20;

    private readonly LoadedImage _image = GuestImage.Load(static _ => { });
    private readonly SymbolTable _symbols = GuestImage.Symbols(("init_top_pgt", GuestImage.Text + 0x1000));
    private readonly GuestRam _ram = new(0, RamSize);

    [Fact]
    public void Walks_small_large_and_huge_pages()
    {
        ulong vmalloc = 0xFFFF_C900_0000_0000;
        _ram.Write(Tables + (((DirectMap >> 39) & 511) * 8), 0x2003)
            .Write(0x2000, 0x3003)
            .Write(0x3000 + 8, 0x20_00E3)
            .Write(0x2000 + 8, 0x83)
            .Write(Tables + (((vmalloc >> 39) & 511) * 8), 0x4003)
            .Write(0x4000, 0x5003).Write(0x5000, 0x6003).Write(0x6000, 0x8000_0000_0000_7003);
        KernelMemory memory = Create();

        Assert.True(memory.TryTranslate(DirectMap + 0x20_1234, out ulong large));
        Assert.True(memory.TryTranslate(DirectMap + 0x4012_3456, out ulong huge));
        Assert.True(memory.TryTranslate(vmalloc + 0x567, out ulong small));
        Assert.Equal((0x20_1234ul, 0x12_3456ul, 0x7567ul), (large, huge, small));
        Assert.False(memory.TryTranslate(DirectMap, out _));
        Assert.False(memory.TryTranslate(vmalloc + 0x1000, out _));
    }

    [Fact]
    public void Reads_across_pages_or_not_at_all()
    {
        ulong at = 0xFFFF_C900_0000_0FFE;
        _ram.Write(Tables + (((at >> 39) & 511) * 8), 0x4003)
            .Write(0x4000, 0x5003).Write(0x5000, 0x6003)
            .Write(0x6000, 0x9003).Write(0x6008, 0x7003)
            .Write(0x9FFE, 0x2211, 2).Write(0x7000, 0x4433, 2);
        KernelMemory memory = Create();
        byte[] bytes = new byte[4];

        Assert.True(memory.TryRead(at, bytes));
        Assert.Equal([0x11, 0x22, 0x33, 0x44], bytes);
        Assert.False(memory.TryRead(at + 0x1000, bytes));
    }

    [Fact]
    public void Before_the_tables_map_anything_the_image_is_where_it_was_loaded()
    {
        _ram.Write(GuestImage.Physical + 0x10, 0x1122_3344_5566_7788);
        KernelMemory memory = Create();
        byte[] bytes = new byte[8];

        Assert.True(memory.TryRead(GuestImage.Text + 0x10, bytes));
        Assert.Equal(0x1122_3344_5566_7788ul, BitConverter.ToUInt64(bytes));
        Assert.False(memory.TryRead(DirectMap, bytes));
        Assert.False(memory.TryRead(0x10, bytes));
    }

    [Fact]
    public void Tables_and_pages_beyond_memory_are_not_mapped()
    {
        _ram.Write(Tables + (((DirectMap >> 39) & 511) * 8), 0x000F_FFFF_FFFF_F003)
            .Write(Tables + (511 * 8), 0x4003)
            .Write(0x4000 + (510 * 8), 0x000F_FFFF_C000_0083);
        KernelMemory memory = Create();

        Assert.True(memory.TryGetPointer(DirectMap) is null);
        Assert.True(memory.TryGetPointer(0xFFFF_FFFF_8000_0000) is null);
    }

    [Fact]
    public void Old_kernels_call_their_top_table_otherwise()
    {
        _ram.Write(Tables + (((DirectMap >> 39) & 511) * 8), 0x2003).Write(0x2000, 0x83);
        KernelMemory memory = new(_ram.Pointer, RamSize, _image, GuestImage.Symbols(("init_level4_pgt", GuestImage.Text + 0x1000)));

        Assert.True(memory.TryTranslate(DirectMap + 0x12_3456, out ulong physical));
        Assert.Equal(0x12_3456ul, physical);
    }

    [Fact]
    public void Entry_that_is_not_present_ends_the_walk_whatever_lies_at_physical_0()
    {
        // What a walk that goes on would find: tables at 0 that map everything to themselves.
        for (int i = 0; i < 512; i++)
        {
            _ram.Write((ulong)i * 8, 0x83);
        }

        _ram.Write(Tables + (((DirectMap >> 39) & 511) * 8), 0x2003).Write(0x2000, 0);

        Assert.False(Create().TryTranslate(DirectMap, out ulong physical));
        Assert.Equal(0ul, physical);
    }

    [Fact]
    public void Table_right_behind_memory_is_none()
    {
        // The pages behind are there for the host, so that reading them would show.
        _ram.Write(Tables + (((DirectMap >> 39) & 511) * 8), 0x180_0003).Write(0x180_0000, 0x83).Write(0x17F_F000, 0x83)
            .Write(Tables + (((DirectMap >> 39) + 1 & 511) * 8), 0x17F_F003);
        KernelMemory memory = new(_ram.Pointer, 0x180_0000, _image, _symbols);

        Assert.False(memory.TryTranslate(DirectMap, out _));
        Assert.True(memory.TryTranslate(DirectMap + (1ul << 39), out _));
        Assert.True(memory.TryGetPointer(DirectMap + (1ul << 39) + 0x17F_FFFF) is not null);
        Assert.True(memory.TryGetPointer(DirectMap + (1ul << 39) + 0x180_0000) is null);
    }

    private KernelMemory Create() => new(_ram.Pointer, RamSize, _image, _symbols);
}
