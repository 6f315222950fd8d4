using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Loaders;
using Xunit;

namespace KprobeTrace.Tests.Loaders;

/// <summary>Each field of ELF, program and section headers at its least, its most and one beyond.</summary>
public sealed class ElfFieldTests
{
    private const int Programs = 64;
    private const int ProgramSize = 56;
    private const ulong Top = 0xFFFF_FFFF_FFFF_F000;

    private readonly byte[] _file = new ElfBuilder { Entry = 0x1234 }
        .Segment(0x40_0000, 0x10_0000, [.. Enumerable.Range(0, 32).Select(i => (byte)i)], memory: 48, flags: 5)
        .Section(".text", 1, new byte[8], address: 0x40_0000, flags: 6)
        .Build();

    [Fact]
    public void Fields_are_read_from_where_they_stand()
    {
        ElfFile elf = ElfFile.Parse("x", _file);

        Assert.Equal((0x1234ul, (ushort)2), (elf.Entry, elf.Type));
        ElfProgramHeader segment = Assert.Single(elf.Segments);
        Assert.Equal(new ElfProgramHeader(5, Programs + ProgramSize, 0x40_0000, 0x10_0000, 32, 48), segment);
        Assert.Equal(Enumerable.Range(0, 32).Select(i => (byte)i), elf.BytesOf(segment).ToArray());
        ElfSection text = elf.FindSection(".text")!;
        Assert.Equal((1u, 6ul, 0x40_0000ul, 8ul, 0u), (text.Type, text.Flags, text.Address, text.Size, text.Link));
        Assert.Equal(8, elf.BytesOf(text).Length);
        Assert.Null(elf.FindSection(".tex"));
    }

    [Fact]
    public void A_segment_without_memory_is_none_and_hides_none()
    {
        byte[] file = new ElfBuilder { Entry = 0x1234 }
            .Segment(0x40_0000, 0x10_0000, [])
            .Segment(0x50_0000, 0x11_0000, [1, 2, 3])
            .Build();

        Assert.Equal(0x50_0000ul, Assert.Single(ElfFile.Parse("x", file).Segments).VirtualAddress);
    }

    /// <summary>Where a field of the ELF header stands, its width, a value and what is said of it; nothing where it is sound.</summary>
    public static TheoryData<int, int, ulong, string> HeaderFields => new()
    {
        { 4, 1, 1, "not a 64-bit little-endian" },
        { 4, 1, 3, "not a 64-bit little-endian" },
        { 5, 1, 2, "not a 64-bit little-endian" },
        { 5, 1, 0, "not a 64-bit little-endian" },
        { 18, 2, 61, "machine type 61" },
        { 18, 2, 63, "machine type 63" },
        { 18, 2, 62, "" },
        { 16, 2, 0xFFFF, "" },
        { 24, 8, ulong.MaxValue, "" },
        { 54, 2, 55, "program headers" },
        { 54, 2, 57, "program headers" },
        { 54, 2, 0, "program headers" },
        { 56, 2, 0, "" },
        { 56, 2, 0xFFFF, "program headers" },
        { 32, 8, ulong.MaxValue, "program headers" },
    };

    [Theory]
    [MemberData(nameof(HeaderFields))]
    public void Header_is_sound_or_says_what_is_not(int at, int width, ulong value, string problem)
    {
        Put(at, width, value);

        AssertParses(problem);
    }

    [Theory]
    [InlineData(0, "")]
    [InlineData(1, "program headers")]
    [InlineData(-1, "")]
    public void Program_headers_may_end_with_the_file(int later, string problem)
    {
        byte[] longer = [.. _file, .. new byte[ProgramSize]];
        BinaryPrimitives.WriteUInt64LittleEndian(longer.AsSpan(32), (ulong)(_file.Length + later));

        AssertParses(problem, longer);
    }

    [Theory]
    [InlineData(63, "within the ELF header")]
    [InlineData(64, "program headers")]
    public void File_that_ends_early_says_within_what(int length, string problem) => AssertParses(problem, _file[..length]);

    /// <summary>Offset and sizes of the segment, and what is said of them.</summary>
    public static TheoryData<ulong, ulong, ulong, string> Segments => new()
    {
        { 0, 0, 1, "" },
        { 0, 1, 1, "" },
        { 0, 2, 1, "impossible sizes" },
        { 0, 0, 0, "" },
        { 1000, 5, 0, "" },
        { ulong.MaxValue, ulong.MaxValue, 0, "" },
        { 500, 12, 12, "" },
        { 500, 13, 13, "wants 13 bytes at offset 500" },
        { 512, 0, 1, "" },
        { 513, 0, 1, "wants 0 bytes at offset 513" },
        { 0, 512, 512, "" },
        { 0, 513, 513, "wants 513 bytes" },
        { ulong.MaxValue, 1, 1, "wants 1 bytes" },
        { 1, ulong.MaxValue, ulong.MaxValue, "wants" },
    };

    [Theory]
    [MemberData(nameof(Segments))]
    public void Segment_lies_within_the_file_and_is_no_larger_there_than_in_memory(ulong offset, ulong fileSize, ulong memorySize, string problem)
    {
        byte[] file = new byte[512];
        _file.AsSpan(0, Programs + ProgramSize).CopyTo(file);
        file.AsSpan(40, 24).Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(54), ProgramSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(56), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(Programs + 8), offset);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(Programs + 32), fileSize);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(Programs + 40), memorySize);

        AssertParses(problem, file);
        if (problem.Length == 0)
        {
            ElfFile elf = ElfFile.Parse("x", file);
            Assert.Equal(memorySize == 0 ? 0 : 1, elf.Segments.Count);
            Assert.All(elf.Segments, s => Assert.Equal((int)fileSize, elf.BytesOf(s).Length));
        }
    }

    /// <summary>Virtual or physical address and memory size; 2^64 is the end of memory.</summary>
    [Theory]
    [InlineData(16, Top, 0x1000ul, "")]
    [InlineData(16, Top, 0x1001ul, "impossible sizes")]
    [InlineData(16, ulong.MaxValue, 1ul, "")]
    [InlineData(16, ulong.MaxValue, 2ul, "impossible sizes")]
    [InlineData(24, Top, 0x1000ul, "")]
    [InlineData(24, Top, 0x1001ul, "impossible sizes")]
    public void Segment_ends_with_the_address_space(int field, ulong address, ulong memorySize, string problem)
    {
        Put(Programs + field, 8, address);
        Put(Programs + 32, 8, 0);
        Put(Programs + 40, 8, memorySize);

        AssertParses(problem);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(0x6474_E551)]
    public void Headers_of_other_types_are_not_looked_at(uint type)
    {
        Put(Programs, 4, type);
        Put(Programs + 8, 8, ulong.MaxValue);
        Put(Programs + 32, 8, ulong.MaxValue);

        Assert.Empty(ElfFile.Parse("x", _file).Segments);
    }

    /// <summary>Where a field of the ELF header that is about sections stands, its value, and whether there are sections then.</summary>
    public static TheoryData<int, int, ulong, bool> SectionFields => new()
    {
        { 58, 2, 63, false },
        { 58, 2, 64, true },
        { 58, 2, 65, false },
        { 60, 2, 0, false },
        { 60, 2, 2, false },
        { 60, 2, 3, true },
        { 60, 2, 4, false },
        { 62, 2, 2, true },
        { 62, 2, 3, false },
        { 40, 8, ulong.MaxValue, false },
    };

    [Theory]
    [MemberData(nameof(SectionFields))]
    public void Damaged_section_headers_count_as_none(int at, int width, ulong value, bool there)
    {
        Put(at, width, value);

        Assert.Equal(there ? 3 : 0, ElfFile.Parse("x", _file).Sections.Count);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void Section_names_lie_within_the_file(int beyond, bool there)
    {
        int names = (int)BinaryPrimitives.ReadUInt64LittleEndian(_file.AsSpan(40)) + (2 * 64);
        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(_file.AsSpan(names + 24));
        Put(names + 32, 8, (ulong)_file.Length - offset + (ulong)beyond);

        Assert.Equal(there ? 3 : 0, ElfFile.Parse("x", _file).Sections.Count);
    }

    [Theory]
    [InlineData(1, 0, 8, 8)]
    [InlineData(8, 0, 8, 0)]
    [InlineData(1, 1000, 8, 0)]
    [InlineData(1, 0, 100000, 0)]
    public void Bytes_of_a_section_are_those_in_the_file(uint type, ulong offset, ulong size, int length)
    {
        ElfSection section = new("x", type, 0, 0, offset, size, 0, 0);

        Assert.Equal(length, ElfFile.Parse("x", _file).BytesOf(section).Length);
    }

    [Theory]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    public void Name_of_a_section_is_cut_at_256_bytes(int length)
    {
        string name = new('n', length);
        byte[] file = new ElfBuilder().Section(name, 1, []).Section(".last", 1, []).Build();

        Assert.Equal(["", name[..Math.Min(length, 256)], ".last", ".shstrtab"], ElfFile.Parse("x", file).Sections.Select(s => s.Name));
    }

    [Fact]
    public void Sections_have_their_own_fields()
    {
        byte[] file = new ElfBuilder()
            .Section(".symtab", 2, new byte[24], address: 0x11, flags: 0x22, link: 2).Section(".strtab", 3, Encoding.ASCII.GetBytes("abc")).Build();
        ElfFile elf = ElfFile.Parse("x", file);

        Assert.Equal((2u, 0x22ul, 0x11ul, 24ul, 2u), (elf.Sections[1].Type, elf.Sections[1].Flags, elf.Sections[1].Address, elf.Sections[1].Size, elf.Sections[1].Link));
        Assert.Equal("abc"u8, elf.BytesOf(elf.Sections[2]).Span);
    }

    private void Put(int at, int width, ulong value)
    {
        Span<byte> word = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(word, value);
        word[..width].CopyTo(_file.AsSpan(at));
    }

    private void AssertParses(string problem, byte[]? file = null)
    {
        Exception? error = Record.Exception(() => ElfFile.Parse("x", file ?? _file));
        Assert.Equal(problem.Length == 0, error is null);
        Assert.True(error is null || (error is KprobeTraceException && error.Message.Contains(problem, StringComparison.Ordinal)), error?.Message);
    }
}
