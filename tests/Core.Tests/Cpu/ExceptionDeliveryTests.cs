using Iced.Intel;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Delivery through the IDT: gates, stacks, error codes, and what happens when delivery itself faults.</summary>
public sealed unsafe class ExceptionDeliveryTests : IDisposable
{
    private const int Timer = 0x40;

    private readonly TestGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Faults_point_at_the_instruction_and_set_rf_traps_point_after_it_and_do_not()
    {
        (string Name, Action<Assembler> Program, string Raised, ulong Offset, bool Resume)[] cases =
        [
            ("div", a => a.div(rdx), "0", 0, true),
            ("int1", a => a.db(0xF1), "1", 1, false),
            ("int3", a => a.int3(), "3", 1, false),
            ("int 3", a => a.@int(3), "3", 2, false),
            ("ud2", a => a.ud2(), "6", 0, true),
            ("int 13", a => a.@int(0x30), "48", 2, false),
            ("gp", a => a.mov(rax, __[rbx]), "13(0)", 0, true),
            ("pf", a => a.mov(rax, __qword_ptr[0x500000]), "14(0)", 0, true),
            ("too long", a => a.db(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90), "13(0)", 0, true),
            ("as long as may be", a => a.db(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90, 0xCC), "3", 16, false),
            ("undefined", a => a.db(0x06), "6", 0, true),
            ("lock nop", a => a.db(0xF0, 0x90), "6", 0, true),
            ("cr1", a => a.db(0x0F, 0x20, 0xC8), "6", 0, true),
        ];
        foreach ((string name, Action<Assembler> program, string raised, ulong offset, bool resume) in cases)
        {
            _guest.EnterKernel(TestGuest.Code);
            _guest.Rbx = 0x8000_0000_0000_0000;
            _guest.Rdx = 0;

            Caught caught = _guest.RunKernel(program);

            Assert.Equal($"{name}: {raised} +{offset} {resume}", $"{name}: {caught} +{caught.Ip - TestGuest.Code} {(caught.Flags & Rflags.RF) != 0}");
        }
    }

    [Fact]
    public void From_user_mode_the_stack_comes_from_the_tss_and_ss_becomes_null()
    {
        Caught caught = _guest.RunUser(a => a.ud2());

        Assert.Equal(new Caught(6, 0, TestGuest.UserCode, TestGuest.UserCs, 0x10002, TestGuest.UserStack, TestGuest.UserDs, 0), caught);
        Assert.Equal(TestGuest.EntryStack - 40, _guest.Rsp);
        Assert.Equal((0, TestGuest.KernelCs, 0), (_guest.State->Segments.Ss.Selector, _guest.State->Segments.Cs.Selector, _guest.State->Cpl));
    }

    [Theory]
    [InlineData(0UL, 40UL)]
    [InlineData(8UL, 32UL)]
    [InlineData(1UL, 39UL)]
    public void The_stack_of_the_same_privilege_is_aligned_to_16_bytes(ulong misalignment, ulong below)
    {
        _guest.Rsp = TestGuest.KernelStack - 0x100 + misalignment;

        Caught caught = _guest.RunKernel(a => a.ud2());

        Assert.Equal(TestGuest.KernelStack - 0x100 + misalignment, caught.Sp);
        Assert.Equal(TestGuest.KernelStack - 0x100 + misalignment - misalignment - 40, _guest.Rsp);
        Assert.True(below > 0);
        Assert.Equal(TestGuest.KernelDs, caught.Ss);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_ist_stack_is_used_from_any_privilege(bool user)
    {
        _guest.SetGate(6, TestGuest.Handlers + (6 * 16), ist: 1);

        Caught caught = user ? _guest.RunUser(a => a.ud2()) : _guest.RunKernel(a => a.ud2());

        Assert.Equal(6, caught.Vector);
        Assert.Equal(TestGuest.IstStack - 40, _guest.Rsp);
        Assert.Equal(user ? 0 : TestGuest.KernelDs, _guest.State->Segments.Ss.Selector);
    }

    [Theory]
    [InlineData(0xE, 0UL)]
    [InlineData(0xF, (ulong)Rflags.IF)]
    public void Interrupt_gates_clear_if_and_trap_gates_keep_it(int type, ulong expected)
    {
        _guest.SetGate(6, TestGuest.Handlers + (6 * 16), type: type);
        _guest.Flags = Rflags.IF | Rflags.NT | Rflags.AC | Rflags.DF | Rflags.CF | 2;

        Caught caught = _guest.RunKernel(a => a.ud2());

        Assert.Equal(Rflags.IF | Rflags.NT | Rflags.AC | Rflags.DF | Rflags.CF | Rflags.RF | 2UL, caught.Flags);
        Assert.Equal(expected | Rflags.AC | Rflags.DF | Rflags.CF | 2UL, _guest.Flags);
    }

    [Theory]
    [InlineData(0x30, "13(182)")]
    [InlineData(3, "3")]
    [InlineData(13, "13(6a)")]
    public void Int_n_from_user_mode_needs_a_gate_of_its_privilege(int vector, string raised)
    {
        long before = _guest.Processor.Retired;

        Caught caught = _guest.RunUser(a => a.@int((byte)vector));

        Assert.Equal(raised, caught.ToString());
        bool refused = caught.Vector == 13;
        Assert.Equal(TestGuest.UserCode + (refused ? 0UL : 2), caught.Ip);
        Assert.Equal(refused, (caught.Flags & Rflags.RF) != 0);
        Assert.Equal(refused ? 1 : 2, _guest.Processor.Retired - before);
    }

    [Fact]
    public void Int1_asks_no_gate_for_its_privilege()
    {
        Caught caught = _guest.RunUser(a => a.db(0xF1));

        Assert.Equal((1, TestGuest.UserCode + 1), (caught.Vector, caught.Ip));
    }

    [Fact]
    public void Int_n_of_a_vector_with_error_code_pushes_none()
    {
        _guest.RunKernel(a => a.@int(14));

        Assert.Equal(TestGuest.KernelStack - 40, _guest.Rsp);
        Assert.Equal(TestGuest.Code + 2, _guest.Read(_guest.Rsp));
    }

    [Fact]
    public void Bad_gates_raise_what_the_manual_says()
    {
        const ulong Handler = TestGuest.Handlers + (6 * 16);
        const ushort Spare = TestGuest.Spare;
        (string Name, Action Spoil, string Fault, string Interrupt, string Software)[] cases =
        [
            ("not present", () => _guest.SetGate(Timer, Handler, present: false), "11(203)", "11(203)", "11(202)"),
            ("call gate", () => _guest.SetGate(Timer, Handler, type: 0xC), "13(203)", "13(203)", "13(202)"),
            ("task gate", () => _guest.SetGate(Timer, Handler, type: 5), "13(203)", "13(203)", "13(202)"),
            ("null selector", () => _guest.SetGate(Timer, Handler, selector: 0), "13(1)", "13(1)", "13(0)"),
            ("beyond the table", () => _guest.SetGate(Timer, Handler, selector: 0x400), "13(401)", "13(401)", "13(400)"),
            ("data selector", () => _guest.SetGate(Timer, Handler, selector: TestGuest.KernelDs), "13(11)", "13(11)", "13(10)"),
            ("32-bit code", () => _guest.SetGate(Timer, Handler, selector: TestGuest.KernelCs32), "13(41)", "13(41)", "13(40)"),
            ("user code", () => _guest.SetGate(Timer, Handler, selector: TestGuest.UserCs), "13(29)", "13(29)", "13(28)"),
            ("absent code", () =>
            {
                _guest.SetGate(Timer, Handler, selector: Spare);
                _guest.SetDescriptor(Spare, TestGuest.Descriptor(0xA01B));
            }, "11(49)", "11(49)", "11(48)"),
            ("target not canonical", () => _guest.SetGate(Timer, 0x8000_0000_0000_0000), "13(1)", "13(1)", "13(0)"),
        ];
        foreach ((string name, Action spoil, _, string interrupt, string software) in cases)
        {
            spoil();
            _guest.EnterKernel(TestGuest.Code);
            Caught caught = _guest.RunKernel(a => a.@int(Timer));
            Assert.Equal($"{name}: {software} at {TestGuest.Code:x}", $"{name}: {caught} at {caught.Ip:x}");

            _guest.EnterKernel(TestGuest.Code);
            _guest.Flags = Rflags.IF | 2;
            _guest.Bus.At(_guest.Processor.Now + 1, Timer);
            caught = _guest.RunKernel(a =>
            {
                a.nop();
                a.nop();
            });
            Assert.Equal($"{name}: {interrupt} at {TestGuest.Code + 1:x}", $"{name}: {caught} at {caught.Ip:x}");
        }
    }

    [Fact]
    public void A_vector_beyond_the_idt_is_refused()
    {
        _guest.State->IdtLimit = 0x2FF;

        Assert.Equal("13(182)", _guest.RunKernel(a => a.@int(0x30)).ToString());
    }

    [Fact]
    public void Bad_stacks_of_the_tss_raise_what_the_manual_says()
    {
        _guest.State->Tr.Limit = 10;
        _guest.SetGate(10, TestGuest.Handlers + 160, ist: 0);
        Caught shut = null!;
        _guest.Assemble(TestGuest.UserCode, a => a.ud2());
        _guest.EnterUser();
        _guest.Processor.Run(100);

        // Every handler needs the stack that cannot be found: #TS, #DF, shutdown.
        Assert.Null(shut);
        Assert.True(_guest.Processor.ShutDown);
    }

    [Fact]
    public void A_tss_too_short_for_an_ist_stack_is_an_invalid_tss()
    {
        _guest.State->Tr.Limit = 40;
        _guest.SetGate(6, TestGuest.Handlers + (6 * 16), ist: 1);

        Assert.Equal("10(31)", _guest.RunKernel(a => a.ud2()).ToString());
        _guest.EnterKernel(TestGuest.Code);
        Assert.Equal("10(30)", _guest.RunKernel(a => a.@int(6)).ToString());
    }

    [Fact]
    public void A_stack_that_is_not_canonical_is_a_stack_fault()
    {
        _guest.SetGate(6, TestGuest.Handlers + (6 * 16), ist: 2);
        _guest.Write(TestGuest.Tss + 44, 0x8000_0000_0000_0000);

        Assert.Equal("12(1)", _guest.RunKernel(a => a.ud2()).ToString());
    }

    [Fact]
    public void A_page_fault_while_an_exception_is_delivered_is_delivered_instead()
    {
        _guest.SetGate(6, TestGuest.Handlers + (6 * 16), ist: 2);
        _guest.Write(TestGuest.Tss + 44, 0x500000);

        Caught caught = _guest.RunKernel(a => a.ud2());

        Assert.Equal((14, 2U, 0x500000UL - 40, TestGuest.Code), (caught.Vector, caught.ErrorCode, caught.Cr2 & ~7UL, caught.Ip));
    }

    [Theory]
    [InlineData(13, 13)]
    [InlineData(14, 13)]
    [InlineData(14, 14)]
    [InlineData(0, 11)]
    public void Two_contributory_faults_are_a_double_fault(int first, int second)
    {
        Spoil(first, second);
        _guest.SetGate(8, TestGuest.Handlers + (8 * 16), ist: 1);

        Caught caught = RunFault(first);

        Assert.Equal((8, 0U, TestGuest.Code), (caught.Vector, caught.ErrorCode, caught.Ip));
        if (second == 14)
        {
            Assert.Equal(0x500000UL - 48, caught.Cr2);
        }
    }

    [Theory]
    [InlineData(6, 13)]
    [InlineData(6, 14)]
    [InlineData(13, 14)]
    [InlineData(0, 14)]
    public void Other_pairs_are_delivered_one_after_the_other(int first, int second)
    {
        Spoil(first, second);

        Caught caught = RunFault(first);

        Assert.Equal((second, TestGuest.Code), (caught.Vector, caught.Ip));
    }

    [Fact]
    public void A_fault_in_the_delivery_of_a_double_fault_shuts_down()
    {
        _guest.SetGate(13, 0, present: false);
        _guest.SetGate(8, 0, present: false);
        _guest.SetGate(11, 0, present: false);
        _guest.Assemble(TestGuest.Code, a => a.mov(rax, __[rbx]));
        _guest.Rbx = 1UL << 63;

        _guest.Processor.Run(100);

        Assert.True(_guest.Processor.ShutDown);
        Assert.Equal(0, _guest.Processor.Retired);
    }

    [Fact]
    public void Delivery_marks_the_handlers_code_segment_accessed()
    {
        _guest.SetDescriptor(TestGuest.Spare, TestGuest.Descriptor(0xA09A));
        _guest.SetGate(6, TestGuest.Handlers + (6 * 16), selector: TestGuest.Spare);

        _guest.RunKernel(a => a.ud2());

        Assert.Equal(TestGuest.Descriptor(0xA09B), _guest.Read(TestGuest.Gdt + TestGuest.Spare));
    }

    [Fact]
    public void A_second_nmi_waits_for_iret()
    {
        _guest.Assemble(TestGuest.Handlers + 32, a =>
        {
            a.inc(rcx);
            a.nop();
            a.nop();
            a.iretq();
        });
        _guest.Bus.At(2, -1);
        _guest.Bus.At(4, -1);
        List<ulong> counts = [];
        _guest.Assemble(TestGuest.Code, a =>
        {
            for (int i = 0; i < 10; i++)
            {
                a.nop();
            }

            a.hlt();
        });

        for (long n = 1; n <= 9; n++)
        {
            _guest.Processor.Run(n);
            counts.Add(_guest.Rcx);
        }

        Assert.Equal([0, 0, 1, 1, 1, 1, 2, 2, 2], counts);
    }

    [Fact]
    public void A_trap_at_hlt_ends_the_wait()
    {
        _guest.Flags = Rflags.TF | 2;
        _guest.Assemble(TestGuest.Handlers + 16, a =>
        {
            a.mov(rcx, __[rsp]);
            a.hlt();
        });

        _guest.RunKernel(a => a.hlt());

        Assert.Equal(TestGuest.Code + 1, _guest.Rcx);
    }

    private void Spoil(int first, int second)
    {
        switch (second)
        {
            case 14:
                _guest.SetGate(first, TestGuest.Handlers + ((ulong)first * 16), ist: 2);
                _guest.Write(TestGuest.Tss + 44, 0x500000);
                break;
            case 13:
                _guest.SetGate(first, 0, selector: 0);
                break;
            default:
                _guest.SetGate(first, 0, present: false);
                break;
        }
    }

    private Caught RunFault(int vector)
    {
        _guest.Rbx = 1UL << 63;
        _guest.Rdx = 0;
        return _guest.RunKernel(a =>
        {
            switch (vector)
            {
                case 0: a.div(rdx); break;
                case 6: a.ud2(); break;
                case 13: a.mov(rax, __[rbx]); break;
                default: a.mov(rax, __qword_ptr[0x600000]); break;
            }
        });
    }
}
