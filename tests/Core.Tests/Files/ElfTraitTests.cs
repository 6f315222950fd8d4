using System.Buffers.Binary;
using KprobeTrace.Files;
using Xunit;

namespace KprobeTrace.Tests.Files;

/// <summary>Which linked ELF files are no kernels: each sign with the least that shows it, and one step beside it.</summary>
public sealed class ElfTraitTests
{
    private const uint Load = 1;
    private const uint Dynamic = 2;
    private const uint Interpreter = 3;
    private const uint Note = 4;
    private const uint Readable = 4;
    private const uint Executable = 5;
    private const ulong Default = 0x40_0000;
    private const string Kernel = "an x86-64 ELF file";
    private const string Program = "a program of user space";
    private const string FreeBsd = "a FreeBSD kernel, which its own loader prepares";
    private const string SharedObject = "a shared object";

    [Theory]
    [InlineData("31 ED 48 89 E7", Program)] // xor ebp, ebp; mov rdi, rsp
    [InlineData("F3 0F 1E FA 31 ED 48 89 E7", Program)] // endbr64 first
    [InlineData("48 31 ED 48 89 E7", Program)] // with REX.W
    [InlineData("90 48 31 ED 48 89 E7", Kernel)]
    [InlineData("F3 0F 1E FA 48 31 ED 48 89 E7", Program)]
    [InlineData("F3 0F 1E FA 90 48 31 ED 48 89 E7", Kernel)]
    [InlineData("F3 0F 1E FB 31 ED 48 89 E7", Kernel)]
    [InlineData("31 ED 90 48 89 E7", Kernel)]
    [InlineData("31 ED 48 89 E6", Kernel)]
    [InlineData("31 EC 48 89 E7", Kernel)]
    [InlineData("48 89 E7", Kernel)]
    [InlineData("31 ED 5E", Program)] // pop rsi
    [InlineData("31 ED 49 89 D1 5E", Program)] // mov r9, rdx; pop rsi
    [InlineData("31 ED 90 49 89 D1 5E", Program)]
    [InlineData("31 ED 90 90 49 89 D1 5E", Kernel)]
    [InlineData("31 ED 5E F4 F4 F4 F4 F4 F4 5E", Program)] // the first one counts
    [InlineData("31 ED", Kernel)]
    [InlineData("5E 31 ED", Kernel)]
    public void An_entry_that_takes_its_arguments_from_the_stack_is_a_programs(string code, string called)
    {
        byte[] bytes = [.. Bytes(code), 0xF4, 0xF4, 0xF4, 0xF4, 0xF4, 0xF4];

        Assert.Equal(called, Name(Elf(entry: 0x10_0000, (Load, Executable, 0x10_0000, bytes))));
    }

    [Theory]
    [InlineData(0x7fff_ffff_fff0UL, 0xfUL, Program)]
    [InlineData(0x7fff_ffff_fff0UL, 0x10UL, Kernel)]
    [InlineData(0xffff_ffff_8100_0000UL, 0UL, Kernel)]
    [InlineData(0UL, 0UL, Program)]
    public void Only_an_entry_in_the_lower_half_is_a_programs(ulong address, ulong offset, string called)
    {
        byte[] code = new byte[64];
        Bytes("31 ED 5E").CopyTo(code, (int)offset);

        Assert.Equal(called, Name(Elf(address + offset, (Load, Executable, address, code))));
    }

    [Theory]
    [InlineData(0, Program)]
    [InlineData(-1, Kernel)]
    [InlineData(13, Program)]
    [InlineData(16, Kernel)]
    public void Code_is_what_the_entry_points_to(int offset, string called)
    {
        byte[] code = new byte[16];
        if (offset is >= 0 and < 16)
        {
            Bytes("31 ED 5E").CopyTo(code, offset);
        }

        Assert.Equal(called, Name(Elf(0x10_0000 + (ulong)offset, (Load, Executable, 0x10_0000, code))));
    }

    [Fact]
    public void Code_is_looked_for_in_executable_segments_and_the_first_one_counts()
    {
        byte[] program = [0x31, 0xED, 0x5E, 0x90];
        byte[] other = [0xF4, 0xF4, 0xF4, 0xF4];

        Assert.Equal(Kernel, Name(Elf(0x10_0000, (Load, Readable, 0x10_0000, program))));
        Assert.Equal(Program, Name(Elf(0x10_0000, (Load, Readable, 0x10_0000, other), (Load, Executable, 0x10_0000, program))));
        Assert.Equal(Program, Name(Elf(0x10_0000, (Load, Executable, 0x20_0000, other), (Load, 1, 0x10_0000, program))));
        Assert.Equal(Kernel, Name(Elf(0x10_0000, (Load, Executable, 0x10_0000, other), (Load, Executable, 0x10_0000, program))));
        Assert.Equal(Kernel, Name(Elf(0x10_0000, (Note, Executable, 0x10_0000, program))));
    }

    [Theory]
    [InlineData("0F 05", Default, true, Program)]
    [InlineData("CD 80", Default, true, Program)]
    [InlineData("90 90", Default, true, Kernel)]
    [InlineData("0F 05 0F 30", Default, true, Kernel)] // wrmsr
    [InlineData("CD 80 0F 30", Default, true, Kernel)]
    [InlineData("0F 01 CD 80", Default, true, Kernel)] // lidt
    [InlineData("0F 01 F8 0F 05", Default, true, Kernel)]
    [InlineData("0F 05", Default + 0x1000, true, Kernel)]
    [InlineData("0F 05", Default - 0x1000, true, Kernel)]
    [InlineData("0F 05", Default, false, Kernel)]
    public void System_calls_where_a_linker_puts_a_program_are_a_programs(string code, ulong address, bool fromStart, string called)
    {
        byte[] bytes = [.. Bytes(code), 0xF4];
        byte[] file = Elf(address + 120, (Load, Executable, address, bytes));
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(64 + 8), fromStart ? 0 : 120UL);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(64 + 32), fromStart ? (ulong)file.Length : (ulong)bytes.Length);
        if (!fromStart)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(24), address);
        }

        Assert.Equal(called, Name(file));
    }

    [Fact]
    public void System_calls_count_that_stand_in_the_segment_behind_a_programs_header()
    {
        byte[] code = [0x90, 0x0F, 0x05, 0xF4];
        byte[] file = Elf(Default + 0x1000, (Load, Readable, Default, []), (Load, Executable, Default + 0x1000, code));
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(64 + 8), 0);
        Assert.Equal(Program, Name(file));

        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(64 + 8), 1);
        Assert.Equal(Kernel, Name(file));
    }

    [Theory]
    [InlineData("/red/herring\0", FreeBsd)]
    [InlineData("/red/herrin\0", Program)]
    [InlineData("/lib64/ld-linux-x86-64.so.2\0", Program)]
    [InlineData("", Program)]
    public void An_interpreter_is_a_programs_but_for_that_of_FreeBSDs_kernel(string path, string called)
    {
        byte[] name = System.Text.Encoding.ASCII.GetBytes(path);

        Assert.Equal(called, Name(Elf(0, (Interpreter, Readable, 0, name))));
        Assert.Equal(called, Name(Elf(0, (Interpreter, Readable, 0, name), (Interpreter, Readable, 0, "/lib/ld.so"u8.ToArray()))));
        Assert.Equal(called, Name(Elf(0, (Interpreter, Readable, 0, "/lib/ld.so"u8.ToArray()), (Interpreter, Readable, 0, name))));
    }

    [Theory]
    [InlineData(0, Kernel)]
    [InlineData(2, Kernel)]
    [InlineData(3, Program)]
    [InlineData(4, Kernel)]
    public void An_operating_system_in_the_header_is_a_programs(byte system, string called)
    {
        byte[] file = Elf(0);
        file[7] = system;

        Assert.Equal(64, file.Length);
        Assert.Equal(called, Name(file));
    }

    [Theory]
    [InlineData(0, SharedObject)]
    [InlineData(1, SharedObject)]
    [InlineData(1023, SharedObject)]
    [InlineData(1024, Kernel)]
    public void A_name_of_a_shared_object_is_looked_for_in_so_many_entries(int entriesBefore, string called)
    {
        byte[] entries = new byte[(entriesBefore + 1) * 16];
        for (int i = 0; i < entriesBefore; i++)
        {
            entries[i * 16] = 1; // DT_NEEDED
        }

        entries[entriesBefore * 16] = 14; // DT_SONAME

        Assert.Equal(called, Name(Elf(0, (Dynamic, Readable, 0, entries))));
    }

    [Theory]
    [InlineData("0E 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", SharedObject)]
    [InlineData("0E 00 00 00 00 00 00 00 00 00 00 00 00 00 00", Kernel)]
    [InlineData("0D 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", Kernel)]
    [InlineData("0F 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", Kernel)]
    [InlineData("00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 0E 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", Kernel)]
    [InlineData("01 00 00 00 00 00 00 00 0E 00 00 00 00 00 00 00", Kernel)]
    public void A_name_of_a_shared_object_is_an_entry_before_the_last(string entries, string called) =>
        Assert.Equal(called, Name(Elf(0, (Dynamic, Readable, 0, Bytes(entries)))));

    [Theory]
    [InlineData(4, 4, 1, "GNU\0", 16, Program)]
    [InlineData(4, 4, 1, "GNU\0", 15, Kernel)]
    [InlineData(4, 4, 2, "GNU\0", 16, Kernel)]
    [InlineData(4, 4, 0, "GNU\0", 16, Kernel)]
    [InlineData(4, 4, 4, "GNU\0", 16, Kernel)]
    [InlineData(4, 4, 4, "Go\0\0", 16, Program)]
    [InlineData(4, 4, 1, "Go\0\0", 16, Kernel)]
    [InlineData(4, 4, 3, "Go\0\0", 16, Kernel)]
    [InlineData(4, 4, 5, "Go\0\0", 16, Kernel)]
    [InlineData(3, 4, 1, "GNU\0", 16, Kernel)]
    [InlineData(5, 4, 1, "GNU\0", 20, Kernel)]
    [InlineData(4, 4, 1, "GNX\0", 16, Kernel)]
    public void A_note_names_the_kernel_that_a_program_needs(uint nameSize, uint size, uint type, string name, int bytes, string called) =>
        Assert.Equal(called, Name(Elf(0, (Note, Readable, 0, NoteOf(nameSize, size, type, name)[..bytes]))));

    [Theory]
    [InlineData(0u, 0u, 0)]
    [InlineData(1u, 0u, 4)]
    [InlineData(4u, 1u, 8)]
    [InlineData(5u, 3u, 12)]
    [InlineData(8u, 4u, 12)]
    [InlineData(4u, 5u, 12)]
    public void Names_and_contents_of_notes_are_filled_up_to_four_bytes(uint nameSize, uint size, int room)
    {
        byte[] first = [.. NoteOf(nameSize, size, 9, "")[..12], .. new byte[room]];
        byte[] second = NoteOf(4, 0, 1, "GNU\0");

        Assert.Equal(Program, Name(Elf(0, (Note, Readable, 0, [.. first, .. second]))));
        Assert.Equal(Kernel, Name(Elf(0, (Note, Readable, 0, [.. first, 0, 0, 0, 0, .. second]))));
        Assert.Equal(Program, Name(Elf(0, (Note, Readable, 0, first), (Note, Readable, 0, second))));
        Assert.Equal(Program, Name(Elf(0, (Note, Readable, 0, second), (Note, Readable, 0, first))));
    }

    [Theory]
    [InlineData((1 << 14) - 12 - 16, Program)]
    [InlineData((1 << 14) - 12 - 12, Kernel)]
    [InlineData(int.MaxValue, Kernel)]
    [InlineData(-1, Kernel)]
    public void Notes_are_looked_at_up_to_16_KiB(int size, string called)
    {
        byte[] notes = new byte[(1 << 14) + 64];
        NoteOf(0, (uint)size, 9, "")[..12].CopyTo(notes, 0);
        if (size is > 0 and < 1 << 15)
        {
            NoteOf(4, 0, 1, "GNU\0").CopyTo(notes, 12 + size);
        }

        Assert.Equal(called, Name(Elf(0, (Note, Readable, 0, notes))));
    }

    [Theory]
    [InlineData(56, Program)]
    [InlineData(55, Kernel)]
    public void A_program_header_that_the_file_cuts_off_is_absent(int bytes, string called) =>
        Assert.Equal(called, Name(Elf(0, (Interpreter, Readable, 0, []))[..(64 + bytes)]));

    [Theory]
    [InlineData(1, Program)]
    [InlineData(0, Kernel)]
    public void As_many_program_headers_are_read_as_the_header_says(ushort count, string called)
    {
        byte[] file = Elf(0, (Interpreter, Readable, 0, []));
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(56), count);

        Assert.Equal(called, Name(file));
    }

    [Fact]
    public void Of_several_signs_the_most_telling_one_names_the_file()
    {
        byte[] soname = Bytes("0E 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
        (uint, uint, ulong, byte[]) shared = (Dynamic, Readable, 0, soname);

        Assert.Equal(FreeBsd, Name(Elf(0, shared, (Interpreter, Readable, 0, "/red/herring"u8.ToArray()))));
        Assert.Equal(SharedObject, Name(Elf(0, shared, (Interpreter, Readable, 0, []))));
        Assert.Equal(SharedObject, Name(Elf(0, shared, (Dynamic, Readable, 0, []))));
        Assert.Equal(FileFamily.Executable, FileRecogniser.Recognise(Elf(0, (Interpreter, Readable, 0, "/red/herring"u8.ToArray())))!.Family);
        Assert.Equal(FileFamily.Foreign, FileRecogniser.Recognise(Elf(0, shared))!.Family);
        Assert.Equal(FileFamily.Foreign, FileRecogniser.Recognise(Elf(0, (Interpreter, Readable, 0, [])))!.Family);
    }

    [Theory]
    [InlineData(0, 62, 2, FileFamily.Foreign, "an ELF file of unknown type 0")]
    [InlineData(1, 62, 2, FileFamily.Foreign, "an object file")]
    [InlineData(2, 62, 2, FileFamily.Kernel, Kernel)]
    [InlineData(3, 62, 2, FileFamily.Executable, "a shared object or position-independent executable")]
    [InlineData(4, 62, 2, FileFamily.Foreign, "a core dump")]
    [InlineData(5, 62, 2, FileFamily.Foreign, "an ELF file of unknown type 5")]
    [InlineData(2, 62, 1, FileFamily.Foreign, "an ELF executable for x32, x86-64 with 32-bit pointers")]
    [InlineData(3, 3, 1, FileFamily.Foreign, "a shared object or position-independent executable for 32-bit x86")]
    [InlineData(1, 3, 1, FileFamily.Foreign, "an object file for 32-bit x86")]
    [InlineData(4, 6, 1, FileFamily.Foreign, "a core dump for 32-bit x86")]
    [InlineData(9, 40, 1, FileFamily.Foreign, "an ELF file for 32-bit ARM")]
    internal void Type_machine_and_word_size_name_a_file(ushort type, ushort machine, byte wordSize, FileFamily family, string called)
    {
        byte[] file = Elf(0);
        file[4] = wordSize;
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(16), type);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(18), machine);

        FileKind kind = FileRecogniser.Recognise(file)!;

        Assert.Equal((family, called), (kind.Family, kind.Name));
    }

    [Theory]
    [InlineData(4, 0)]
    [InlineData(4, 3)]
    [InlineData(5, 0)]
    [InlineData(5, 3)]
    public void A_header_of_no_word_size_or_byte_order_says_nothing_of_a_processor(int at, byte value)
    {
        byte[] file = Elf(0);
        file[18] = 40;
        Assert.Equal("an ELF executable for 32-bit ARM", Name(file));
        Assert.Equal("an ELF executable for 32-bit ARM", Name(file[..20]));
        Assert.Equal(Kernel, Name(file[..19]));

        file[at] = value;
        Assert.Equal(Kernel, Name(file));
    }

    [Fact]
    public void A_big_endian_file_is_none_of_x86_64()
    {
        byte[] file = Elf(0);
        file[5] = 2;
        (file[16], file[17], file[18], file[19]) = (0, 2, 0, 62);

        Assert.Equal("an ELF executable for x86-64", Name(file));
    }

    [Fact]
    public void A_module_is_known_by_the_section_of_its_structure()
    {
        byte[] file = [.. Elf(0), .. ".gnu.linkonce.this_module"u8];
        file[16] = 1;
        Assert.Equal("a kernel module", Name(file));
        Assert.Equal(FileFamily.Foreign, FileRecogniser.Recognise(file)!.Family);

        file[^1] = 0;
        Assert.Equal("an object file", Name(file));
    }

    private static string Name(byte[] file) => FileRecogniser.Recognise(file)!.Name;

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));

    private static byte[] NoteOf(uint nameSize, uint size, uint type, string name)
    {
        byte[] note = new byte[12 + 8];
        BinaryPrimitives.WriteUInt32LittleEndian(note, nameSize);
        BinaryPrimitives.WriteUInt32LittleEndian(note.AsSpan(4), size);
        BinaryPrimitives.WriteUInt32LittleEndian(note.AsSpan(8), type);
        System.Text.Encoding.ASCII.GetBytes(name).CopyTo(note, 12);
        return note;
    }

    /// <summary>An executable for x86-64 of program headers and, behind them, what each describes.</summary>
    private static byte[] Elf(ulong entry, params (uint Type, uint Flags, ulong Address, byte[] Bytes)[] parts)
    {
        List<byte> file = [.. new byte[64 + (parts.Length * 56)]];
        byte[] heads = new byte[file.Count];
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(heads);
        (heads[16], heads[18]) = (2, 62);
        BinaryPrimitives.WriteUInt64LittleEndian(heads.AsSpan(24), entry);
        BinaryPrimitives.WriteUInt64LittleEndian(heads.AsSpan(32), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(heads.AsSpan(56), (ushort)parts.Length);
        for (int i = 0; i < parts.Length; i++)
        {
            Span<byte> head = heads.AsSpan(64 + (i * 56));
            BinaryPrimitives.WriteUInt32LittleEndian(head, parts[i].Type);
            BinaryPrimitives.WriteUInt32LittleEndian(head[4..], parts[i].Flags);
            BinaryPrimitives.WriteUInt64LittleEndian(head[8..], (ulong)file.Count);
            BinaryPrimitives.WriteUInt64LittleEndian(head[16..], parts[i].Address);
            BinaryPrimitives.WriteUInt64LittleEndian(head[32..], (ulong)parts[i].Bytes.Length);
            file.AddRange(parts[i].Bytes);
        }

        byte[] whole = [.. file];
        heads.CopyTo(whole, 0);
        return whole;
    }
}
