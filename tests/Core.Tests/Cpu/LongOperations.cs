using Iced.Intel;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Guests that keep the processor busy for years, each in another way.</summary>
internal static unsafe class LongOperations
{
    /// <summary>512 GiB of linear addresses that all lead to the same 2 MiB of RAM, and 512 GiB that lead to device registers.</summary>
    private const ulong RamWindow = 1UL << 39;
    private const ulong MmioWindow = 2UL << 39;
    private const ulong Tables = 0x3F0000;

    private const int Timer = 0x40;
    private const ulong CodePageEnd = TestGuest.Code + 0x1000;

    private static readonly SortedDictionary<string, Action<TestGuest>> _all = new(StringComparer.Ordinal)
    {
        ["rep lodsb"] = guest => Repeat(guest, RamWindow, RamWindow, a => a.rep.lodsb()),
        ["rep lodsb downwards"] = guest => Repeat(guest, MmioWindow - 8, 0, a =>
        {
            a.std();
            a.rep.lodsb();
        }),
        ["rep lodsb of device registers"] = guest => Repeat(guest, MmioWindow, 0, a => a.rep.lodsb()),
        ["repne scasb"] = guest => Repeat(guest, 0, RamWindow, a => a.repne.scasb()),
        ["repne scasq of device registers"] = guest => Repeat(guest, 0, MmioWindow, a => a.repne.scasq()),
        ["repe cmpsb"] = guest => Repeat(guest, RamWindow, RamWindow, a => a.repe.cmpsb()),
        ["rep movsb"] = guest => Repeat(guest, RamWindow, RamWindow + 0x100000, a => a.rep.movsb()),
        ["rep movsb onto itself"] = guest => Repeat(guest, RamWindow, RamWindow + 1, a => a.rep.movsb()),
        ["rep movsd to device registers"] = guest => Repeat(guest, RamWindow, MmioWindow, a => a.rep.movsd()),
        ["rep stosq"] = guest => Repeat(guest, 0, RamWindow, a => a.rep.stosq()),
        ["rep stosb to device registers"] = guest => Repeat(guest, 0, MmioWindow, a => a.rep.stosb()),
        ["rep insb"] = guest => Repeat(guest, 0, RamWindow, a => a.rep.insb()),
        ["rep outsb"] = guest => Repeat(guest, RamWindow, 0, a => a.rep.outsb()),
        ["short repetitions in a loop"] = guest => Repeat(guest, RamWindow, RamWindow, a =>
        {
            Label again = a.CreateLabel();
            a.Label(ref again);
            a.mov(ecx, 0xFFFF);
            a.rep.lodsb();
            a.jmp(again);
        }),
        ["probed rep lodsb"] = guest =>
        {
            Repeat(guest, RamWindow, 0, a => a.rep.lodsb());
            Probe(guest, BreakpointAction.StepThenNotify);
        },
        ["rep lodsb with a breakpoint on it"] = guest =>
        {
            Repeat(guest, RamWindow, 0, a => a.rep.lodsb());
            guest.State->Dr[0] = TestGuest.Code;
            guest.State->Dr[7] = 0x402;
            guest.Flags |= Rflags.RF; // as the handler of the breakpoint leaves it
            guest.Processor.UpdateBreakpoints();
        },
        ["rep lodsb after sti"] = guest => Repeat(guest, RamWindow, 0, a =>
        {
            a.sti();
            a.rep.lodsb();
        }),
        ["a loop in one page"] = guest => Loop(guest, a => a.nop()),
        ["a loop of transcendental functions"] = guest => Loop(guest, a =>
        {
            a.fninit();
            a.fldpi();
            a.fsincos();
            a.fpatan();
            a.fld1();
            a.fyl2x();
            a.fstp(st0);
        }),
        ["a loop of partial remainders"] = guest => Loop(guest, a =>
        {
            a.fninit();
            a.fldpi();
            a.fld1();
            a.fscale();
            a.fprem();
        }),
        ["a loop of divisions in four lanes"] = guest =>
        {
            guest.SetCr4(Cr4.OSFXSR);
            Loop(guest, a =>
            {
                a.divps(xmm0, xmm1);
                a.sqrtps(xmm2, xmm0);
            });
        },
        ["a loop of nested frames"] = guest => Loop(guest, a =>
        {
            a.mov(rsp, TestGuest.KernelStack);
            a.mov(rbp, TestGuest.KernelStack);
            a.enter(0, 31);
        }),
        ["a loop across two pages"] = guest =>
        {
            guest.Assemble(TestGuest.Code, a => a.jmp(CodePageEnd));
            guest.Assemble(CodePageEnd, a => a.jmp(TestGuest.Code));
        },
        ["an instruction across two pages"] = guest =>
        {
            guest.Assemble(CodePageEnd - 3, a =>
            {
                a.mov(rax, 0x1122334455667788);
                a.jmp(CodePageEnd - 3);
            });
            guest.EnterKernel(CodePageEnd - 3);
        },
        ["code that rewrites itself"] = guest => Loop(guest, a => a.mov(__byte_ptr[TestGuest.Code + 0x800], 1)),
        ["a loop that the trap flag steps"] = guest =>
        {
            guest.Assemble(TestGuest.Handlers + 16, a => a.iretq());
            Loop(guest, a => a.nop());
            guest.Flags = Rflags.TF | 2;
        },
        ["hlt with interrupts that go on for ever"] = guest =>
        {
            guest.Assemble(TestGuest.Handlers + (Timer * 16), a => a.iretq());
            guest.Bus.Period = 1_000_000;
            guest.Bus.At(1, Timer);
            Loop(guest, a =>
            {
                a.sti();
                a.hlt();
            });
        },
        ["a storm of interrupts"] = guest =>
        {
            guest.Assemble(TestGuest.Handlers + (Timer * 16), a => a.iretq());
            guest.Bus.Period = 1;
            guest.Bus.At(1, Timer);
            Loop(guest, a => a.sti());
        },
        ["hlt with a masked timer"] = MaskedTimer,
        ["an undefined instruction that is its own handler"] = UndefinedHandler,
        ["a storm of software interrupts"] = guest =>
        {
            guest.SetGate(3, TestGuest.Code, ist: 1);
            guest.Assemble(TestGuest.Code, a => a.int3());
        },
    };

    /// <summary>The names of all of them.</summary>
    public static IEnumerable<string> Names => _all.Keys;

    /// <summary>A guest that stands before the operation.</summary>
    public static TestGuest Create(string name)
    {
        TestGuest guest = new();
        MapWindow(guest, RamWindow, 0, slot: 0);
        MapWindow(guest, MmioWindow, ScriptedBus.MmioBase, slot: 1);
        guest.EnterKernel(TestGuest.Code);
        _all[name](guest);
        return guest;
    }

    /// <summary>A halted processor with a timer that wakes it and an interrupt that never comes of it.</summary>
    public static void MaskedTimer(TestGuest guest)
    {
        guest.Bus.Period = 1;
        guest.Bus.At(1, ScriptedBus.Silent);
        guest.Assemble(TestGuest.Code, a =>
        {
            a.sti();
            a.hlt();
        });
    }

    /// <summary>#UD whose handler is the undefined instruction itself, on a stack that never runs out.</summary>
    public static void UndefinedHandler(TestGuest guest)
    {
        guest.SetGate(6, TestGuest.Code, ist: 1);
        guest.Assemble(TestGuest.Code, a => a.ud2());
    }

    private static void Repeat(TestGuest guest, ulong source, ulong destination, Action<Assembler> build)
    {
        guest.Rcx = 0x4f28661549587848;
        guest.Rsi = source;
        guest.Rdi = destination;
        guest.Rax = 0x5A;
        guest.Rdx = 0x80;
        guest.Assemble(TestGuest.Code, a =>
        {
            build(a);
            a.hlt();
        });
    }

    private static void Loop(TestGuest guest, Action<Assembler> build) =>
        guest.Assemble(TestGuest.Code, a =>
        {
            Label again = a.CreateLabel();
            a.Label(ref again);
            build(a);
            a.jmp(again);
        });

    private static void Probe(TestGuest guest, BreakpointAction action)
    {
        BreakpointRecorder overlay = new() { Action = action };
        overlay.Addresses.Add(TestGuest.Code);
        guest.Processor.Group.FetchOverlay = overlay;
        guest.Processor.Group.BreakpointHandler = overlay;
    }

    private static void MapWindow(TestGuest guest, ulong linear, ulong physical, ulong slot)
    {
        ulong pointers = Tables + (slot * 0x2000);
        ulong directory = pointers + 0x1000;
        guest.Write(guest.EntryOf(linear, 3), pointers | TestGuest.PresentWrite);
        for (ulong i = 0; i < 512; i++)
        {
            guest.Write(pointers + (i * 8), directory | TestGuest.PresentWrite);
            guest.Write(directory + (i * 8), physical | TestGuest.PresentWrite | TestGuest.LargePage);
        }
    }
}
