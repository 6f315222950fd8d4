using Iced.Intel;
using KprobeTrace.Cpu;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Single steps and breakpoints of the debug registers (Intel SDM vol. 3B chapter 18).</summary>
public sealed unsafe class DebugTests : IDisposable
{
    private const ulong Watched = TestGuest.Data + 0x100;
    private const int OnExecution = 0;
    private const int OnWrite = 1;
    private const int OnPort = 2;
    private const int OnAccess = 3;

    private readonly TestGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void The_trap_flag_traps_after_each_instruction()
    {
        List<ulong> ips = Trace(Rflags.TF, a =>
        {
            a.nop();
            a.mov(ecx, 3);
            a.rep.stosb();
            a.jmp(TestGuest.Code + 0x40);
        });

        Assert.Equal([1, 6, 8, 0x40, 0x41], ips.Select(ip => ip - TestGuest.Code));
        Assert.Equal(0x4000UL, _guest.State->Dr[6] & 0xE00F);
    }

    [Fact]
    public void Popf_sets_a_trap_for_the_instruction_after_it_and_clears_one_after_itself()
    {
        List<ulong> ips = Trace(0, a =>
        {
            a.push(0x102);
            a.popfq();
            a.nop();
            a.push(2);
            a.popfq();
            a.nop();
        });

        Assert.Equal([7, 9, 10], ips.Select(ip => ip - TestGuest.Code));
    }

    [Fact]
    public void Mov_ss_holds_the_trap_back_until_the_next_instruction()
    {
        _guest.Rax = TestGuest.KernelDs;

        List<ulong> ips = Trace(Rflags.TF, a =>
        {
            a.nop();
            a.mov(ss, eax);
            a.nop();
            a.nop();
        });

        Assert.Equal([1, 4, 5], ips.Select(ip => ip - TestGuest.Code));
    }

    [Fact]
    public void Int_n_is_not_trapped_at_its_handlers_entry()
    {
        _guest.Assemble(TestGuest.Handlers + (0x41 * 16), a => a.iretq());

        List<ulong> ips = Trace(Rflags.TF, a =>
        {
            a.@int(0x41);
            a.nop();
        });

        Assert.Equal([3], ips.Select(ip => ip - TestGuest.Code));
    }

    [Theory]
    [InlineData((ulong)Rflags.TF, false)]
    [InlineData(0UL, true)]
    public void Syscall_is_trapped_by_the_flags_it_leaves(ulong mask, bool trapped)
    {
        CpuState* s = _guest.State;
        s->Star = (ulong)TestGuest.KernelCs << 32;
        s->Lstar = TestGuest.Code;
        s->Sfmask = mask;
        _guest.Assemble(TestGuest.Code, a => a.hlt());
        _guest.Assemble(TestGuest.UserCode, a => a.syscall());
        _guest.EnterUser();
        _guest.Flags = Rflags.TF | 2;

        Caught caught = _guest.Run();

        Assert.Equal(trapped ? 1 : -1, caught.Vector);
        Assert.Equal(TestGuest.Code, caught.Ip);
    }

    [Fact]
    public void Sysret_is_trapped_by_the_flags_it_leaves()
    {
        _guest.State->Star = 0x18UL << 48;
        _guest.Rcx = TestGuest.UserCode;
        _guest.State->R[11] = Rflags.TF | 2;
        _guest.Assemble(TestGuest.UserCode, a => a.nop());

        Caught caught = _guest.RunKernel(a => a.sysretq());

        Assert.Equal((1, TestGuest.UserCode), (caught.Vector, caught.Ip));
    }

    [Fact]
    public void An_execution_breakpoint_faults_before_its_instruction_until_rf_lets_it_pass()
    {
        Break(1, TestGuest.Code + 1, OnExecution, 1);
        _guest.Assemble(TestGuest.Handlers + 16, a =>
        {
            a.inc(rcx);
            a.mov(rdx, __[rsp]);
            a.mov(rsi, __[rsp + 16]);
            a.or(__dword_ptr[rsp + 16], 0x10000);
            a.iretq();
        });

        Caught caught = _guest.RunKernel(a =>
        {
            a.nop();
            a.inc(rbx);
            a.nop();
        });

        Assert.Equal(-1, caught.Vector);
        Assert.Equal((1UL, 1UL, TestGuest.Code + 1, 2UL), (_guest.Rcx, _guest.Rbx, _guest.Rdx, _guest.Rsi));
        Assert.Equal(2UL, _guest.State->Dr[6] & 15);
    }

    [Theory]
    [InlineData(OnWrite, 4, 0UL, 3)]
    [InlineData(OnWrite, 8, 4UL, 3)]
    [InlineData(OnWrite, 1, 0UL, 3)]
    [InlineData(OnAccess, 4, 0UL, 0)]
    [InlineData(OnAccess, 2, 6UL, 0)]
    [InlineData(OnWrite, 2, 8UL, -1)]
    public void A_data_breakpoint_traps_after_the_access(int type, int length, ulong offset, int instruction)
    {
        Break(0, Watched + offset, type, length);
        _guest.Rbx = Watched;
        ulong[] ends = [TestGuest.Code + 3, TestGuest.Code + 6, TestGuest.Code + 9, TestGuest.Code + 12];

        Caught caught = _guest.RunKernel(a =>
        {
            a.mov(rax, __[rbx]);
            a.inc(rcx);
            a.inc(rcx);
            a.mov(__[rbx], rax);
            a.inc(rdx);
        });

        Assert.Equal(instruction < 0 ? -1 : 1, caught.Vector);
        Assert.Equal(instruction < 0 ? TestGuest.Code + 15 : ends[instruction], caught.Ip);
        Assert.Equal(instruction < 0 ? 0UL : 1, _guest.State->Dr[6] & 15);
    }

    [Fact]
    public void Every_kind_of_access_is_watched()
    {
        (string Name, Action<Assembler> Program)[] cases =
        [
            ("add memory", a => a.add(__dword_ptr[rbx], 1)),
            ("xchg", a => a.xchg(__[rbx], rax)),
            ("bts", a => a.bts(__qword_ptr[rbx], 3)),
            ("push", a => a.push(rax)),
            ("call", a => a.call(TestGuest.Code + 5)),
            ("stosq", a => a.stosq()),
            ("movsb", a => a.movsb()),
            ("across", a => a.mov(__[rbx - 7], rax)),
            ("sse store", a => a.movups(__[rbx], xmm0)),
            ("cmpxchg", a => a.cmpxchg(__[rbx], rax)),
        ];
        foreach ((string name, Action<Assembler> program) in cases)
        {
            _guest.EnterKernel(TestGuest.Code);
            _guest.State->Dr[6] = 0xFFFF0FF0;
            _guest.SetGate(1, TestGuest.Handlers + 16, ist: 1);
            Break(2, Watched, OnWrite, 1);
            _guest.Rbx = _guest.Rdi = Watched;
            _guest.Rsi = TestGuest.Data;
            _guest.Rsp = Watched + 8;

            Caught caught = _guest.RunKernel(a =>
            {
                program(a);
                a.nop();
                a.nop();
            });

            Assert.Equal($"{name}: 1", $"{name}: {caught}");
            Assert.Equal($"{name}: 4", $"{name}: {_guest.State->Dr[6] & 15}");
            Assert.Equal(2, _guest.Processor.Retired);
            _guest.Processor.State->Left = _guest.Processor.State->Deadline = 0;
        }
    }

    [Fact]
    public void A_repeated_store_traps_after_the_element_that_matched()
    {
        Break(0, Watched + 16, OnWrite, 8);
        _guest.Rdi = Watched;
        _guest.Rcx = 5;

        Caught caught = _guest.RunKernel(a => a.rep.stosq());

        Assert.Equal((1, TestGuest.Code), (caught.Vector, caught.Ip));
        Assert.Equal((2UL, Watched + 24), (_guest.Rcx, _guest.Rdi));
    }

    [Fact]
    public void A_store_that_faults_after_touching_a_watched_byte_raises_only_its_fault()
    {
        _guest.Map(0x7000_0000, 0x181000, 3);
        Break(0, Watched, OnAccess, 8);
        _guest.Rsi = Watched;
        _guest.Rdi = 0x7000_1000;

        Caught caught = _guest.RunKernel(a => a.movsq());

        Assert.Equal("14(2)", caught.ToString());
        Assert.Equal(0UL, _guest.State->Dr[6] & 15);
    }

    [Fact]
    public void A_disabled_breakpoint_stays_silent()
    {
        Break(0, Watched, OnWrite, 8);
        _guest.Rbx = Watched;

        Caught caught = _guest.RunKernel(a =>
        {
            a.xor(eax, eax);
            a.mov(dr7, rax);
            a.mov(__[rbx], rax);
        });

        Assert.Equal(-1, caught.Vector);
    }

    [Theory]
    [InlineData(Cr4.DE, 1)]
    [InlineData(0UL, -1)]
    public void A_port_breakpoint_needs_debugging_extensions(ulong extensions, int vector)
    {
        _guest.SetCr4(extensions);
        Break(3, 0x80, OnPort, 1);

        Caught caught = _guest.RunKernel(a => a.@out(0x80, al));

        Assert.Equal(vector, caught.Vector);
        Assert.Equal(TestGuest.Code + 2, caught.Ip);
    }

    [Fact]
    public void General_detect_guards_the_debug_registers()
    {
        _guest.State->Dr[7] = 0x2400;

        Caught caught = _guest.RunKernel(a => a.mov(rax, dr0));

        Assert.Equal((1, TestGuest.Code), (caught.Vector, caught.Ip));
        Assert.Equal((0x2000UL, 0x400UL), (_guest.State->Dr[6] & 0xE000, _guest.State->Dr[7]));
    }

    [Fact]
    public void Dr4_and_dr5_are_aliases_without_debugging_extensions()
    {
        _guest.RunKernel(a => a.db(0x0F, 0x21, 0xE0, 0x0F, 0x21, 0xE9));
        Assert.Equal((0xFFFF0FF0UL, 0x400UL), (_guest.Rax, _guest.Rcx));

        _guest.EnterKernel(TestGuest.Code);
        _guest.SetCr4(Cr4.DE);
        Assert.Equal("6", _guest.RunKernel(a => a.db(0x0F, 0x21, 0xE0)).ToString());
    }

    [Theory]
    [InlineData(6)]
    [InlineData(7)]
    public void The_upper_half_of_dr6_and_dr7_must_be_zero(int register)
    {
        _guest.Rax = 1UL << 32;

        Assert.Equal("13(0)", _guest.RunKernel(a => a.db(0x0F, 0x23, (byte)(0xC0 | (register << 3)))).ToString());
    }

    [Fact]
    public void Fixed_bits_of_dr6_and_dr7_cannot_be_written()
    {
        _guest.RunKernel(a =>
        {
            a.mov(eax, 0xFFFF1FF0);
            a.mov(dr6, rax);
            a.xor(eax, eax);
            a.mov(dr7, rax);
            a.mov(rcx, dr6);
            a.mov(rdx, dr7);
        });

        Assert.Equal((0xFFFF0FF0UL, 0x400UL), (_guest.Rcx, _guest.Rdx));
    }

    private void Break(int number, ulong address, int type, int length)
    {
        ulong code = length switch { 1 => 0UL, 2 => 1, 8 => 2, _ => 3 };
        _guest.State->Dr[number] = address;
        _guest.State->Dr[7] = 0x400 | (2UL << (2 * number)) | ((ulong)type << (16 + (4 * number))) | (code << (18 + (4 * number)));
        _guest.Processor.UpdateBreakpoints();
    }

    /// <summary>Runs a program and lists where each debug trap found it.</summary>
    private List<ulong> Trace(ulong flags, Action<Assembler> program)
    {
        const ulong List = TestGuest.Data + 0x400;
        _guest.Assemble(TestGuest.Handlers + 16, a => a.jmp(TestGuest.Handlers + 0x1000));
        _guest.Assemble(TestGuest.Handlers + 0x1000, a =>
        {
            a.mov(r8, __[rsp]);
            a.mov(__[r9], r8);
            a.add(r9, 8);
            a.iretq();
        });
        _guest.State->R[9] = List;
        _guest.Rdi = TestGuest.Data;
        _guest.Assemble(TestGuest.Code + 0x40, a =>
        {
            a.nop();
            a.ud2();
        });
        _guest.Assemble(TestGuest.Code, a =>
        {
            program(a);
            a.ud2();
        });
        _guest.Flags = flags | 2;
        _guest.Run();
        List<ulong> ips = [];
        for (ulong at = List; at < _guest.State->R[9]; at += 8)
        {
            ips.Add(_guest.Read(at));
        }

        return ips;
    }
}
