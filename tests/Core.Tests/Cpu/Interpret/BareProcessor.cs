using KprobeTrace.Cpu;
using KprobeTrace.Cpu.Binding;
using KprobeTrace.Cpu.State;
using KprobeTrace.Memory;
using Xunit;

namespace KprobeTrace.Tests.Cpu.Interpret;

/// <summary>
/// A processor in supervisor 64-bit mode with 2 MiB mapped one to one, whose exception vectors lead to addresses that
/// tell which one was raised.
/// </summary>
internal sealed unsafe class BareProcessor : IDisposable
{
    public const ulong Data = 0x8000;

    private const ulong Code = 0x10000;
    private const ulong Handlers = 0x20000;
    private const ulong Idt = 0x6000;
    private const ulong Gdt = 0x5000;

    private readonly PhysicalMemory _memory = new(0x200000);
    private readonly Processor _processor;

    public BareProcessor()
    {
        Put(0x1000, 0x2000 | 3);
        Put(0x2000, 0x3000 | 3);
        Put(0x3000, 0x83);
        Put(Gdt + 8, 0x00AF_9B00_0000_FFFF);
        for (ulong vector = 0; vector < 32; vector++)
        {
            ulong target = Handlers + vector;
            Put(Idt + (vector * 16), (target & 0xFFFF) | (8UL << 16) | (0x8E00UL << 32) | (target >> 16 << 48));
        }

        _processor = Interpreter.Create(_memory, new NoBus()).Bootstrap;
        CpuState* s = State;
        s->Cr0 = Cr0.PE | Cr0.MP | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.PG;
        s->Cr3 = 0x1000;
        s->Cr4 = Cr4.PAE | Cr4.OSFXSR | Cr4.OSXMMEXCPT;
        s->Efer = Efer.LME | Efer.LMA | Efer.NXE;
        s->GdtBase = Gdt;
        s->GdtLimit = 15;
        s->IdtBase = Idt;
        s->IdtLimit = (32 * 16) - 1;
        s->Segments.Cs = new Segment { Selector = 8, Attributes = 0xA09B, Limit = uint.MaxValue };
        s->R[4] = 0x18000;
        s->FpuControl = 0x37F;
        _processor.FlushTranslations();
        _processor.UpdateMode();
    }

    public CpuState* State => _processor.State;

    public Xmm* Xmm(int number) => (Xmm*)State->XmmRegisters + number;

    public byte* Memory(ulong address) => _memory.Base + address;

    /// <summary>Sets bits of CR0 and clears bits of CR4.</summary>
    public void SetControl(ulong setInCr0, ulong clearInCr4)
    {
        State->Cr0 |= setInCr0;
        State->Cr4 &= ~clearInCr4;
        _processor.UpdateMode();
    }

    /// <summary>Leaves long mode and paging for 32-bit code with flat segments.</summary>
    public void EnterFlat32(ulong cr0)
    {
        CpuState* s = State;
        s->Cr0 = cr0;
        s->Efer = 0;
        s->Cr4 = 0;
        for (int i = 0; i < 6; i++)
        {
            s->Segments[i] = new Segment { Attributes = 0xC093, Limit = uint.MaxValue };
        }

        s->Segments.Cs = new Segment { Attributes = 0xC09B, Limit = uint.MaxValue };
        _processor.FlushTranslations();
        _processor.UpdateMode();
    }

    /// <summary>Executes one instruction; returns the vector it raised, or -1.</summary>
    public int Run(params ReadOnlySpan<byte> instruction)
    {
        instruction.CopyTo(new Span<byte>(_memory.Base + Code, instruction.Length));
        _processor.Group.InvalidateCode(Code);
        State->Rip = Code;
        _processor.SingleStep();
        if (State->Rip >= Handlers && State->Rip < Handlers + 32)
        {
            return (int)(State->Rip - Handlers);
        }

        Assert.Equal(Code + (ulong)instruction.Length, State->Rip);
        return -1;
    }

    public void Dispose()
    {
        _processor.Group.Dispose();
        _memory.Dispose();
    }

    private void Put(ulong address, ulong value) => *(ulong*)(_memory.Base + address) = value;
}
