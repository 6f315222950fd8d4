using Iced.Intel;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Breakpoints of the fetch overlay: whatever lies under them, the guest must not notice.</summary>
public sealed unsafe class FetchOverlayTests
{
    [Theory]
    [InlineData(BreakpointAction.Step)]
    [InlineData(BreakpointAction.StepThenNotify)]
    internal void Stepping_any_instruction_equals_an_unprobed_run(BreakpointAction action)
    {
        (string end, long retired, List<ulong> trace) = Unprobed();

        foreach (ulong address in trace.Distinct())
        {
            using TestGuest guest = MixedProgram.Create();
            BreakpointRecorder overlay = Attach(guest, action, address);

            guest.Run();

            Assert.Equal($"{address:x}: {end}", $"{address:x}: {MixedProgram.Describe(guest)}");
            Assert.Equal(retired, guest.Processor.Retired);
            int times = trace.Count(ip => ip == address);
            Assert.Equal(times, overlay.Hits.Count);
            Assert.Equal(action == BreakpointAction.Step ? 0 : times, overlay.Stepped.Count);
            Assert.Equal(Indexes(trace, address), overlay.Hits.Select(hit => hit.Retired));
        }
    }

    [Fact]
    public void Stepping_every_instruction_equals_an_unprobed_run()
    {
        (string end, long retired, List<ulong> trace) = Unprobed();
        using TestGuest guest = MixedProgram.Create();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, [.. trace.Distinct()]);

        guest.Run();

        Assert.Equal(end, MixedProgram.Describe(guest));
        Assert.Equal(retired, guest.Processor.Retired);
        Assert.Equal(trace, overlay.Hits.Select(hit => hit.Address));
        Assert.Equal(trace.Skip(1), overlay.Stepped.SkipLast(1));
    }

    [Fact]
    public void Interrupts_fall_at_the_same_instructions_with_and_without_breakpoints()
    {
        (_, long retired, List<ulong> trace) = Unprobed();
        for (int at = 1; at < retired; at += 3)
        {
            using TestGuest plain = MixedProgram.Create();
            plain.Bus.At(at, MixedProgram.Timer);
            plain.Run();
            using TestGuest probed = MixedProgram.Create();
            Attach(probed, BreakpointAction.StepThenNotify, [.. trace.Distinct()]);
            probed.Bus.At(at, MixedProgram.Timer);

            probed.Run();

            Assert.Equal(plain.Read(MixedProgram.Slot), probed.Read(MixedProgram.Slot));
            Assert.Equal(MixedProgram.Describe(plain), MixedProgram.Describe(probed));
            Assert.Equal(plain.Processor.Retired, probed.Processor.Retired);
        }
    }

    [Fact]
    public void Single_steps_of_the_guest_and_breakpoints_do_not_disturb_each_other()
    {
        using TestGuest guest = Traced();
        guest.Run();
        using TestGuest probed = Traced();
        Attach(probed, BreakpointAction.StepThenNotify, TestGuest.Code, TestGuest.Code + 1, TestGuest.Code + 2, TestGuest.Code + 4);

        probed.Run();

        Assert.Equal(guest.Rcx, probed.Rcx);
        Assert.Equal(guest.Processor.Retired, probed.Processor.Retired);
        Assert.Equal(5UL, probed.Rcx);

        static TestGuest Traced()
        {
            TestGuest guest = new();
            guest.Assemble(TestGuest.Handlers + 16, a =>
            {
                a.inc(rcx);
                a.iretq();
            });
            guest.Flags = Rflags.TF | 2;
            guest.Assemble(TestGuest.Code, a =>
            {
                a.nop();
                a.nop();
                a.xor(eax, eax);
                a.nop();
                a.cli();
                a.ud2();
            });
            return guest;
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_step_is_whole_though_the_run_loop_is_wanted_meanwhile(bool stop)
    {
        using TestGuest guest = new();
        guest.Write(TestGuest.Data, 0x1234);
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code);
        overlay.Before = cpu =>
        {
            cpu.State->ExitRequest = 1;
            cpu.StopRequested = stop;
        };
        List<ulong> loaded = [];
        overlay.After = cpu => loaded.Add(cpu.State->R[0]);
        guest.Assemble(TestGuest.Code, a =>
        {
            a.mov(rax, __qword_ptr[TestGuest.Data]);
            a.hlt();
        });

        guest.Processor.Run(100);

        Assert.Equal([0x1234UL], loaded);
        Assert.Single(overlay.Hits);
        Assert.Equal(stop ? 1 : 2, guest.Processor.Retired);
    }

    [Fact]
    public void Resume_goes_on_where_the_handler_says()
    {
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.Resume, TestGuest.Code + 1);
        overlay.Before = cpu => cpu.State->Rip += 2;

        guest.RunKernel(a =>
        {
            a.nop();
            a.ud2();
            a.inc(rcx);
        });

        Assert.Equal(1UL, guest.Rcx);
        Assert.Equal(3, guest.Processor.Retired);
    }

    [Fact]
    public void Deliver_gives_the_guest_a_breakpoint_of_its_own()
    {
        using TestGuest guest = new();
        Attach(guest, BreakpointAction.Deliver, TestGuest.Code + 1);

        Caught caught = guest.RunKernel(a =>
        {
            a.nop();
            a.mov(rax, rbx);
        });

        Assert.Equal((3, TestGuest.Code + 2), (caught.Vector, caught.Ip));
        Assert.Equal(3, guest.Processor.Retired);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_fault_under_a_breakpoint_is_offered_then_delivered_as_ever(bool notify)
    {
        using TestGuest plain = new();
        Caught expected = plain.RunKernel(Program);
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, notify ? BreakpointAction.StepThenNotify : BreakpointAction.Step, TestGuest.Code + 3);

        Caught caught = guest.RunKernel(Program);

        Assert.Equal(expected, caught);
        Assert.Equal((14, 2U, 0x500000UL, TestGuest.Code + 3), Assert.Single(overlay.Faults));
        Assert.Empty(overlay.Stepped);
        Assert.Equal(plain.Processor.Retired, guest.Processor.Retired);

        static void Program(Assembler a)
        {
            a.mov(rcx, rdx);
            a.mov(__qword_ptr[0x500000], rcx);
        }
    }

    [Fact]
    public void A_handled_fault_goes_on_where_the_handler_says()
    {
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code);
        overlay.Fault = cpu =>
        {
            cpu.State->Rip += 2;
            return true;
        };

        Caught caught = guest.RunKernel(a =>
        {
            a.ud2();
            a.inc(rcx);
        });

        Assert.Equal(-1, caught.Vector);
        Assert.Equal(1UL, guest.Rcx);
        Assert.Equal(6, Assert.Single(overlay.Faults).Vector);
    }

    [Theory]
    [InlineData(0xCC, 0x90, 3)]
    [InlineData(0xCD, 0x41, 0x41)]
    [InlineData(0xF1, 0x90, 1)]
    public void A_trap_completes_its_instruction_and_is_notified_at_the_handlers_entry(int first, int second, int vector)
    {
        using TestGuest plain = new();
        Caught expected = plain.RunKernel(a => a.db((byte)first, (byte)second));
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code);

        Caught caught = guest.RunKernel(a => a.db((byte)first, (byte)second));

        Assert.Equal(expected, caught);
        Assert.Equal(vector, caught.Vector);
        Assert.Equal(TestGuest.Handlers + ((ulong)vector * 16), Assert.Single(overlay.Stepped));
        Assert.Empty(overlay.Faults);
        Assert.Equal(plain.Processor.Retired, guest.Processor.Retired);
    }

    [Fact]
    public void A_refused_interrupt_by_software_is_a_fault_of_its_instruction()
    {
        using TestGuest guest = new();
        guest.SetGate(0x41, 0, present: false);
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code);

        Caught caught = guest.RunKernel(a => a.@int(0x41));

        Assert.Equal("11(20a)", caught.ToString());
        Assert.Equal(TestGuest.Code, caught.Ip);
        Assert.Equal((11, 0x20AU, TestGuest.Code), (overlay.Faults[0].Vector, overlay.Faults[0].ErrorCode, overlay.Faults[0].Ip));
        Assert.Empty(overlay.Stepped);
        Assert.Equal(1, guest.Processor.Retired);
    }

    [Fact]
    public void Hlt_is_notified_before_it_waits()
    {
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code);

        Caught caught = guest.RunKernel(a => a.hlt());

        Assert.Equal(-1, caught.Vector);
        Assert.Single(overlay.Stepped);
    }

    [Fact]
    public void Transfers_to_user_mode_are_notified_with_the_users_registers()
    {
        using TestGuest guest = new();
        guest.Assemble(TestGuest.UserCode, a => a.@int(TestGuest.UserEnd));
        guest.State->Star = 0x18UL << 48;
        guest.Rcx = TestGuest.UserCode;
        guest.State->R[11] = 2;
        int privilege = -1;
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code, TestGuest.UserCode);
        overlay.After = cpu => privilege = cpu.State->Cpl;

        Caught caught = guest.RunKernel(a => a.sysretq());

        Assert.Equal(TestGuest.UserEnd, caught.Vector);
        Assert.Equal(3, privilege);
        Assert.Equal([TestGuest.UserCode], overlay.Stepped);
        Assert.Equal([TestGuest.Code], overlay.Hits.Select(hit => hit.Address));
    }

    [Fact]
    public void A_repeated_instruction_that_faults_part_way_is_hit_again_at_its_restart()
    {
        using TestGuest guest = new();
        ulong entry = guest.Map(0x7000_1000, 0, 0);
        guest.Map(0x7000_0000, 0x181000, 3);
        guest.Rdi = 0x7000_0FF8;
        guest.Rcx = 4;
        guest.Rbx = entry;
        guest.Rdx = 0x182003;
        guest.Rax = 0x77;
        guest.Assemble(TestGuest.Handlers + (14 * 16), a =>
        {
            a.mov(__[rbx], rdx);
            a.add(rsp, 8);
            a.iretq();
        });
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code);
        List<ulong> counts = [];
        overlay.Before = cpu => counts.Add(cpu.State->R[1]);

        guest.RunKernel(a => a.rep.stosq());

        Assert.Equal([4UL, 3UL], counts);
        Assert.Equal((14, 2U, 0x7000_1000UL, TestGuest.Code), Assert.Single(overlay.Faults));
        Assert.Single(overlay.Stepped);
        Assert.Equal((0x77UL, 0x77UL), (guest.Read(0x181FF8), guest.Read(0x182010)));
        Assert.Equal(1 + 3 + 1, guest.Processor.Retired);
    }

    [Fact]
    public void The_original_is_read_anew_when_the_handler_changes_it()
    {
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.Step, TestGuest.Code);
        byte value = 0;
        overlay.Before = cpu => Assert.True(cpu.Group.TryWriteRam(TestGuest.Code + 1, [++value]));
        guest.Assemble(TestGuest.Code, a =>
        {
            a.mov(eax, 0x11);
            a.add(rbx, rax);
            a.dec(rcx);
            a.jne(TestGuest.Code);
            a.hlt();
        });
        guest.Rcx = 4;

        guest.Run();

        Assert.Equal(1UL + 2 + 3 + 4, guest.Rbx);
    }

    [Fact]
    public void Dropping_all_decoded_code_in_a_handler_is_safe()
    {
        (string end, long retired, List<ulong> trace) = Unprobed();
        using TestGuest guest = MixedProgram.Create();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, [.. trace.Distinct()]);
        overlay.Before = cpu => cpu.Group.Code.Clear();
        overlay.After = cpu => cpu.Group.Code.Clear();

        guest.Run();

        Assert.Equal(end, MixedProgram.Describe(guest));
        Assert.Equal(retired, guest.Processor.Retired);
    }

    [Fact]
    public void Breakpoints_may_come_and_go_while_a_loop_runs()
    {
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.Step, TestGuest.Code + 3);
        overlay.Before = cpu =>
        {
            overlay.Addresses.Remove(TestGuest.Code + 3);
            cpu.Group.InvalidateCode(TestGuest.Code);
        };
        guest.Assemble(TestGuest.Code, a =>
        {
            a.add(rbx, rcx);
            a.add(rdx, rcx);
            a.dec(rcx);
            a.jne(TestGuest.Code);
            a.hlt();
        });
        guest.Rcx = 100;

        guest.Processor.Run(201);
        Assert.Single(overlay.Hits);
        overlay.Addresses.Add(TestGuest.Code + 3);
        guest.Processor.Group.InvalidateCode(TestGuest.Code);
        guest.Run();

        Assert.Equal(2, overlay.Hits.Count);
        Assert.Equal((5050UL, 5050UL), (guest.Rbx, guest.Rdx));
        Assert.Equal(401, guest.Processor.Retired);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_breakpoint_that_comes_while_an_instruction_calls_a_device_counts_for_the_next(bool all)
    {
        const ulong device = 0x7100_0000;
        using TestGuest guest = new();
        guest.Map(device, ScriptedBus.MmioBase, TestGuest.PresentWrite);
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.Step);
        guest.Assemble(TestGuest.Code, a =>
        {
            a.mov(rax, __[rcx]);
            a.inc(rbx);
            a.hlt();
        });
        guest.Rcx = device;
        guest.Bus.OnMmioRead = () =>
        {
            overlay.Addresses.Add(TestGuest.Code + 3);
            if (all)
            {
                guest.Processor.Group.InvalidateAllCode();
            }
            else
            {
                guest.Processor.Group.InvalidateCode(TestGuest.Code);
            }
        };

        guest.Run();

        Assert.Equal([TestGuest.Code + 3], overlay.Hits.Select(hit => hit.Address));
        Assert.Equal((1UL, 3L), (guest.Rbx, guest.Processor.Retired));
    }

    [Fact]
    public void User_code_is_not_under_the_overlay()
    {
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.Deliver, TestGuest.UserCode);

        Caught caught = guest.RunUser(a => a.nop());

        Assert.Equal(TestGuest.UserEnd, caught.Vector);
        Assert.Empty(overlay.Hits);
    }

    [Fact]
    public void A_breakpoint_in_the_middle_of_an_instruction_is_not_seen()
    {
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.Deliver, TestGuest.Code + 2);

        Caught caught = guest.RunKernel(a => a.mov(eax, 5));

        Assert.Equal(-1, caught.Vector);
        Assert.Empty(overlay.Hits);
    }

    [Fact]
    public void A_pending_interrupt_and_a_fetch_fault_come_before_the_breakpoint()
    {
        using TestGuest guest = new();
        guest.Flags = Rflags.IF | 2;
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.Step, TestGuest.Code + 1, 0x7000_0000);
        guest.Bus.At(1, MixedProgram.Timer);
        Assert.Equal(MixedProgram.Timer, guest.RunKernel(a => a.nop()).Vector);
        Assert.Empty(overlay.Hits);

        guest.EnterKernel(0x7000_0000);
        Assert.Equal(14, guest.Run().Vector);
        Assert.Empty(overlay.Hits);
    }

    [Theory]
    [InlineData(0UL, 0x10)] // not present
    [InlineData(TestGuest.PresentWrite | TestGuest.NoExecute, 0x11)]
    [InlineData(TestGuest.PresentWrite | TestGuest.UserPage, 0x11)] // SMEP
    public void An_instruction_is_fetched_from_both_its_pages_before_its_breakpoint_counts(ulong rights, int error)
    {
        const ulong Second = 0x7000_1000;
        foreach (int head in (int[])[1, 4, 9])
        {
            using TestGuest guest = new();
            guest.SetCr4(Cr4.SMEP);
            guest.Map(Second - 0x1000, 0x181000, TestGuest.PresentWrite);
            ulong entry = guest.Map(Second, 0x182000, rights);
            ulong at = Second - (ulong)head;
            byte[] code = [0x48, 0xB8, 1, 2, 3, 4, 5, 6, 7, 8, 0xF4]; // mov rax, imm64; hlt
            guest.Write(0x182000 - (ulong)head, code);
            guest.Rbx = entry;
            guest.Rdx = 0x182000 | TestGuest.PresentWrite;
            guest.Assemble(TestGuest.Handlers + (14 * 16), a =>
            {
                a.mov(__[rbx], rdx);
                a.mov(rcx, __[rsp]);
                a.jmp(TestGuest.Handlers + 0x1000);
            });
            guest.Assemble(TestGuest.Handlers + 0x1000, a =>
            {
                a.mov(r8, cr2);
                a.invlpg(__[r8]);
                a.add(rsp, 8);
                a.iretq();
            });
            BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, at);
            guest.EnterKernel(at);

            guest.Run();

            Assert.Equal((Second, (ulong)error), (guest.State->Cr2, guest.Rcx));
            Assert.Equal(0x0807060504030201UL, guest.Rax);
            Assert.Equal((at, 7L), Assert.Single(overlay.Hits));
            Assert.Equal(at + 10, Assert.Single(overlay.Stepped));
            Assert.Empty(overlay.Faults);
            Assert.Equal(7 + 1 + 1, guest.Processor.Retired);
        }
    }

    [Fact]
    public void In_32_bit_code_too_both_pages_come_before_the_breakpoint()
    {
        const ulong Second = 0x7000_1000;
        using TestGuest guest = new();
        guest.Map(Second - 0x1000, 0x181000, TestGuest.PresentWrite);
        guest.Write(0x181FFE, [0xB8, 1]); // mov eax, imm32
        guest.EnterKernel(Second - 2);
        guest.State->Segments.Cs = new Segment { Selector = TestGuest.KernelCs32, Limit = uint.MaxValue, Attributes = 0xC09B };
        guest.Processor.UpdateMode();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.Step, Second - 2);

        Caught caught = guest.Run();

        Assert.Equal(("14(10)", Second, Second - 2), (caught.ToString(), caught.Cr2, caught.Ip));
        Assert.Empty(overlay.Hits);
    }

    [Theory]
    [InlineData(0UL, 1)]
    [InlineData(1UL, 1)]
    [InlineData(4UL, 4)]
    public void A_repeated_instruction_that_is_single_stepped_is_hit_once_and_completes_once(ulong count, int traps)
    {
        using TestGuest guest = SingleStepped();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code);
        guest.Rcx = count;
        guest.Flags = Rflags.TF | 2;
        guest.Assemble(TestGuest.Code, a =>
        {
            a.rep.stosb();
            a.ud2();
        });

        guest.Run();

        Assert.Equal((ulong)traps, guest.Rbx);
        Assert.Equal((TestGuest.Code, 0L), Assert.Single(overlay.Hits));
        Assert.Equal(TestGuest.Code + 2, Assert.Single(overlay.Stepped));
        Assert.Equal(TestGuest.Data + count, guest.Rdi);
        Assert.Equal(1 + (2 * traps) + 1, guest.Processor.Retired);
    }

    [Fact]
    public void A_data_breakpoint_between_elements_makes_neither_a_completion_nor_a_second_hit()
    {
        using TestGuest guest = SingleStepped();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code);
        guest.State->Dr[0] = TestGuest.Data + 16;
        guest.State->Dr[7] = 0x400 | 2 | (1 << 16) | (2 << 18);
        guest.Processor.UpdateBreakpoints();
        guest.Rcx = 5;
        List<ulong> left = [];
        overlay.Before = cpu => left.Add(cpu.State->R[1]);
        overlay.After = cpu => left.Add(cpu.State->R[1]);

        guest.RunKernel(a => a.rep.stosq());

        Assert.Equal([5UL, 0UL], left);
        Assert.Equal((1UL, TestGuest.Data + 40), (guest.Rbx, guest.Rdi));
    }

    [Fact]
    public void A_debug_handler_that_runs_into_the_same_instruction_is_a_hit_of_its_own()
    {
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code + 0x100);
        guest.Assemble(TestGuest.Code + 0x100, a =>
        {
            a.rep.stosb();
            a.ret();
        });
        guest.SetGate(1, TestGuest.Handlers + 0x1000);
        guest.Assemble(TestGuest.Handlers + 0x1000, a =>
        {
            a.push(rcx);
            a.push(rdi);
            a.mov(ecx, 2);
            a.call(TestGuest.Code + 0x100);
            a.pop(rdi);
            a.pop(rcx);
            a.iretq();
        });
        guest.Rcx = 3;
        guest.Rdi = TestGuest.Data;
        List<ulong> counts = [];
        overlay.Before = cpu => counts.Add(cpu.State->R[1]);

        guest.RunKernel(a =>
        {
            a.push(0x102);
            a.popfq();
            a.call(TestGuest.Code + 0x100);
            a.push(2);
            a.popfq();
        });

        // Traps come after the call, three elements, the return, the push and the POPF, and each runs the function in turn.
        Assert.Equal([2UL, 3UL, 2, 2, 2, 2, 2, 2], counts);
        Assert.Equal(counts.Count, overlay.Stepped.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)] // as the first element left them
    public void A_handler_that_does_not_come_back_leaves_nothing_behind_whatever_the_registers_are_later(int advanced)
    {
        using TestGuest guest = new();
        ulong stack = guest.State->R[4];
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code);
        guest.Assemble(TestGuest.Handlers + 16, a =>
        {
            a.mov(rsp, stack);
            a.mov(ecx, 3);
            a.mov(rdi, TestGuest.Data + (ulong)advanced);
            a.jmp(TestGuest.Code);
        });
        guest.Assemble(TestGuest.Code, a =>
        {
            a.rep.stosb();
            a.hlt();
        });
        guest.Rcx = 4;
        guest.Rdi = TestGuest.Data;
        guest.Flags = Rflags.TF | 2;

        guest.Run();

        Assert.Equal(2, overlay.Hits.Count);
        Assert.Single(overlay.Stepped);
    }

    [Fact]
    public void A_pause_of_the_host_in_a_repeated_instruction_is_no_completion_and_its_continuation_no_hit()
    {
        const ulong Count = 300_000;
        using TestGuest guest = new();
        BreakpointRecorder overlay = Attach(guest, BreakpointAction.StepThenNotify, TestGuest.Code);
        overlay.Before = cpu => cpu.StopRequested = true;
        guest.Rcx = Count;
        guest.Assemble(TestGuest.Code, a =>
        {
            a.rep.lodsb();
            a.hlt();
        });
        guest.Rsi = 0x1000;

        guest.Processor.Run(10);
        bool paused = guest.Rcx is > 0 and < Count;
        int stepped = overlay.Stepped.Count;
        guest.Processor.StopRequested = false;
        guest.Run();

        Assert.True(paused, $"{guest.Rcx} elements are left");
        Assert.Equal((0, 1, 1, 2L), (stepped, overlay.Hits.Count, overlay.Stepped.Count, guest.Processor.Retired));
    }

    /// <summary>A guest whose debug exceptions are counted in RBX.</summary>
    private static TestGuest SingleStepped()
    {
        TestGuest guest = new();
        guest.Assemble(TestGuest.Handlers + 16, a =>
        {
            a.inc(rbx);
            a.iretq();
        });
        guest.Rdi = TestGuest.Data;
        return guest;
    }

    private static BreakpointRecorder Attach(TestGuest guest, BreakpointAction action, params ulong[] addresses)
    {
        BreakpointRecorder overlay = new() { Action = action };
        overlay.Addresses.UnionWith(addresses);
        guest.Processor.Group.FetchOverlay = overlay;
        guest.Processor.Group.BreakpointHandler = overlay;
        return overlay;
    }

    private static (string End, long Retired, List<ulong> Trace) Unprobed()
    {
        using TestGuest guest = MixedProgram.Create();
        List<ulong> trace = [];
        while (guest.State->Halted == 0)
        {
            trace.Add(guest.State->Rip);
            guest.Processor.Run(trace.Count);
        }

        return (MixedProgram.Describe(guest), guest.Processor.Retired, trace);
    }

    private static IEnumerable<long> Indexes(List<ulong> trace, ulong address) =>
        Enumerable.Range(0, trace.Count).Where(i => trace[i] == address).Select(i => (long)i);
}
