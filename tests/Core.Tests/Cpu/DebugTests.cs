using Iced.Intel;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Single steps and breakpoints of the debug registers (Intel SDM vol. 3B chapter 18).</summary>
public sealed unsafe class DebugTests : IDisposable
{
    private const ulong Watched = TestGuest.Data + 0x100;
    private const ulong DebugSingleStep = 0x4000;
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

        Assert.Equal([1, 6, 6, 6, 8, 0x40, 0x41], ips.Select(ip => ip - TestGuest.Code));
        Assert.Equal(0x4000UL, _guest.State->Dr[6] & 0xE00F);
    }

    [Theory]
    [InlineData("F3A4", 0, "2 3")] // rep movsb
    [InlineData("F3A4", 1, "2 3")]
    [InlineData("F3A4", 2, "0 2 3")]
    [InlineData("F3A4", 5, "0 0 0 0 2 3")]
    [InlineData("F3AA", 3, "0 0 2 3")] // rep stosb
    [InlineData("F2AC", 3, "0 0 2 3")] // rep lodsb
    [InlineData("F3A6", 4, "0 0 2 3")] // repe cmpsb, the third pair differs
    [InlineData("F2AE", 4, "0 2 3")] // repne scasb, the second byte matches
    [InlineData("F36C", 2, "0 2 3")] // rep insb
    [InlineData("F36E", 2, "0 2 3")] // rep outsb
    [InlineData("A490", 3, "1 2 3")] // movsb: no repetition
    public void The_trap_flag_traps_after_each_element_of_a_repeated_instruction(string bytes, int count, string after)
    {
        _guest.Rsi = Watched;
        _guest.Rcx = (ulong)count;
        _guest.Rax = 2;
        _guest.Write(Watched, 0x0105_0200);
        _guest.Write(TestGuest.Data, 0x0100_0200);

        List<ulong> ips = Trace(Rflags.TF, a =>
        {
            a.db(Convert.FromHexString(bytes));
            a.nop();
        });

        Assert.Equal(after, string.Join(' ', ips.Select(ip => ip - TestGuest.Code)));
        Assert.Equal(0x4000UL, _guest.State->Dr[6] & 0xE00F);
    }

    [Theory]
    [InlineData(OnExecution, "0 0 2 3")] // what traps is TF
    [InlineData(OnWrite, "0 0 2")]
    public void A_repeated_instruction_that_traps_between_elements_does_not_meet_its_own_breakpoint_again(int type, string after)
    {
        Break(1, TestGuest.Data, type, 8);
        ulong enabled = type == OnWrite ? _guest.State->Dr[7] : 0;
        Break(0, TestGuest.Code, OnExecution, 1);
        _guest.State->Dr[7] |= enabled;
        _guest.Processor.UpdateBreakpoints();
        _guest.Rcx = 3;

        List<ulong> ips = Trace((ulong)Rflags.RF | (type == OnWrite ? 0 : Rflags.TF), a =>
        {
            a.rep.stosb();
            a.nop();
        });

        Assert.Equal(after, string.Join(' ', ips.Select(ip => ip - TestGuest.Code)));
        Assert.Equal(type == OnWrite ? 2UL : DebugSingleStep, _guest.State->Dr[6] & 0xE00F);
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

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void A_data_breakpoint_watches_as_many_bytes_as_it_is_long_from_a_multiple_of_that_on(int length)
    {
        for (ulong at = 0; at < 16; at++)
        {
            for (ulong stored = 0; stored < 24; stored++)
            {
                _guest.EnterKernel(TestGuest.Code);
                _guest.State->Dr[6] = 0xFFFF0FF0;
                Break(0, Watched + at, OnWrite, length);
                _guest.Rbx = Watched + stored;

                _guest.RunKernel(a =>
                {
                    a.mov(__byte_ptr[rbx], 1);
                    a.nop();
                });

                bool isWatched = stored / (ulong)length == at / (ulong)length;
                Assert.Equal($"{at}, {stored}: {(isWatched ? 1 : 0)}", $"{at}, {stored}: {_guest.State->Dr[6] & 15}");
                _guest.State->Left = _guest.State->Deadline = 0;
            }
        }
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

    [Fact]
    public void Each_debug_exception_says_anew_which_breakpoints_were_met_and_leaves_the_other_bits()
    {
        const ulong Left = 0xE00F;
        (string Name, Action<Assembler> Program, ulong Conditions)[] cases =
        [
            ("instruction breakpoint", a => a.nop(), 0xE001),
            ("data breakpoint", a => a.mov(__[rbx], rax), 0xE002),
            ("port breakpoint", a => a.@out(0x80, al), 0xE008),
            ("single step", a => { a.push(0x102); a.popfq(); a.nop(); }, 0xE000),
            ("general detect", a => a.mov(rax, dr0), 0xE000),
            ("int1", a => a.int1(), Left),
        ];
        foreach ((string name, Action<Assembler> program, ulong conditions) in cases)
        {
            _guest.EnterKernel(TestGuest.Code);
            _guest.SetCr4(Cr4.DE);
            _guest.State->Dr[6] = 0xFFFF0FF0 | Left;
            _guest.Rbx = Watched;
            bool executes = name == "instruction breakpoint";
            _guest.State->Dr[0] = executes ? TestGuest.Code : 0;
            _guest.State->Dr[1] = Watched;
            _guest.State->Dr[3] = 0x80;
            _guest.State->Dr[7] = 0x400 | 0x88 | ((ulong)OnWrite << 20) | ((ulong)OnPort << 28) | (name == "general detect" ? 0x2000UL : 0);
            _guest.State->Dr[7] |= executes ? 2UL : 0;
            _guest.Processor.UpdateBreakpoints();

            Caught caught = _guest.RunKernel(program);

            Assert.Equal($"{name}: 1, {conditions:x}", $"{name}: {caught}, {_guest.State->Dr[6] & Left:x}");
        }
    }

    [Fact]
    public void A_trap_of_mov_ss_comes_after_the_instruction_behind_it()
    {
        Caught caught = AfterMovSs(a => a.inc(rcx));

        Assert.Equal((1, TestGuest.Code + 5, 1UL), (caught.Vector, caught.Ip, _guest.State->Dr[6] & 0xE00F));
        Assert.Equal(1UL, _guest.Rcx);
    }

    [Fact]
    public void Int1_behind_mov_ss_raises_one_exception_that_tells_of_the_watched_byte_too()
    {
        Caught caught = AfterMovSs(a => a.int1());

        Assert.Equal((1, TestGuest.Code + 3, 1UL), (caught.Vector, caught.Ip, _guest.State->Dr[6] & 0xE00F));
    }

    [Theory]
    [InlineData("CC", 3, 3)] // int3
    [InlineData("CD01", 1, 4)] // int 1, which sets no bit of DR6
    [InlineData("CD41", 0x41, 4)] // int 41h
    [InlineData("0F0B", 6, 2)] // ud2: a fault
    public void A_trap_of_mov_ss_is_taken_at_the_entry_of_a_handler_called_by_the_instruction_behind_it(string bytes, int vector, int ip)
    {
        _guest.SetGate(1, TestGuest.Handlers + 0x2000);
        _guest.Assemble(TestGuest.Handlers + 0x2000, a =>
        {
            a.mov(rax, dr6);
            a.test(eax, 1);
            a.hlt();
        });
        ulong entry = vector == 1 ? TestGuest.Handlers + 0x2000 : TestGuest.Handlers + ((ulong)vector * 16);

        AfterMovSs(a => a.db(Convert.FromHexString(bytes)));

        Assert.Equal((1UL, entry), (_guest.State->Dr[6] & 0xE00F, _guest.Read(_guest.Rsp)));
        Assert.Equal(TestGuest.Code + (ulong)ip, _guest.Read(_guest.Rsp + 48));
    }

    [Fact]
    public void A_breakpoint_on_the_instruction_behind_mov_ss_tells_of_the_watched_byte_too()
    {
        _guest.State->Dr[1] = TestGuest.Code + 2;

        Caught caught = AfterMovSs(a => a.nop(), enabled: 8);

        Assert.Equal((1, TestGuest.Code + 2, 3UL), (caught.Vector, caught.Ip, _guest.State->Dr[6] & 0xE00F));
    }

    [Fact]
    public void A_pause_of_the_host_behind_mov_ss_brings_no_trap_forward()
    {
        const ulong Device = 0x7000_0000;
        _guest.Map(Device, ScriptedBus.MmioBase, TestGuest.PresentWrite);
        _guest.Write(Watched, TestGuest.KernelDs);
        _guest.Rbx = Watched;
        _guest.Rcx = 4;
        _guest.Rsi = Device;
        Break(0, Watched, OnAccess, 2);
        _guest.Assemble(TestGuest.Code, a =>
        {
            a.db(0x8E, 0x13); // mov ss, [rbx]
            a.rep.lodsb();
            a.nop();
        });
        _guest.Bus.OnMmioRead = () =>
        {
            _guest.Processor.StopRequested = true;
            _guest.State->ExitRequest = 1;
        };

        _guest.Processor.Run(2);

        Assert.Equal((3UL, 0xFFFF0FF0UL, 1L), (_guest.Rcx, _guest.State->Dr[6], _guest.Processor.Retired));
        _guest.Bus.OnMmioRead = null;
        _guest.Processor.StopRequested = false;
        Caught caught = _guest.Run();

        Assert.Equal((1, TestGuest.Code + 4, 0UL), (caught.Vector, caught.Ip, _guest.Rcx));
    }

    [Fact]
    public void A_debugger_steps_through_a_users_repeated_instruction_one_element_at_a_time()
    {
        _guest.Assemble(TestGuest.Handlers + 16, a =>
        {
            a.inc(rbx);
            a.iretq();
        });
        _guest.Rdi = TestGuest.UserData;
        _guest.Rcx = 4;
        _guest.Assemble(TestGuest.UserCode, a =>
        {
            a.rep.stosb();
            a.@int(TestGuest.UserEnd);
        });
        _guest.EnterUser();
        _guest.Flags = Rflags.TF | 2;

        Caught caught = _guest.Run();

        Assert.Equal((TestGuest.UserEnd, 4UL, TestGuest.UserData + 4), (caught.Vector, _guest.Rbx, _guest.Rdi));
    }

    [Fact]
    public void A_guests_own_probe_that_steps_a_copy_is_hit_for_each_element()
    {
        // As Linux does: int3 over the instruction, its copy stepped by TF, and the address of the trap taken back to the original.
        const ulong Slot = TestGuest.Code + 0x800;
        _guest.Assemble(Slot, a => a.rep.stosb());
        _guest.Assemble(TestGuest.Handlers + (3 * 16), a => a.jmp(TestGuest.Handlers + 0x1000));
        _guest.Assemble(TestGuest.Handlers + 0x1000, a =>
        {
            a.inc(rbx);
            a.mov(__qword_ptr[rsp], (int)Slot);
            a.or(__dword_ptr[rsp + 16], 0x100);
            a.iretq();
        });
        _guest.Assemble(TestGuest.Handlers + 16, a => a.jmp(TestGuest.Handlers + 0x1100));
        _guest.Assemble(TestGuest.Handlers + 0x1100, a =>
        {
            a.sub(__qword_ptr[rsp], (int)(Slot - TestGuest.Code));
            a.and(__dword_ptr[rsp + 16], ~0x100);
            a.iretq();
        });
        _guest.Rdi = TestGuest.Data;
        _guest.Rcx = 5;

        Caught caught = _guest.RunKernel(a => a.db(0xCC, 0xAA)); // int3 over rep stosb

        Assert.Equal((-1, 5UL, TestGuest.Data + 5), (caught.Vector, _guest.Rbx, _guest.Rdi));
    }

    [Fact]
    public void Pushes_and_pops_of_control_transfers_are_watched()
    {
        const ulong Frame = TestGuest.KernelStack - 40;
        (string Name, Action<Assembler> Program, int Type, ulong At, int First)[] cases =
        [
            ("int n", a => a.@int(0x41), OnWrite, Frame, 0x41),
            ("int3", a => a.int3(), OnWrite, Frame + 16, 3),
            ("fault", a => a.ud2(), OnWrite, Frame + 32, 6),
            ("fault with an error code", a => a.mov(rax, __[rdx]), OnWrite, Frame - 8, 14),
            ("below the frame", a => a.ud2(), OnWrite, Frame - 8, -1),
            ("iretq", a => { a.mov(rsp, rbp); a.iretq(); }, OnAccess, Watched, 0),
            ("iretq, watched for writes", a => { a.mov(rsp, rbp); a.iretq(); }, OnWrite, Watched, -1),
            ("retfq", a => { a.mov(rsp, rbp); a.db(0x48, 0xCB); }, OnAccess, Watched + 8, 0),
            ("call far", a => a.db(0x48, 0xFF, 0x1B), OnWrite, TestGuest.KernelStack - 4, 0),
        ];
        foreach ((string name, Action<Assembler> program, int type, ulong at, int first) in cases)
        {
            _guest.EnterKernel(TestGuest.Code);
            _guest.State->Dr[6] = 0xFFFF0FF0;
            _guest.Write(Watched, TestGuest.Code + 0x40, TestGuest.KernelCs, 2, TestGuest.KernelStack, TestGuest.KernelDs);
            _guest.Write(Watched + 0x80, ((ulong)TestGuest.KernelCs << 32) | (TestGuest.Code + 0x40));
            _guest.Assemble(TestGuest.Code + 0x40, a => { a.nop(); a.hlt(); });
            _guest.SetGate(1, TestGuest.Handlers + 16, ist: 1);
            _guest.Rdx = 0x500000;
            _guest.Rbx = Watched + 0x80;
            _guest.State->R[5] = Watched;
            Break(0, at, type, 1);

            Caught caught = _guest.RunKernel(program);

            ulong entry = first == 0 ? TestGuest.Code + 0x40 : TestGuest.Handlers + ((ulong)first * 16);
            string expected = first < 0 ? "0" : $"1 at {entry:x}, 1";
            string actual = caught.Vector == 1 ? $"1 at {caught.Ip:x}, {_guest.State->Dr[6] & 0xE00F:x}" : $"{_guest.State->Dr[6] & 0xE00F:x}";
            Assert.Equal($"{name}: {expected}", $"{name}: {actual}");
        }
    }

    [Fact]
    public void An_interrupts_frame_is_watched()
    {
        _guest.Flags = Rflags.IF | 2;
        _guest.Bus.At(1, MixedProgram.Timer);
        _guest.SetGate(1, TestGuest.Handlers + 16, ist: 1);
        Break(0, TestGuest.KernelStack - 16, OnWrite, 8);

        Caught caught = _guest.RunKernel(a =>
        {
            a.nop();
            a.nop();
        });

        Assert.Equal((1, TestGuest.Handlers + ((ulong)MixedProgram.Timer * 16)), (caught.Vector, caught.Ip));
    }

    /// <summary>Runs MOV SS from a watched word, then an instruction of at most three bytes.</summary>
    private Caught AfterMovSs(Action<Assembler> next, ulong enabled = 0)
    {
        _guest.Write(Watched, TestGuest.KernelDs);
        _guest.Rbx = Watched;
        Break(0, Watched, OnAccess, 2);
        _guest.State->Dr[7] |= enabled;
        return _guest.RunKernel(a =>
        {
            a.db(0x8E, 0x13); // mov ss, [rbx]
            next(a);
            a.nop();
        });
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
