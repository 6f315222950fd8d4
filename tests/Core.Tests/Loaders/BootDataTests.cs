using System.Buffers.Binary;
using KprobeTrace.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

/// <summary>What is put beside an image before it is entered: plan of memory, zero page, memory map, page tables, entry states.</summary>
public sealed class BootDataTests
{
    private const ulong Memory = 16 << 20;

    [Theory]
    [InlineData(Memory - 0x10, 0x10, 0, true)]
    [InlineData(Memory - 0x10, 0x11, 0, false)]
    [InlineData(Memory - 0x10, 1, 0x10, true)]
    [InlineData(Memory - 0x10, 1, 0x11, false)]
    [InlineData(Memory, 1, 0, false)]
    [InlineData(Memory, 0, 0, true)]
    [InlineData(ulong.MaxValue, 0, 0, true)]
    [InlineData(ulong.MaxValue, 1, 0, false)]
    [InlineData(0ul, 1, 0, true)]
    [InlineData(0ul, 1, Memory, true)]
    [InlineData(0ul, 1, Memory + 1, false)]
    public void What_is_loaded_lies_within_memory(ulong address, int bytes, ulong length, bool fits)
    {
        BootPlan plan = new("x", Memory);

        Exception? error = Record.Exception(() => plan.Add("thing", address, new byte[bytes], length));

        Assert.Equal(fits, error is null);
        Assert.True(error is null || error.Message.Contains("beyond the 16777216 bytes of guest memory", StringComparison.Ordinal));
        Assert.Equal(fits && bytes > 0 ? 1 : 0, plan.Segments.Count);
    }

    [Theory]
    [InlineData(0xFF0ul, 0x10, 0, true)]
    [InlineData(0xFF0ul, 0x11, 0, false)]
    [InlineData(0xFF0ul, 1, 0x11, false)]
    [InlineData(0x1000ul, 1, 0, false)]
    [InlineData(0x101Ful, 1, 0, false)]
    [InlineData(0x1020ul, 1, 0, true)]
    [InlineData(0x800ul, 0x2000, 0, false)]
    [InlineData(0x1008ul, 0, 0, true)]
    public void What_is_loaded_overlaps_nothing(ulong address, int bytes, ulong length, bool free)
    {
        BootPlan plan = new("x", Memory);
        plan.Add("first", 0x1000, new byte[0x10], 0x20);

        Exception? error = Record.Exception(() => plan.Add("second", address, new byte[bytes], length));

        Assert.Equal(free, error is null);
        Assert.True(error is null || error.Message.Contains("overlaps the first at 0x1000-0x101f", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0ul, new ulong[] { 0, 0 })]
    [InlineData(0x9_FBFFul, new ulong[] { 0, 0x9_FBFF })]
    [InlineData(0x9_FC00ul, new ulong[] { 0, 0x9_FC00 })]
    [InlineData(0x10_0000ul, new ulong[] { 0, 0x9_FC00 })]
    [InlineData(0x10_0001ul, new ulong[] { 0, 0x9_FC00, 0x10_0000, 1 })]
    [InlineData(0x2000_0000ul, new ulong[] { 0, 0x9_FC00, 0x10_0000, 0x1FF0_0000 })]
    public void Memory_map_has_the_usable_parts_of_memory_and_what_a_PC_reserves(ulong size, ulong[] usable)
    {
        IReadOnlyList<E820Entry> map = E820Entry.ForMemory(size);

        Assert.Equal(usable, map.Where(e => e.Type == E820Entry.Usable).SelectMany(e => new[] { e.Address, e.Length }));
        Assert.Equal(
            [new E820Entry(0x9_FC00, 0x400, 2), new E820Entry(0xE_0000, 0x2_0000, 2)], map.Where(e => e.Type != E820Entry.Usable));
        Assert.Equal(map.OrderBy(e => e.Address), map);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(127, true)]
    [InlineData(128, true)]
    [InlineData(129, false)]
    public void Zero_page_holds_128_entries_of_the_map(int count, bool fits)
    {
        E820Entry[] map = [.. Enumerable.Range(1, count).Select(i => new E820Entry((ulong)i << 40, (ulong)i << 33, (uint)i))];
        BootParameters parameters = new();

        Exception? error = Record.Exception(() => parameters.SetMemoryMap(map));

        Assert.Equal(fits, error is null);
        Assert.Equal(fits ? count : 0, parameters.Bytes.Span[0x1E8]);
        for (int i = 0; fits && i < count; i++)
        {
            ReadOnlySpan<byte> entry = parameters.Bytes.Span[(0x2D0 + (20 * i))..];
            Assert.Equal(
                map[i],
                new E820Entry(BinaryPrimitives.ReadUInt64LittleEndian(entry), BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]), BinaryPrimitives.ReadUInt32LittleEndian(entry[16..])));
        }
    }

    [Fact]
    public void Zero_page_has_addresses_in_two_halves_each_at_its_offset()
    {
        BootParameters parameters = new();
        parameters.SetCommandLine(0x1122_3344_5566_7788);
        parameters.SetInitrd(0x99AA_BBCC_DDEE_FF00, 0x0102_0304_0506_0708);
        parameters.SetAcpiRsdp(0x8877_6655_4433_2211);

        (int At, uint Value)[] expected =
        [
            (0x228, 0x5566_7788), (0xC8, 0x1122_3344), (0x218, 0xDDEE_FF00), (0xC0, 0x99AA_BBCC), (0x21C, 0x0506_0708), (0xC4, 0x0102_0304),
            (0x70, 0x4433_2211), (0x74, 0x8877_6655), (0x22C, 0x7FFF_FFFF), (0x230, 0x20_0000), (0x238, 4095), (0x1FE, 0x0000_AA55 | (uint)parameters.Bytes.Span[0x200] << 16 | (uint)parameters.Bytes.Span[0x201] << 24),
        ];
        Assert.All(expected, e => Assert.Equal(e.Value, BinaryPrimitives.ReadUInt32LittleEndian(parameters.Bytes.Span[e.At..])));
        Assert.Equal("HdrS\x0F\x02"u8, parameters.Bytes.Span.Slice(0x202, 6));
        Assert.Equal(BootParameters.Size, parameters.Bytes.Length);
    }

    [Theory]
    [InlineData(0x00, 0x01)]
    [InlineData(0x01, 0x01)]
    [InlineData(0xFF, 0x3D)]
    [InlineData(0x20, 0x21)]
    public void Zero_page_says_loaded_high_and_nothing_that_was_not_done(byte header, byte flags)
    {
        byte[] bytes = new byte[0x80];
        bytes[0x211 - 0x1F1] = header;
        bytes[0x210 - 0x1F1] = 0x12;

        ReadOnlySpan<byte> page = new BootParameters(bytes).Bytes.Span;

        Assert.Equal((flags, 0xFF), (page[0x211], page[0x210]));
    }

    [Fact]
    public void Sixty_four_bit_state_is_that_of_the_boot_protocol()
    {
        InitialCpuState cpu = EntryStates.Long(0x1234, 0x5678);

        Assert.Equal((0x8000_0011ul, 0x3_0000ul, 0x20ul, 0x500ul, 2ul), (cpu.Cr0, cpu.Cr3, cpu.Cr4, cpu.Efer, cpu.Rflags));
        Assert.Equal((0x1234ul, 0x5678ul, 0x7000ul), (cpu.Rip, cpu.Registers[6], cpu.Registers[4]));
        Assert.Equal((0x1000ul, (ushort)31), (cpu.GdtBase, cpu.GdtLimit));
        Assert.Equal(new InitialSegment(0x10, 0, uint.MaxValue, 0xA09B), cpu.Cs);
        Assert.Equal(new InitialSegment(0x18, 0, uint.MaxValue, 0xC093), cpu.Data);
        Assert.Equal([0ul, 0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF], Words(EntryStates.Gdt(EntryMode.Long64)));
    }

    [Fact]
    public void Protected_mode_state_is_that_of_the_boot_protocol()
    {
        InitialCpuState cpu = EntryStates.Protected(0x1234, 0x5678);

        Assert.Equal((0x11ul, 0ul, 0ul, 0ul, 2ul), (cpu.Cr0, cpu.Cr3, cpu.Cr4, cpu.Efer, cpu.Rflags));
        Assert.Equal((0x1234ul, 0x5678ul, 0x7000ul), (cpu.Rip, cpu.Registers[6], cpu.Registers[4]));
        Assert.Equal((0x1000ul, (ushort)31), (cpu.GdtBase, cpu.GdtLimit));
        Assert.Equal(new InitialSegment(0x10, 0, uint.MaxValue, 0xC09B), cpu.Cs);
        Assert.Equal(new InitialSegment(0x18, 0, uint.MaxValue, 0xC093), cpu.Data);
        Assert.Equal([0ul, 0, 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF], Words(EntryStates.Gdt(EntryMode.Protected32)));
    }

    [Theory]
    [InlineData(0ul, 0, 0ul)]
    [InlineData(0x7C00ul, 0, 0x7C00ul)]
    [InlineData(0xFFFFul, 0, 0xFFFFul)]
    [InlineData(0x1_0000ul, 0x1000, 0ul)]
    [InlineData(0x1_000Ful, 0x1000, 0xFul)]
    [InlineData(0xF_FFFFul, 0xFFFF, 0xFul)]
    public void Real_mode_reaches_an_entry_by_the_closest_paragraph(ulong entry, ushort selector, ulong offset)
    {
        InitialCpuState cpu = EntryStates.Real(entry);

        Assert.Equal((EntryMode.Real16, offset, 0x10ul, 0ul, 0x7000ul), (cpu.Mode, cpu.Rip, cpu.Cr0, cpu.Efer, cpu.Registers[4]));
        Assert.Equal(new InitialSegment(selector, (ulong)selector << 4, 0xFFFF, 0x9B), cpu.Cs);
        Assert.Equal(new InitialSegment(0, 0, 0xFFFF, 0x93), cpu.Data);
        Assert.Equal((0x3FF, 0xFFFF), (cpu.IdtLimit, cpu.GdtLimit));
    }

    [Fact]
    public void First_four_gigabytes_are_mapped_one_to_one_and_nothing_else()
    {
        BootPageTables tables = new("x");
        foreach (ulong address in new ulong[] { 0, 0xFFF, 0x1F_FFFF, 0x20_0000, 0x3FFF_FFFF, 0x4000_0000, 0xFFFF_FFFF })
        {
            Assert.Equal(address, Translate(tables, address));
        }

        Assert.Null(Translate(tables, 0x1_0000_0000));
        Assert.Null(Translate(tables, ulong.MaxValue));
    }

    /// <summary>Linear and physical address and length of a range; its last byte is mapped, the page behind it is not.</summary>
    [Theory]
    [InlineData(0xFFFF_FFFF_8100_0000ul, 0x100_0000ul, 1ul, 0x20_0000ul)]
    [InlineData(0xFFFF_FFFF_8100_0000ul, 0x100_0000ul, 0x20_0000ul, 0x20_0000ul)]
    [InlineData(0xFFFF_FFFF_8100_0000ul, 0x100_0000ul, 0x20_0001ul, 0x20_0000ul)]
    [InlineData(0xFFFF_FFFF_8100_1000ul, 0x100_0000ul, 1ul, 0x1000ul)]
    [InlineData(0xFFFF_FFFF_8100_1000ul, 0x100_0000ul, 0x1000ul, 0x1000ul)]
    [InlineData(0xFFFF_FFFF_8100_1000ul, 0x100_0000ul, 0x1001ul, 0x1000ul)]
    [InlineData(0xFFFF_FFFF_8100_1234ul, 0x100_0234ul, 0x1000ul, 0x1000ul)]
    [InlineData(0xFFFF_8000_0000_0000ul, 0x20_1000ul, 0x1000ul, 0x1000ul)]
    [InlineData(0x7FFF_FFFF_F000ul, 0x20_0000ul, 0x1000ul, 0x1000ul)]
    public void Range_is_mapped_by_the_largest_pages_that_fit_its_addresses(ulong linear, ulong physical, ulong length, ulong page)
    {
        BootPageTables tables = new("x");
        tables.Map(linear, physical, length);

        ulong last = linear + length - 1;
        Assert.Equal(physical, Translate(tables, linear));
        Assert.Equal(physical + length - 1, Translate(tables, last));
        Assert.Equal(physical + length - 1 + (page - 1 - (last & (page - 1))), Translate(tables, last | (page - 1)));
        Assert.Null(Translate(tables, (last | (page - 1)) + 1));
        Assert.Null(Translate(tables, (linear & ~(page - 1)) - 1));
    }

    [Theory]
    [InlineData(0x7FFF_FFFF_F000ul, 0x1000ul, true)]
    [InlineData(0x7FFF_FFFF_F000ul, 0x1001ul, false)]
    [InlineData(0x8000_0000_0000ul, 1ul, false)]
    [InlineData(0xFFFF_7FFF_FFFF_F000ul, 1ul, false)]
    [InlineData(0xFFFF_8000_0000_0000ul, 1ul, true)]
    [InlineData(0xFFFF_FFFF_FFFF_F000ul, 0x1000ul, true)]
    [InlineData(0xFFFF_FFFF_FFFF_F000ul, 0x1001ul, false)]
    public void Range_lies_within_one_half_of_the_canonical_addresses(ulong linear, ulong length, bool allowed)
    {
        Exception? error = Record.Exception(() => new BootPageTables("x").Map(linear, 0x20_0000, length));

        Assert.Equal(allowed, error is null);
        Assert.True(error is null || error.Message.Contains("48-bit", StringComparison.Ordinal));
    }

    [Fact]
    public void Tables_are_as_many_as_their_room_takes()
    {
        // Top table, one table below it and four directories for the first 4 GiB; then a table, a directory and more tables for small pages.
        const int tables = (int)((BootLayout.PageTablesEnd - BootLayout.PageTables) / 0x1000);
        ulong small = (ulong)(tables - 6 - 2);
        BootPageTables full = new("x");
        full.Map(0xFFFF_8000_0000_0000, 0x1000, small << 21);
        Assert.Equal(tables * 0x1000, full.Bytes.Length);

        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => new BootPageTables("x").Map(0xFFFF_8000_0000_0000, 0x1000, (small << 21) + 1));
        Assert.Contains($"more than {tables} page tables", error.Message, StringComparison.Ordinal);
    }

    private static ulong[] Words(byte[] bytes) => [.. Enumerable.Range(0, bytes.Length / 8).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(i * 8)))];

    private static ulong? Translate(BootPageTables tables, ulong linear)
    {
        ulong table = BootLayout.PageTables;
        for (int shift = 39; ; shift -= 9)
        {
            ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(
                tables.Bytes.Span[((int)(table - BootLayout.PageTables) + (((int)(linear >> shift) & 511) * 8))..]);
            if (entry == 0)
            {
                return null;
            }

            Assert.Equal(3ul, entry & 3);
            ulong inPage = (1UL << shift) - 1;
            if (shift == 12 || (entry & 0x80) != 0)
            {
                return (entry & 0x000F_FFFF_FFFF_F000 & ~inPage) | (linear & inPage);
            }

            table = entry & 0x000F_FFFF_FFFF_F000;
        }
    }
}
