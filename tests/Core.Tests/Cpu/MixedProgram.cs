using Iced.Intel;
using KprobeTrace.Cpu.State;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>
/// A program of every shape that matters to the run loop: loops, fused compares, calls, strings, shadows, ports, interrupts by
/// software, an instruction across two pages, and a store into code that runs later.
/// </summary>
internal static unsafe class MixedProgram
{
    public const int Timer = 0x40;
    public const ulong Slot = TestGuest.Data + 0x800;

    private const ulong Far = TestGuest.Code + 0x1FF0;

    /// <summary>A guest that stands before the program's first instruction, with interrupts on.</summary>
    public static TestGuest Create()
    {
        TestGuest guest = new();
        guest.Assemble(TestGuest.Code, Build);
        guest.Assemble(Far, BuildFar);
        guest.Assemble(TestGuest.Handlers + (Timer * 16), a =>
        {
            a.push(rax);
            a.jmp(TestGuest.Handlers + 0x1000);
        });
        guest.Assemble(TestGuest.Handlers + 0x1000, a =>
        {
            a.mov(rax, __[rsp + 8]);
            a.mov(__qword_ptr[Slot], rax);
            a.inc(__qword_ptr[Slot + 8]);
            a.pop(rax);
            a.iretq();
        });
        guest.Assemble(TestGuest.Handlers + (0x41 * 16), a =>
        {
            a.add(rbx, 7);
            a.iretq();
        });
        guest.Flags = Rflags.IF | 2;
        return guest;
    }

    /// <summary>Registers, flags and the program's own memory, as one comparable text.</summary>
    public static string Describe(TestGuest guest)
    {
        CpuState* s = guest.State;
        System.Text.StringBuilder text = new();
        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"rip {s->Rip:x} flags {LazyFlags.Get(s):x} cpl {s->Cpl} shadow {s->InterruptShadow} halted {s->Halted}");
        for (int i = 0; i < 16; i++)
        {
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $" {s->R[i]:x}");
        }

        for (ulong at = TestGuest.Data; at < TestGuest.Data + 0x100; at += 8)
        {
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $" {guest.Read(at):x}");
        }

        return text.ToString();
    }

    private static void Build(Assembler a)
    {
        Label loop = a.CreateLabel();
        Label skip = a.CreateLabel();
        Label function = a.CreateLabel();
        Label start = a.CreateLabel();
        a.jmp(start);
        a.Label(ref function);
        a.test(rdx, rdx);
        a.je(skip);
        a.lea(rbx, __[rbx + (rcx * 4) + 5]);
        a.Label(ref skip);
        a.ret();
        a.Label(ref start);
        a.mov(ecx, 3);
        a.mov(rdi, TestGuest.Data);
        a.xor(edx, edx);
        a.Label(ref loop);
        a.mov(__[rdi], rcx);
        a.add(rdi, 8);
        a.call(function);
        a.xor(rdx, 1);
        a.add(__qword_ptr[TestGuest.Data + 0x80], rbx);
        a.cmp(rcx, 2);
        a.cmovne(rax, rbx);
        a.dec(rcx);
        a.jne(loop);
        a.mov(ecx, 20);
        a.cld();
        a.rep.stosb();
        a.nop();
        a.cli();
        a.nop();
        a.sti();
        a.nop();
        a.mov(eax, TestGuest.KernelDs);
        a.mov(ss, eax);
        a.inc(rbx);
        a.pushfq();
        a.pop(rax);
        a.push(rax);
        a.popfq();
        a.mov(dx, 0x80);
        a.@out(dx, al);
        a.@in(al, dx);
        a.@int(0x41);
        a.mov(rax, Far);
        a.call(rax);
        a.cli();
        a.hlt();
    }

    private static void BuildFar(Assembler a)
    {
        Label next = a.CreateLabel();
        a.mov(__word_ptr[Far + 0x30], 0x9090);
        a.mov(r8d, 5);

        // Ten bytes from 0xFFF: they cross into the next page.
        a.mov(r9, 0x1122334455667788);
        a.jmp(next);
        a.Label(ref next);
        a.nop();
        a.nop();
        while (a.Instructions.Count < 9)
        {
            a.nop();
        }

        a.lea(rsi, __[r9 + r8]);
        a.shl(rsi, 3);
        a.ret();
    }
}
