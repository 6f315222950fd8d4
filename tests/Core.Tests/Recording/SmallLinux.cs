using System.Buffers.Binary;
using System.Text;
using KprobeTrace.Tests.Loaders;
using KprobeTrace.Tests.Symbols;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Recording;

/// <summary>
/// The least that is taken for a Linux kernel: a banner, symbols, types of tasks, page tables that map it high, one per-CPU area, and
/// a function that is called once for each task there is.
/// </summary>
internal static class SmallLinux
{
    public const ulong Link = 0xFFFF_FFFF_8100_0000;

    private const ulong Physical = 0x100_0000;
    private const int Size = 0x1_0000;
    private const int Offsets = 0x1000;
    private const int TopTable = 0x4000;
    private const int HighTable = 0x5000;
    private const int LowTable = 0x6000;
    private const int Directory = 0x7000;
    private const int Tasks = 0x8000;
    private const int TaskSize = 0x100;
    private const int PerCpu = 0xF000;
    private const int CurrentTask = 0x40;
    private const int Pid = 0x10;
    private const int Tgid = 0x14;
    private const int Comm = 0x28;

    /// <summary>A kernel whose function <c>fn</c> runs once before there is any task, and then once for each; <c>EDI</c> counts.</summary>
    /// <param name="tasks">Numbers and names of the tasks; a name is sixteen bytes.</param>
    public static byte[] Build(IReadOnlyList<(int Pid, byte[] Comm)> tasks)
    {
        FlatGuest guest = new(Link);
        guest.Code.mov(eax, (uint)Physical + TopTable);
        guest.Code.mov(cr3, rax);
        guest.Code.mov(rax, Link + 0x100);
        guest.Code.jmp(rax);
        Pad(guest, 0x100);
        guest.Code.mov(rsp, Link + 0x3000);
        guest.Code.xor(edi, edi);
        guest.Code.call(guest.At("fn"));
        guest.Code.mov(rax, Link + PerCpu);
        guest.Code.mov(rbx, Link + Offsets);
        guest.Code.mov(__qword_ptr[rbx], rax);
        guest.Code.mov(rbx, Link + Tasks);
        guest.Mark("loop").Code.mov(__qword_ptr[rax + CurrentTask], rbx);
        guest.Code.inc(edi);
        guest.Code.call(guest.At("fn"));
        guest.Code.add(rbx, TaskSize);
        guest.Code.cmp(edi, tasks.Count);
        guest.Code.jne(guest.At("loop"));
        guest.Exit();
        guest.Mark("fn").Code.nop();
        guest.Code.ret();
        byte[] image = new byte[Size];
        guest.Assemble().CopyTo(image, 0);
        "Linux version 6.1.0-small (x) #1\0"u8.CopyTo(image.AsSpan(0x2000));
        WriteTables(image);
        for (int i = 0; i < tasks.Count; i++)
        {
            Span<byte> task = image.AsSpan(Tasks + (i * TaskSize), TaskSize);
            BinaryPrimitives.WriteInt32LittleEndian(task[Pid..], tasks[i].Pid);
            BinaryPrimitives.WriteInt32LittleEndian(task[Tgid..], tasks[i].Pid + 1000);
            tasks[i].Comm.CopyTo(task[Comm..]);
            task[(Comm + 16)..].Fill((byte)'!');
        }

        return new ElfBuilder { Entry = Physical }
            .Segment(Link, Physical, image)
            .Section(".text", 1, new byte[16], address: Link, flags: 6)
            .Section(".symtab", 2, SymbolTable(guest.Addresses, out byte[] names), link: 3)
            .Section(".strtab", 3, names)
            .Section(".BTF", 1, Types())
            .Build();
    }

    private static void Pad(FlatGuest guest, int to)
    {
        int length = guest.Assemble().Length;
        guest.Code.db(Enumerable.Repeat((byte)0x90, to - length).ToArray());
    }

    private static void WriteTables(byte[] image)
    {
        Word(TopTable, Physical + LowTable + 3);
        Word(TopTable + (511 * 8), Physical + HighTable + 3);
        Word(LowTable, Physical + Directory + 3);
        Word(HighTable + (510 * 8), Physical + Directory + 3);
        for (int i = 0; i < 16; i++)
        {
            Word(Directory + (i * 8), ((ulong)i << 21) + 0x83);
        }

        void Word(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(at), value);
    }

    private static byte[] SymbolTable(Dictionary<string, ulong> places, out byte[] names)
    {
        Dictionary<string, ulong> symbols = new(places)
        {
            ["_stext"] = Link,
            ["_etext"] = Link + 0x1000,
            ["_end"] = Link + Size,
            ["__per_cpu_offset"] = Link + Offsets,
            ["current_task"] = CurrentTask,
            ["init_top_pgt"] = Link + TopTable,
        };
        StringBuilder text = new("\0");
        List<byte> table = [.. new byte[24]];
        foreach ((string name, ulong address) in symbols)
        {
            byte[] entry = new byte[24];
            BinaryPrimitives.WriteInt32LittleEndian(entry, text.Length);
            entry[4] = 0x12;
            entry[6] = 1;
            BinaryPrimitives.WriteUInt64LittleEndian(entry.AsSpan(8), address);
            table.AddRange(entry);
            text.Append(name).Append('\0');
        }

        names = Encoding.ASCII.GetBytes(text.ToString());
        return [.. table];
    }

    private static byte[] Types()
    {
        BtfBuilder types = new();
        int number = types.Int("int", 4, 1);
        int comm = types.Array(types.Int("char", 1, 1), number, 16);
        types.Struct("task_struct", TaskSize, ("pid", number, Pid * 8, 0), ("tgid", number, Tgid * 8, 0), ("comm", comm, Comm * 8, 0));
        return types.Build();
    }
}
