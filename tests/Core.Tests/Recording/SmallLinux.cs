using System.Buffers.Binary;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Recording;

/// <summary>A kernel with tasks: one per-CPU area, and a function that is called once for each task there is.</summary>
internal static class SmallLinux
{
    private const ulong Tasks = SmallKernel.Data;
    private const int TaskSize = 0x100;
    private const ulong PerCpu = SmallKernel.Link + 0xF000;
    private const int CurrentTask = 0x40;
    private const int Pid = 0x10;
    private const int Tgid = 0x14;
    private const int Comm = 0x28;

    /// <summary>A kernel whose function <c>fn</c> runs once before there is any task, and then once for each; <c>EDI</c> counts.</summary>
    /// <param name="tasks">Numbers and names of the tasks; a name is sixteen bytes.</param>
    public static byte[] Build(IReadOnlyList<(int Pid, byte[] Comm)> tasks)
    {
        SmallKernel kernel = new();
        FlatGuest guest = kernel.Guest;
        guest.Code.xor(edi, edi);
        guest.Code.call(guest.At("fn"));
        guest.Code.mov(rax, PerCpu);
        guest.Code.mov(rbx, SmallKernel.Offsets);
        guest.Code.mov(__qword_ptr[rbx], rax);
        guest.Code.mov(rbx, Tasks);
        guest.Mark("loop").Code.mov(__qword_ptr[rax + CurrentTask], rbx);
        guest.Code.inc(edi);
        guest.Code.call(guest.At("fn"));
        guest.Code.add(rbx, TaskSize);
        guest.Code.cmp(edi, tasks.Count);
        guest.Code.jne(guest.At("loop"));
        guest.Exit();
        guest.Mark("fn").Code.nop();
        guest.Code.ret();
        for (int i = 0; i < tasks.Count; i++)
        {
            Span<byte> task = kernel.At(Tasks + (ulong)(i * TaskSize))[..TaskSize];
            BinaryPrimitives.WriteInt32LittleEndian(task[Pid..], tasks[i].Pid);
            BinaryPrimitives.WriteInt32LittleEndian(task[Tgid..], tasks[i].Pid + 1000);
            tasks[i].Comm.CopyTo(task[Comm..]);
            task[(Comm + 16)..].Fill((byte)'!');
        }

        int number = kernel.Types.Int("int", 4, 1);
        int comm = kernel.Types.Array(kernel.Types.Int("char", 1, 1), number, 16);
        kernel.Types.Struct("task_struct", TaskSize, ("pid", number, Pid * 8, 0), ("tgid", number, Tgid * 8, 0), ("comm", comm, Comm * 8, 0));
        return kernel.Symbol("current_task", CurrentTask).Build();
    }
}
