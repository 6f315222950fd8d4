using Iced.Intel;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Paging as programs meet it: faults, the TLB and what flushes it.</summary>
public sealed unsafe class PagingTests : IDisposable
{
    private const ulong Page = 0x7000_0000;
    private const ulong First = 0x181000;
    private const ulong Second = 0x182000;

    private readonly TestGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void A_page_fault_gives_address_error_code_and_restartable_frame()
    {
        Caught caught = _guest.RunUser(a => a.mov(__qword_ptr[0x123458], rax));

        Assert.Equal(new Caught(14, 7, TestGuest.UserCode, TestGuest.UserCs, 0x10002, TestGuest.UserStack, TestGuest.UserDs, 0x123458), caught);
    }

    [Fact]
    public void A_fetch_fault_names_the_page_that_is_missing_not_the_instruction()
    {
        _guest.Map(Page, First, 5);
        _guest.Map(Page + 0x1000, 0, 0);
        _guest.Write(First + 0xFFE, new byte[] { 0x48, 0xB8 });
        _guest.EnterUser(Page + 0xFFE);

        Caught caught = _guest.Run();

        Assert.Equal((14, 0x14U, Page + 0xFFE, Page + 0x1000), (caught.Vector, caught.ErrorCode, caught.Ip, caught.Cr2));
    }

    [Fact]
    public void Code_outside_RAM_is_fetched_anew_each_time_it_is_reached()
    {
        // All ones are no instruction. What was decoded there once must not stand for what is decoded later elsewhere.
        _guest.Map(Page, TestGuest.MemorySize, 3);
        for (int round = 0; round < 3; round++)
        {
            ulong code = TestGuest.Code + ((ulong)round * 0x100);
            _guest.Assemble(code, a =>
            {
                a.mov(eax, round);
                a.jmp(Page);
            });
            _guest.EnterKernel(code);

            Caught caught = _guest.Run();

            Assert.Equal((6, Page), (caught.Vector, caught.Ip));
            Assert.Equal((ulong)round, _guest.Rax);
        }
    }

    [Fact]
    public void An_instruction_across_two_pages_is_fetched_from_both()
    {
        _guest.Map(Page, First, 3);
        _guest.Map(Page + 0x1000, 0x189000, 3);
        _guest.Write(First + 0xFFE, new byte[] { 0x48, 0xB8 });
        _guest.Write(0x189000, new byte[] { 1, 2, 3, 4, 5, 6, 7, 8, 0xF4 });
        _guest.EnterKernel(Page + 0xFFE);

        Caught caught = _guest.Run();

        Assert.Equal(-1, caught.Vector);
        Assert.Equal(0x0807060504030201UL, _guest.Rax);
    }

    [Theory]
    [InlineData(0x0000_8000_0000_0000UL)]
    [InlineData(0xFFFF_7FFF_FFFF_FFF9UL)]
    [InlineData(0x0000_7FFF_FFFF_FFFAUL)]
    public void An_address_that_is_not_canonical_is_a_general_protection_fault(ulong address)
    {
        _guest.Map(0x0000_7FFF_FFFF_F000, First, 3);
        _guest.Rbx = address;

        Assert.Equal("13(0)", _guest.RunKernel(a => a.mov(rax, __[rbx])).ToString());
        _guest.EnterKernel(TestGuest.Code);
        _guest.Rbx = address;
        Assert.Equal("13(0)", _guest.RunKernel(a => a.mov(__[rbx], rax)).ToString());
    }

    [Fact]
    public void An_address_that_is_not_canonical_is_a_stack_fault_through_the_stack()
    {
        (string, Action<Assembler>)[] programs =
        [
            ("mov rbp", a => a.mov(rax, __[rbp])),
            ("push", a => a.push(rax)),
            ("push immediate", a => a.push(5)),
            ("push memory", a => a.push(__qword_ptr[rbx])),
            ("pop", a => a.pop(rax)),
            ("pop memory", a => a.pop(__qword_ptr[rbx])),
            ("call", a => a.call(TestGuest.Code + 0x100)),
            ("call register", a => a.call(rbx)),
            ("ret", a => a.ret()),
            ("pushf", a => a.pushfq()),
            ("popf", a => a.popfq()),
            ("iret", a => a.iretq()),
            ("retf", a => a.db(0x48, 0xCB)),
            ("leave", a => a.leave()),
            ("enter", a => a.enter(8, 0)),
        ];
        foreach ((string name, Action<Assembler> program) in programs)
        {
            _guest.EnterKernel(TestGuest.Code);
            _guest.Rbx = TestGuest.Data;
            _guest.State->R[4] = _guest.State->R[5] = 0x8000_0000_0000_0000;
            _guest.SetGate(12, TestGuest.Handlers + (12 * 16), ist: 1);
            _guest.SetGate(13, TestGuest.Handlers + (13 * 16), ist: 1);

            Caught caught = _guest.RunKernel(program);

            Assert.Equal($"{name} 12(0) {TestGuest.Code:x}", $"{name} {caught} {caught.Ip:x}");
        }
    }

    [Fact]
    public void A_jump_beyond_the_canonical_space_faults_there()
    {
        _guest.Map(0x0000_7FFF_FFFF_F000, First, 3);
        _guest.Write(First + 0xFFF, new byte[] { 0x90 });
        _guest.EnterKernel(0x0000_7FFF_FFFF_FFFF);

        Caught caught = _guest.Run();

        Assert.Equal((13, 0U, 0x0000_8000_0000_0000UL), (caught.Vector, caught.ErrorCode, caught.Ip));
    }

    [Fact]
    public void The_tlb_keeps_a_translation_until_invlpg()
    {
        ulong entry = _guest.Map(Page, First, 3);
        _guest.Write(First, 0x11);
        _guest.Write(Second, 0x22);
        _guest.Rbx = Page;
        _guest.Rsi = entry;
        _guest.Rdi = Second | 3;

        _guest.RunKernel(a =>
        {
            a.mov(rcx, __[rbx]);
            a.mov(__[rsi], rdi);
            a.invlpg(__[rbx + 0x77]);
            a.mov(rdx, __[rbx]);
        });

        Assert.Equal((0x11UL, 0x22UL), (_guest.Rcx, _guest.Rdx));
    }

    [Theory]
    [InlineData(1, 0x200000UL)]
    [InlineData(2, 0x40000000UL)]
    public void Invlpg_of_any_address_forgets_the_whole_large_page(int level, ulong size)
    {
        ulong linear = 0x80_0000_0000;
        ulong entry = _guest.Map(linear, 0, TestGuest.PresentWrite, level);
        _guest.Write(First, 0x11);
        _guest.Rbx = linear;
        _guest.Rsi = entry;

        Caught caught = _guest.RunKernel(a =>
        {
            a.mov(rcx, __[rbx + (long)First]);
            a.mov(rdx, __[rbx + 0x1000]);
            a.mov(__qword_ptr[rsi], 0);
            a.invlpg(__[rbx + (int)(size - 1)]);
            a.mov(rdx, __[rbx + (long)First]);
        });

        Assert.Equal((14, linear + First), (caught.Vector, caught.Cr2));
        Assert.Equal(0x11UL, _guest.Rcx);
    }

    [Theory]
    [InlineData(TestGuest.GlobalPage, -1)]
    [InlineData(0UL, 14)]
    public void Only_global_pages_outlive_a_load_of_cr3(ulong global, int vector)
    {
        _guest.Rsi = _guest.Map(Page, First, 3 | global);
        _guest.Rbx = Page;

        Caught caught = _guest.RunKernel(a =>
        {
            a.mov(rcx, __[rbx]);
            a.mov(__qword_ptr[rsi], 0);
            a.mov(rax, cr3);
            a.mov(cr3, rax);
            a.mov(rcx, __[rbx]);
        });

        Assert.Equal(vector, caught.Vector);
    }

    [Fact]
    public void Clearing_global_pages_forgets_them()
    {
        _guest.Rsi = _guest.Map(Page, First, 3 | TestGuest.GlobalPage);
        _guest.Rbx = Page;

        Caught caught = _guest.RunKernel(a =>
        {
            a.mov(rcx, __[rbx]);
            a.mov(__qword_ptr[rsi], 0);
            a.mov(rax, cr4);
            a.xor(rax, (int)Cr4.PGE);
            a.mov(cr4, rax);
            a.mov(rcx, __[rbx]);
        });

        Assert.Equal(14, caught.Vector);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Code_in_a_page_that_is_mapped_anew_is_read_anew(bool userHalfLargePage)
    {
        // Two versions of a function; the page tables decide which one is called.
        ulong linear = userHalfLargePage ? 0x80_0000_0000UL : Page;
        int level = userHalfLargePage ? 1 : 0;
        ulong entry = _guest.Map(linear, userHalfLargePage ? 0UL : First, 3 | TestGuest.GlobalPage, level);
        _guest.Write(First, new byte[] { 0xB8, 1, 0, 0, 0, 0xC3 });
        _guest.Write(First + 0x200000, new byte[] { 0xB8, 2, 0, 0, 0, 0xC3 });
        _guest.Write(Second, new byte[] { 0xB8, 2, 0, 0, 0, 0xC3 });
        _guest.Rbx = userHalfLargePage ? linear + First : Page;
        _guest.Rsi = entry;
        _guest.Rdi = userHalfLargePage ? 0x200000 | 0x83 : Second | 3;

        _guest.RunKernel(a =>
        {
            a.call(rbx);
            a.mov(r8d, eax);
            a.mov(rax, cr3);
            a.mov(cr3, rax);
            a.mov(__[rsi], rdi);
            a.mov(rcx, linear);
            a.invlpg(__[rcx]);
            a.call(rbx);
        });

        Assert.Equal((1UL, 2UL), (_guest.State->R[8], _guest.Rax));
    }

    [Fact]
    public void Code_that_maps_its_own_page_anew_goes_on_in_the_new_one()
    {
        ulong entry = _guest.Map(Page, First, 3);
        void Write(ulong at, int value) => _guest.Assemble(64, at, Page, a =>
        {
            a.mov(__[rsi], rdi);
            a.invlpg(__[rbx]);
            a.mov(eax, value);
            a.hlt();
        });
        Write(First, 1);
        Write(Second, 2);
        _guest.EnterKernel(Page);
        _guest.Rbx = Page;
        _guest.Rsi = entry;
        _guest.Rdi = Second | 3;

        _guest.Run();

        Assert.Equal(2UL, _guest.Rax);
    }

    [Fact]
    public void Smap_refuses_user_pages_unless_ac_is_set()
    {
        _guest.SetCr4(Cr4.SMAP);
        _guest.Rbx = TestGuest.UserData;

        Caught refused = _guest.RunKernel(a =>
        {
            a.stac();
            a.mov(rax, __[rbx]);
            a.clac();
            a.mov(rcx, __[rbx]);
        });

        Assert.Equal((14, 1U, TestGuest.UserData), (refused.Vector, refused.ErrorCode, refused.Cr2));
        Assert.Equal(0UL, refused.Flags & Rflags.AC);
    }

    [Fact]
    public void Smap_holds_for_descriptor_tables_whatever_ac_says()
    {
        _guest.SetCr4(Cr4.SMAP);
        byte[] table = new byte[256];
        Assert.True(_guest.Memory.TryRead(TestGuest.Gdt, table));
        _guest.Write(TestGuest.UserData, table);
        _guest.State->GdtBase = TestGuest.UserData;
        _guest.Map(TestGuest.Gdt, TestGuest.Gdt, 3);

        // The handler's own code segment comes from that table, too: the fault cannot be delivered.
        _guest.Assemble(TestGuest.Code, a =>
        {
            a.stac();
            a.mov(eax, TestGuest.KernelDs);
            a.mov(ds, eax);
        });
        _guest.Processor.Run(100);

        Assert.True(_guest.Processor.ShutDown);
        Assert.Equal(TestGuest.UserData + TestGuest.KernelCs, _guest.State->Cr2);
    }

    [Fact]
    public void Smep_refuses_to_execute_user_pages()
    {
        _guest.SetCr4(Cr4.SMEP);
        _guest.Rbx = TestGuest.UserCode;

        Caught caught = _guest.RunKernel(a => a.jmp(rbx));

        Assert.Equal((14, 0x11U, TestGuest.UserCode), (caught.Vector, caught.ErrorCode, caught.Ip));
    }

    [Fact]
    public void Write_protection_can_be_switched_off()
    {
        _guest.Map(Page, First, 1);
        _guest.Rbx = Page;

        Caught caught = _guest.RunKernel(a =>
        {
            a.mov(rax, cr0);
            a.btr(rax, 16);
            a.mov(cr0, rax);
            a.mov(__qword_ptr[rbx], 5);
            a.bts(rax, 16);
            a.mov(cr0, rax);
            a.mov(__qword_ptr[rbx], 6);
        });

        Assert.Equal("14(3)", caught.ToString());
        Assert.Equal(5UL, _guest.Read(First));
    }

    [Fact]
    public void A_read_leaves_the_page_clean_and_a_later_store_makes_it_dirty()
    {
        ulong entry = _guest.Map(Page, First, 3);
        _guest.Rbx = Page;
        _guest.Rsi = entry;

        _guest.RunKernel(a =>
        {
            a.mov(rax, __[rbx]);
            a.mov(r8, __[rsi]);
            a.mov(__[rbx], rax);
            a.mov(r9, __[rsi]);
        });

        Assert.Equal(TestGuest.Accessed, _guest.State->R[8] & 0x60);
        Assert.Equal(TestGuest.Accessed | TestGuest.Dirty, _guest.State->R[9] & 0x60);
    }

    [Fact]
    public void Tables_outside_memory_fault_and_do_not_crash()
    {
        _guest.Write(_guest.EntryOf(Page, 1), 0x12_3456_7000 | 3);
        _guest.Rbx = Page;

        Caught caught = _guest.RunKernel(a => a.mov(rax, __[rbx]));

        Assert.Equal((14, 9U), (caught.Vector, caught.ErrorCode));
    }
}
