using Iced.Intel;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>32-bit code in long mode: widths, wraps and segment bases.</summary>
public sealed unsafe class CompatibilityModeTests : IDisposable
{
    private const ulong Base = 0x100;

    private readonly TestGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Pushes_calls_and_returns_are_32_bits_wide()
    {
        Caught caught = Run(0, a =>
        {
            Label function = a.CreateLabel();
            Label end = a.CreateLabel();
            a.push(0x11223344);
            a.call(function);
            a.jmp(end);
            a.Label(ref function);
            a.mov(eax, __[esp]);
            a.mov(ecx, __[esp + 4]);
            a.ret();
            a.Label(ref end);
        });

        Assert.Equal(TestGuest.UserEnd, caught.Vector);
        Assert.Equal((TestGuest.UserCode + 10, 0x11223344UL), (_guest.Rax, _guest.Rcx));
        Assert.Equal(TestGuest.UserStack - 4, caught.Sp);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(Base)]
    public void Instruction_pointers_are_offsets_in_the_code_segment(ulong codeBase)
    {
        ulong ip = TestGuest.UserCode - codeBase;
        Caught caught = Run(codeBase, a =>
        {
            Label function = a.CreateLabel();
            a.call(function);
            a.mov(ebx, (uint)ip + 0x40);
            a.call(ebx);
            a.mov(edx, (uint)ip + 0x50);
            a.jmp(edx);
            a.Label(ref function);
            a.mov(eax, __[esp]);
            a.ret();
        }, b =>
        {
            b.Assemble(32, TestGuest.UserCode + 0x40, ip + 0x40, a =>
            {
                a.mov(ecx, __[esp]);
                a.ret();
            });
            b.Assemble(32, TestGuest.UserCode + 0x50, ip + 0x50, a => a.ud2());
        });

        Assert.Equal((6, ip + 0x50, TestGuest.UserCs32), (caught.Vector, caught.Ip, caught.Cs));
        Assert.Equal((ip + 5, ip + 12), (_guest.Rax, _guest.Rcx));
    }

    [Fact]
    public void Loops_and_conditional_jumps_work_under_a_code_base()
    {
        Caught caught = Run(Base, a =>
        {
            Label loop = a.CreateLabel();
            Label far = a.CreateLabel();
            a.xor(eax, eax);
            a.mov(ecx, 10);
            a.Label(ref loop);
            a.add(eax, ecx);
            a.cmp(eax, 1000);
            a.je(far);
            a.loop(loop);
            a.Label(ref far);
        });

        Assert.Equal((TestGuest.UserEnd, 55UL), (caught.Vector, _guest.Rax));
    }

    [Fact]
    public void Addresses_wrap_at_4_gib_and_add_the_segments_base()
    {
        _guest.Write(TestGuest.UserData + 8, 0x1234567);
        _guest.Rbx = 0xFFFFFFFF_FFFFFFF0;
        _guest.Rsi = TestGuest.UserData + 0x18;

        Caught caught = Run(0, a =>
        {
            a.mov(eax, __[ebx + esi]);
            a.mov(ecx, __[esi - 0x10]);
            a.mov(edx, __.gs[0x10]);
        }, b => b.State->Segments.Gs.Base = TestGuest.UserData - 8);

        Assert.Equal(TestGuest.UserEnd, caught.Vector);
        Assert.Equal((0x1234567UL, 0x1234567UL, 0x1234567UL), (_guest.Rax, _guest.Rcx, _guest.Rdx));
    }

    [Fact]
    public void An_operand_at_the_end_of_the_space_continues_at_its_start()
    {
        _guest.Map(0xFFFFF000, 0x290000, 7);
        _guest.Map(0, 0x291000, 7);
        _guest.Write(0x290FFC, new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 });
        _guest.Rbx = 0xFFFFFFFE;

        Caught caught = Run(0, a =>
        {
            a.mov(eax, __[ebx]);
            a.mov(__dword_ptr[ebx], 0x0A0B0C0D);
        });

        Assert.Equal(TestGuest.UserEnd, caught.Vector);
        Assert.Equal(0x06050403UL, _guest.Rax);
        Assert.Equal(0x08070A0B0C0D0201UL, _guest.Read(0x290FFC));
    }

    [Fact]
    public void Upper_halves_of_registers_are_out_of_reach()
    {
        _guest.Rax = 0x11111111_22222222;
        _guest.Rcx = 0x55555555_00000000;

        Caught caught = Run(0, a =>
        {
            a.inc(eax);
            a.mov(cx, 5);
        });

        Assert.Equal(TestGuest.UserEnd, caught.Vector);
        Assert.Equal((0x22222223UL, 0x55555555_00000005UL), (_guest.Rax, _guest.Rcx));
    }

    [Fact]
    public void Push_pop_all_enter_and_leave_work()
    {
        _guest.Rax = 1;
        _guest.Rcx = 2;
        _guest.Rsi = 3;

        Caught caught = Run(0, a =>
        {
            a.mov(ebp, 0x77);
            a.pushad();
            a.mov(eax, 0x99);
            a.mov(esi, 0x98);
            a.popad();
            a.enter(16, 0);
            a.mov(edx, esp);
            a.leave();
        });

        Assert.Equal(TestGuest.UserEnd, caught.Vector);
        Assert.Equal((1UL, 2UL, 3UL, 0x77UL), (_guest.Rax, _guest.Rcx, _guest.Rsi, _guest.State->R[5]));
        Assert.Equal((TestGuest.UserStack - 20, TestGuest.UserStack), (_guest.Rdx, caught.Sp));
    }

    [Fact]
    public void Pop_ss_blocks_interrupts_for_one_instruction()
    {
        _guest.Bus.PendingVectors.Enqueue(0x40);

        Caught caught = Run(0, a =>
        {
            a.push(TestGuest.UserDs);
            a.pop(ss);
            a.nop();
            a.nop();
        }, b =>
        {
            b.Flags = Rflags.IF | 2;
            b.Bus.PendingVectors.Clear();
            b.Bus.At(2, 0x40);
        });

        Assert.Equal((0x40, TestGuest.UserCode + 4), (caught.Vector, caught.Ip));
    }

    [Fact]
    public void Syscall_from_32_bit_code_goes_to_its_own_entry()
    {
        CpuState* s = _guest.State;
        s->Star = (ulong)TestGuest.KernelCs << 32;
        s->Lstar = 0xDEAD;
        s->Cstar = TestGuest.Code;
        _guest.Assemble(TestGuest.Code, a => a.hlt());

        Caught caught = Run(Base, a => a.syscall());

        Assert.Equal((-1, TestGuest.Code), (caught.Vector, caught.Ip));
        Assert.Equal(TestGuest.UserCode - Base + 2, _guest.Rcx);
    }

    private Caught Run(ulong codeBase, Action<Assembler> program, Action<TestGuest>? prepare = null)
    {
        ulong ip = TestGuest.UserCode - codeBase;
        _guest.Assemble(32, TestGuest.UserCode, ip, a =>
        {
            program(a);
            a.@int(TestGuest.UserEnd);
        });
        _guest.EnterUser32(ip, codeBase);
        prepare?.Invoke(_guest);
        return _guest.Run();
    }
}
