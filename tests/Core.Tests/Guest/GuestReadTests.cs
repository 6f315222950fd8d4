using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Guest;
using KprobeTrace.Loaders;
using KprobeTrace.Symbols;
using KprobeTrace.Tests.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Guest;

/// <summary>Kernel memory by random page tables, texts, and the areas where probes are refused, each computed a second time.</summary>
public sealed unsafe class GuestReadTests
{
    private const ulong Text = GuestImage.Text;
    private const ulong Ram = 0xFFFF_8880_0000_0000;
    private const ulong Tables = GuestImage.Physical + 0x1000;
    private const ulong RamSize = 20 << 20;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Addresses_are_translated_as_the_manual_walks_the_tables(int seed)
    {
        Random random = new(seed);
        GuestRam ram = new(0, (int)RamSize);
        Dictionary<ulong, ulong> words = [];
        ulong nextTable = 0x1_0000;
        List<ulong> addresses = [];
        for (int i = 0; i < 60; i++)
        {
            ulong address = Ram + ((ulong)random.Next(3) << 39) + ((ulong)random.Next(3) << 30) + ((ulong)random.Next(3) << 21) + ((ulong)random.Next(6) << 12);
            addresses.Add(address);
            ulong table = Tables;
            foreach (int shift in (int[])[39, 30, 21, 12])
            {
                ulong at = table + (((address >> shift) & 511) * 8);
                if (!words.TryGetValue(at, out ulong entry))
                {
                    bool large = shift is 30 or 21 && random.Next(4) == 0;
                    bool present = random.Next(16) > 0;
                    ulong target = large || shift == 12 ? DrawPage(random, shift) : random.Next(40) == 0 ? RamSize : nextTable += 0x1000;
                    entry = target | (present ? 1UL : 0) | (large ? 0x80UL : shift == 12 && random.Next(2) == 0 ? 0x80UL : 0)
                        | 0x62 | (random.Next(2) == 0 ? 1UL << 63 : 0) | (random.Next(2) == 0 ? 0x7FF0_0000_0000_0000UL : 0);
                    words[at] = entry;
                    ram.Write(at, entry);
                }

                if ((entry & 1) == 0 || (shift is 30 or 21 && (entry & 0x80) != 0) || (entry & 0xF_FFFF_FFFF_F000) >= RamSize)
                {
                    break;
                }

                table = entry & 0xF_FFFF_FFFF_F000;
            }
        }

        KernelMemory memory = new(ram.Pointer, RamSize, GuestImage.Load(static _ => { }), GuestImage.Symbols(("init_top_pgt", Text + 0x1000)));
        int mapped = 0;
        foreach (ulong page in addresses)
        {
            foreach (ulong offset in (ulong[])[0, 1, 0xFFF, 0x1000, 0x20_0123])
            {
                ulong? expected = Walk(page + offset, words);
                Assert.Equal(expected is not null, memory.TryTranslate(page + offset, out ulong physical));
                Assert.Equal(expected ?? 0, physical);
                bool inRam = expected is ulong p && (p & ~0xFFFUL) + 0x1000 <= RamSize;
                Assert.Equal(inRam ? (nint)(ram.Pointer + expected!.Value) : 0, (nint)memory.TryGetPointer(page + offset));
                mapped += inRam ? 1 : 0;
            }
        }

        Assert.True(mapped > 10, "too few pages are mapped to say anything");
    }

    [Theory]
    [InlineData(0, 10, 10)]
    [InlineData(9, 10, 10)]
    [InlineData(10, 10, 10)]
    [InlineData(300, 600, 300)]
    [InlineData(300, 300, 300)]
    [InlineData(300, 299, 299)]
    [InlineData(256, 600, 256)]
    [InlineData(5, 0, 0)]
    public void A_text_ends_at_its_zero_or_its_limit(int length, int limit, int read)
    {
        foreach (ulong at in (ulong[])[0, 1, 255])
        {
            GuestRam ram = new(Ram, 0x1000);
            ram.Write(Ram + at, Encoding.ASCII.GetBytes(new string('x', length)));

            Assert.Equal(new string('x', Math.Min(length, read)), ram.ReadString(Ram + at, limit));
        }
    }

    [Fact]
    public void A_text_of_which_a_part_cannot_be_read_is_none()
    {
        GuestRam ram = new(Ram, 0x200);
        ram.Write(Ram + 0x1FC, "abc\0"u8);
        Assert.Equal("abc", ram.ReadString(Ram + 0x1FC, 100));
        ram.Write(Ram + 0x1FF, (ulong)'d', 1);
        Assert.Null(ram.ReadString(Ram + 0x1FC, 100));
        Assert.Equal("abcd", ram.ReadString(Ram + 0x1FC, 4));
        Assert.Null(ram.ReadString(Ram + 0x200, 1));

        ram.Write(Ram, 0x1122_3344_5566_7788);
        Assert.True(ram.TryReadUInt64(Ram, out ulong quad) && ram.TryReadUInt32(Ram, out uint word) && (quad, word) == (0x1122_3344_5566_7788, 0x5566_7788));
        Assert.False(ram.TryReadUInt64(Ram + 0x1F9, out quad) || quad != 0);
        Assert.False(ram.TryReadUInt32(Ram + 0x1FD, out word) || word != 0);
        Assert.True(ram.TryReadUInt64(Ram + 0x1F8, out _) && ram.TryReadUInt32(Ram + 0x1FC, out _));
    }

    [Fact]
    public void Probes_are_refused_in_listed_functions_and_in_areas_wherever_they_touch_and_overlap()
    {
        // Functions of 16 bytes; the list is in no order and names one twice, one of an area as well.
        (string, ulong)[] functions = [.. Enumerable.Range(0, 40).Select(i => ($"f{i}", Text + (ulong)(i * 16)))];
        ulong[] listed = [20, 3, 4, 3, 33, 11];
        LoadedImage image = GuestImage.Load(bytes =>
        {
            for (int i = 0; i < listed.Length; i++)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(0x1000 + (i * 8)), Text + (listed[i] * 16));
            }
        });
        GuestTables tables = new(image, GuestImage.Symbols(
        [
            .. functions, ("_end", Text + 0x4000),
            ("__start_kprobe_blacklist", Text + 0x1000), ("__stop_kprobe_blacklist", Text + 0x1030),
            ("__kprobes_text_start", Text + 0x50), ("__kprobes_text_end", Text + 0x70),
            ("__noinstr_text_start", Text + 0xA0), ("__noinstr_text_end", Text + 0xC0),
            ("__entry_text_start", Text + 0x1F0), ("__entry_text_end", Text + 0x200),
        ]), null);

        int[] refused = [3, 4, 5, 6, 10, 11, 20, 31, 33];
        for (int at = 0; at < 40 * 16; at++)
        {
            Assert.True(refused.Contains(at / 16) == tables.IsBlacklisted(Text + (ulong)at), $"at {at:x}");
        }

        Assert.Equal(
            (ulong[])[20, 3, 4, 3, 33, 11, 5, 6, 10, 11, 31],
            tables.Blacklist.Select(r => (r.Start - Text) / 16));
        Assert.All(tables.Blacklist, r => Assert.Equal(16UL, r.End - r.Start));
    }

    [Theory]
    [InlineData(0x3FE8, 0x4000, 2)]
    [InlineData(0x3FE8, 0x3FFF, 1)]
    [InlineData(0x3FE8, 0x3FE8, 0)]
    [InlineData(0x3FE8, 0x3FE7, 0)]
    [InlineData(0x3FE8, 0x4001, 0)]
    public void A_table_lies_in_the_image_as_a_whole_or_is_empty(int start, int stop, int entries)
    {
        LoadedImage image = GuestImage.Load(static bytes => bytes.AsSpan(0x3FE8).Fill(1));
        GuestTables tables = new(image, GuestImage.Symbols(
            ("__start___ex_table", Text + (ulong)start), ("__stop___ex_table", Text + (ulong)stop)), null);

        Assert.Equal(
            Enumerable.Range(0, entries).Select(i => Text + (ulong)start + (ulong)(i * 12) + 0x0101_0101), tables.ExceptionSites);
    }

    [Fact]
    public void Tables_without_symbols_are_found_by_their_sections()
    {
        byte[] bytes = new byte[GuestImage.Size];
        "Linux version 6.1.0 x"u8.CopyTo(bytes.AsSpan(GuestImage.Size - 64));
        for (int i = 0; i < 0x200; i += 4)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(0x1000 + i), 0x100);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(0x2000), Text + 0x40);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(0x2010), Text + 0x20);
        ElfBuilder elf = new ElfBuilder { Entry = GuestImage.Physical }.Segment(Text, GuestImage.Physical, bytes);
        foreach ((string name, int at, int size) in ((string, int, int)[])
            [("__ex_table", 0x1000, 24), ("__jump_table", 0x1020, 32), ("__bug_table", 0x1040, 36), (".static_call_sites", 0x1080, 16), ("__mcount_loc", 0x2000, 24)])
        {
            elf.Section(name, 1, bytes[at..(at + size)], Text + (ulong)at, 2);
        }

        LoadedImage image = ImageLoader.Load("vmlinux", elf.Build(), new ImageLoadOptions { MemorySize = 64 << 20 });
        GuestTables tables = new(image, SymbolTable.Empty, null);

        Assert.Equal((ulong[])[0x1100, 0x110C], tables.ExceptionSites.Select(a => a - Text));
        Assert.Equal((ulong[])[0x1120, 0x1130], tables.JumpLabels.Select(a => a - Text));
        Assert.Equal((ulong[])[0x1140, 0x114C, 0x1158], tables.BugSites.Select(a => a - Text));
        Assert.Equal((ulong[])[0x1180, 0x1188], tables.StaticCalls.Select(a => a - Text));
        Assert.Equal((ulong[])[0x20, 0x40], tables.FtraceSites.Select(a => a - Text));
        Assert.NotNull(tables.StaticCallAt(Text + 0x1184));
        Assert.Null(tables.StaticCallAt(Text + 0x1185));
    }

    private static ulong DrawPage(Random random, int shift) => shift switch
    {
        30 => (ulong)random.Next(2) << 30,
        21 => (ulong)random.Next(12) << 21,
        _ => (ulong)random.Next(0x1400 + 8) << 12,
    };

    /// <summary>The walk of four levels (Intel SDM vol. 3A, 4.5), by what was written to the tables.</summary>
    private static ulong? Walk(ulong address, Dictionary<ulong, ulong> words)
    {
        ulong table = Tables;
        ulong pageSize = 1UL << 39;
        for (int level = 4; level >= 1; level--)
        {
            ulong index = address / pageSize % 512;
            ulong entry = table < RamSize ? words.GetValueOrDefault(table + (index * 8)) : 0;
            if (entry % 2 == 0)
            {
                return null;
            }

            ulong target = entry & 0x000F_FFFF_FFFF_F000;
            if (level == 1 || (level < 4 && (entry & 0x80) != 0))
            {
                return (target / pageSize * pageSize) + (address % pageSize);
            }

            table = target;
            pageSize /= 512;
        }

        return null;
    }
}
