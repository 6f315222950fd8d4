using System.Buffers.Binary;

namespace KprobeTrace.Files;

/// <summary>What a linked 64-bit ELF file shows of its purpose. Damaged parts count as absent.</summary>
internal readonly record struct ElfTraits(bool IsSharedObject, bool IsProgram, bool IsFreeBsdKernel)
{
    private const int ProgramHeaderSize = 56;
    private const uint Load = 1;
    private const uint Dynamic = 2;
    private const uint Interpreter = 3;
    private const uint Note = 4;
    private const uint ExecuteFlag = 1;
    private const int LinuxSystem = 3;
    private const ulong SharedName = 14;
    private const uint AbiNote = 1;
    private const uint GoNote = 4;
    private const ulong KernelHalf = 0x8000_0000_0000;

    /// <summary>Bytes of notes and of dynamic entries that are looked at: headers may name the same ones over and over.</summary>
    private const ulong Looked = 1 << 14;

    // Where GNU ld puts a program that nobody told where to go.
    private const ulong DefaultAddress = 0x40_0000;

    internal static ElfTraits Read(ReadOnlySpan<byte> file, in ElfHeader header)
    {
        bool program = header.OperatingSystem == LinuxSystem;
        bool shared = false;
        bool freeBsd = false;
        bool atDefault = false;
        ReadOnlySpan<byte> code = default;
        ulong entry = file.Length >= 64 ? Quad(file[24..]) : 0;
        ReadOnlySpan<byte> table = Part(file, file.Length >= 64 ? Quad(file[32..]) : ulong.MaxValue, ulong.MaxValue);
        int count = file.Length >= 64 ? BinaryPrimitives.ReadUInt16LittleEndian(file[56..]) : 0;
        for (int i = 0; i < count && table.Length >= ProgramHeaderSize; i++, table = table[ProgramHeaderSize..])
        {
            ulong offset = Quad(table[8..]);
            ulong address = Quad(table[16..]);
            ReadOnlySpan<byte> bytes = Part(file, offset, Quad(table[32..]));
            switch (BinaryPrimitives.ReadUInt32LittleEndian(table))
            {
                case Load:
                    atDefault |= offset == 0 && address == DefaultAddress;
                    if (code.IsEmpty && (BinaryPrimitives.ReadUInt32LittleEndian(table[4..]) & ExecuteFlag) != 0 && entry - address < (ulong)bytes.Length)
                    {
                        code = bytes[(int)(entry - address)..];
                        program |= atDefault && CallsAKernel(bytes);
                    }

                    break;
                case Dynamic:
                    shared |= HasSharedName(Part(bytes, 0, Looked));
                    break;
                case Interpreter:
                    freeBsd |= bytes.StartsWith("/red/herring"u8);
                    program = true;
                    break;
                case Note:
                    program |= HasProgramNote(Part(bytes, 0, Looked));
                    break;
                default:
                    break;
            }
        }

        program |= entry < KernelHalf && TakesArguments(code);
        return new ElfTraits(shared, program, freeBsd);
    }

    /// <summary>The entry of a program clears RBP and finds its arguments on the stack (System V ABI, "Process initialization").</summary>
    private static bool TakesArguments(ReadOnlySpan<byte> code)
    {
        code = code[..Math.Min(code.Length, 24)];
        if (code.StartsWith((ReadOnlySpan<byte>)[0xF3, 0x0F, 0x1E, 0xFA]))
        {
            code = code[4..];
        }

        ReadOnlySpan<byte> clear = [0x31, 0xED];
        int at = code.IndexOf(clear);
        ReadOnlySpan<byte> takeStack = [0x48, 0x89, 0xE7];
        ReadOnlySpan<byte> popCount = [0x5E];
        return at is 0 or 1 && (code[(at + 2)..].StartsWith(takeStack) || code[(at + 2)..].IndexOf(popCount) is >= 0 and <= 4);
    }

    /// <summary>System calls, and neither the WRMSR that enables them nor an interrupt table that would take them.</summary>
    private static bool CallsAKernel(ReadOnlySpan<byte> code)
    {
        ReadOnlySpan<byte> systemCall = [0x0F, 0x05];
        ReadOnlySpan<byte> interrupt = [0xCD, 0x80];
        ReadOnlySpan<byte> writeMsr = [0x0F, 0x30];
        ReadOnlySpan<byte> loadTable = [0x0F, 0x01];
        return (code.IndexOf(systemCall) >= 0 || code.IndexOf(interrupt) >= 0)
            && code.IndexOf(writeMsr) < 0 && code.IndexOf(loadTable) < 0;
    }

    private static bool HasSharedName(ReadOnlySpan<byte> entries)
    {
        for (; entries.Length >= 16; entries = entries[16..])
        {
            ulong tag = Quad(entries);
            if (tag is 0 or SharedName)
            {
                return tag == SharedName;
            }
        }

        return false;
    }

    private static bool HasProgramNote(ReadOnlySpan<byte> notes)
    {
        while (notes.Length >= 16)
        {
            uint nameSize = BinaryPrimitives.ReadUInt32LittleEndian(notes);
            uint size = BinaryPrimitives.ReadUInt32LittleEndian(notes[4..]);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(notes[8..]);
            if (nameSize == 4 && ((type == AbiNote && notes[12..].StartsWith("GNU\0"u8)) || (type == GoNote && notes[12..].StartsWith("Go\0\0"u8))))
            {
                return true;
            }

            ulong next = 12 + (((ulong)nameSize + 3) & ~3UL) + (((ulong)size + 3) & ~3UL);
            if (next > (ulong)notes.Length)
            {
                return false;
            }

            notes = notes[(int)next..];
        }

        return false;
    }

    private static ulong Quad(ReadOnlySpan<byte> at) => BinaryPrimitives.ReadUInt64LittleEndian(at);

    private static ReadOnlySpan<byte> Part(ReadOnlySpan<byte> file, ulong offset, ulong size)
    {
        if (offset >= (ulong)file.Length)
        {
            return default;
        }

        ReadOnlySpan<byte> rest = file[(int)offset..];
        return rest[..(int)Math.Min((ulong)rest.Length, size)];
    }
}
