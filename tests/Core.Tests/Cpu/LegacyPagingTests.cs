using Iced.Intel;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Paging outside long mode is not built: whoever turns it on ends the run, and no page table is misread.</summary>
public sealed unsafe class LegacyPagingTests : IDisposable
{
    private const uint Paging = 0x80000000;
    private readonly TestGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(0UL, 0UL)]
    [InlineData(Cr4.PAE, 0UL)]
    [InlineData(Cr4.PAE | Cr4.PGE, Efer.NXE)]
    public void Mov_to_cr0_in_protected_mode_ends_the_run_after_it(ulong cr4, ulong efer)
    {
        EnterProtectedMode(cr4, efer);
        ulong end = _guest.Assemble(32, TestGuest.Code, TestGuest.Code, TurnOn);
        _guest.Assemble(32, end, end, a => a.mov(__dword_ptr[(int)TestGuest.Data], 1));

        AssertRefused(end, retired: 3);
        Assert.Equal(0UL, _guest.Read(TestGuest.Data, 4));
    }

    [Fact]
    public void Single_steps_end_the_same_way()
    {
        EnterProtectedMode(0, 0);
        ulong end = _guest.Assemble(32, TestGuest.Code, TestGuest.Code, TurnOn);
        for (int i = 0; i < 3; i++)
        {
            _guest.Processor.SingleStep();
        }

        KprobeTraceException e = Assert.Throws<KprobeTraceException>(_guest.Processor.SingleStep);
        Assert.Contains($"0x{end:x}", e.Message, StringComparison.Ordinal);
        Assert.Equal((end, 3L), (_guest.State->Rip, _guest.Processor.Retired));
    }

    [Fact]
    public void A_guest_that_leaves_long_mode_and_turns_paging_on_again_ends_there()
    {
        _guest.State->Segments.Cs = new Segment { Selector = TestGuest.KernelCs32, Limit = uint.MaxValue, Attributes = 0xC09B };
        _guest.Processor.UpdateMode();
        ulong end = _guest.Assemble(32, TestGuest.Code, TestGuest.Code, a =>
        {
            a.mov(eax, cr0);
            a.and(eax, ~Paging);
            a.mov(cr0, eax);
            a.mov(ecx, 0xC0000080);
            a.rdmsr();
            a.and(eax, ~(uint)Efer.LME);
            a.wrmsr();
            TurnOn(a);
        });

        AssertRefused(end, retired: 10);
    }

    [Fact]
    public void An_entry_state_with_paging_on_ends_before_its_first_instruction()
    {
        EnterProtectedMode(Cr4.PAE, 0);
        _guest.State->Cr0 |= Cr0.PG;
        _guest.Processor.UpdateMode();
        _guest.Assemble(32, TestGuest.Code, TestGuest.Code, a => a.nop());

        AssertRefused(TestGuest.Code, retired: 0);
    }

    [Fact]
    public void Paging_into_long_mode_goes_on()
    {
        EnterProtectedMode(Cr4.PAE, Efer.LME);
        _guest.Assemble(32, TestGuest.Code, TestGuest.Code, a =>
        {
            TurnOn(a);
            a.hlt();
        });

        _guest.Run();

        Assert.True(_guest.State->InLongMode);
        Assert.Equal(4, _guest.Processor.Retired);
    }

    [Fact]
    public void Lmsw_cannot_turn_paging_on()
    {
        EnterProtectedMode(0, 0);
        _guest.Assemble(32, TestGuest.Code, TestGuest.Code, a =>
        {
            a.mov(eax, 0xFFFFFFFF);
            a.lmsw(eax);
            a.hlt();
        });

        _guest.Run();

        Assert.Equal(0UL, _guest.State->Cr0 & Cr0.PG);
    }

    private static void TurnOn(Assembler a)
    {
        a.mov(eax, cr0);
        a.or(eax, Paging);
        a.mov(cr0, eax);
    }

    private void AssertRefused(ulong rip, long retired)
    {
        for (int i = 0; i < 2; i++)
        {
            KprobeTraceException e = Assert.Throws<KprobeTraceException>(() => _guest.Processor.Run(1000));
            Assert.Contains($"outside long mode (CR0.PG without EFER.LME, before 0x{rip:x})", e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', e.Message);
            Assert.Equal((rip, retired), (_guest.State->Rip, _guest.Processor.Retired));
        }
    }

    private void EnterProtectedMode(ulong cr4, ulong efer)
    {
        CpuState* s = _guest.State;
        s->Cr0 = Cr0.PE | Cr0.ET;
        s->Cr4 = cr4;
        s->Efer = efer;
        s->Segments.Cs = new Segment { Selector = TestGuest.KernelCs32, Limit = uint.MaxValue, Attributes = 0xC09B };
        _guest.Processor.FlushTranslations();
        _guest.Processor.UpdateMode();
    }
}
