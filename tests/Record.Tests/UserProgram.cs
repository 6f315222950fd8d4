using System.Buffers.Binary;
using System.Text;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Record;

/// <summary>A program in assembly that a stock kernel runs as process 1, with nothing else in user space.</summary>
internal static class UserProgram
{
    /// <summary>Where the file, and so the program's code, is mapped.</summary>
    public const ulong Base = 0x40_0000;

    /// <summary>Memory of its own behind the file: 16 pages of zeros, each there only once it is touched.</summary>
    public const ulong Untouched = 0x40_2000;

    private const int ElfHeaderSize = 64;
    private const int ProgramHeaderSize = 56;
    private const int EntryOffset = ElfHeaderSize + ProgramHeaderSize;
    private const int CharacterDevice = 0x2180;
    private const int Executable = 0x81ed;

    /// <summary>Makes a system call with what the registers hold.</summary>
    public static void SystemCall(this Assembler code, uint number)
    {
        code.mov(eax, number);
        code.syscall();
    }

    /// <summary>Powers the machine off.</summary>
    public static void PowerOff(this Assembler code)
    {
        code.mov(edi, 0xfee1_dead);
        code.mov(esi, 672_274_793);
        code.mov(edx, 0x4321_fedc);
        code.SystemCall(169);
    }

    /// <summary>An initramfs with the program as /init and the console it writes to.</summary>
    public static byte[] Initramfs(Action<Assembler> program)
    {
        MemoryStream archive = new();
        AddEntry(archive, "dev", 0x41ed, [], 0, 0);
        AddEntry(archive, "dev/console", CharacterDevice, [], 5, 1);
        AddEntry(archive, "init", Executable, Elf(program), 0, 0);
        AddEntry(archive, "TRAILER!!!", 0, [], 0, 0);
        return archive.ToArray();
    }

    private static byte[] Elf(Action<Assembler> program)
    {
        Assembler assembler = new(64);
        program(assembler);
        MemoryStream code = new();
        assembler.Assemble(new StreamCodeWriter(code), Base + EntryOffset);
        byte[] file = new byte[EntryOffset + code.Length];
        code.ToArray().CopyTo(file, EntryOffset);

        // ELF64, little-endian, executable, x86-64; one segment: the whole file, then zeros.
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(file);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(16), 0x3e_0002);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(24), Base + EntryOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(32), ElfHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(52), ElfHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(54), ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(56), 1);
        Span<byte> segment = file.AsSpan(ElfHeaderSize);
        BinaryPrimitives.WriteUInt32LittleEndian(segment, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(segment[4..], 7);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[16..], Base);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[24..], Base);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[32..], (ulong)file.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[40..], Untouched + 0x1_0000 - Base);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[48..], 0x1000);
        return file;
    }

    /// <summary>One member of a cpio archive in the "newc" format: 13 numbers of 8 hexadecimal digits, name, content.</summary>
    private static void AddEntry(MemoryStream archive, string name, int mode, byte[] content, int major, int minor)
    {
        int[] fields = [0, mode, 0, 0, 1, 0, content.Length, 0, 0, major, minor, name.Length + 1, 0];
        archive.Write("070701"u8);
        archive.Write(Encoding.ASCII.GetBytes(string.Concat(fields.Select(f => f.ToString("x8", null)))));
        archive.Write(Encoding.ASCII.GetBytes(name + "\0"));
        Pad();
        archive.Write(content);
        Pad();

        void Pad() => archive.Write(new byte[-archive.Length & 3]);
    }
}
