using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>IRET, SYSCALL, SYSRET and SWAPGS.</summary>
public sealed unsafe class InterruptReturnTests : IDisposable
{
    private readonly TestGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Iretq_enters_user_mode_with_the_frame_it_pops()
    {
        _guest.Assemble(TestGuest.UserCode, a => a.@int(TestGuest.UserEnd));
        Frame(TestGuest.UserCode, TestGuest.UserCs, 0x246 | Rflags.RF, TestGuest.UserStack - 24, TestGuest.UserDs);

        Caught caught = _guest.RunKernel(a => a.iretq());

        Assert.Equal(new Caught(TestGuest.UserEnd, 0, TestGuest.UserCode + 2, TestGuest.UserCs, 0x246, TestGuest.UserStack - 24, TestGuest.UserDs, 0), caught);
    }

    [Fact]
    public void Iretq_to_the_same_privilege_pops_the_stack_pointer_too()
    {
        ulong target = TestGuest.Code + 0x100;
        _guest.Assemble(target, a => a.hlt());
        Frame(target, TestGuest.KernelCs, 2, TestGuest.KernelStack - 0x200, 0);

        Caught caught = _guest.RunKernel(a => a.iretq());

        Assert.Equal((-1, target, TestGuest.KernelStack - 0x200, 0), (caught.Vector, caught.Ip, caught.Sp, caught.Ss));
    }

    [Fact]
    public void Iret_refuses_what_the_manual_says()
    {
        _guest.SetDescriptor(TestGuest.Spare, TestGuest.Descriptor(0xA01B), TestGuest.Descriptor(0xE09B), TestGuest.Descriptor(0xC013), TestGuest.Descriptor(0xC091));
        const ulong Target = TestGuest.Code + 0x100;
        (string Name, ulong[] Frame, string Raised)[] cases =
        [
            ("ip not canonical", [1UL << 63, TestGuest.KernelCs, 2, 0, TestGuest.KernelDs], "13(0)"),
            ("null cs", [Target, 0, 2, 0, TestGuest.KernelDs], "13(0)"),
            ("null cs with rpl", [Target, 3, 2, 0, TestGuest.UserDs], "13(0)"),
            ("cs beyond the table", [Target, 0x400, 2, 0, TestGuest.KernelDs], "13(400)"),
            ("cs in an absent ldt", [Target, 0xC, 2, 0, TestGuest.KernelDs], "13(c)"),
            ("cs is data", [Target, TestGuest.KernelDs, 2, 0, TestGuest.KernelDs], "13(10)"),
            ("cs dpl", [Target, TestGuest.KernelCs | 3, 2, 0, TestGuest.UserDs], "13(8)"),
            ("cs rpl", [Target, TestGuest.UserCs & ~3UL, 2, 0, TestGuest.UserDs], "13(28)"),
            ("cs absent", [Target, TestGuest.Spare, 2, 0, TestGuest.KernelDs], "11(48)"),
            ("cs of both sizes", [Target, TestGuest.Spare + 8, 2, 0, TestGuest.KernelDs], "13(50)"),
            ("null ss for user", [Target, TestGuest.UserCs, 2, 0, 3], "13(0)"),
            ("ss rpl", [Target, TestGuest.UserCs, 2, 0, TestGuest.UserDs & ~3UL], "13(20)"),
            ("ss dpl", [Target, TestGuest.UserCs, 2, 0, TestGuest.KernelDs | 3], "13(10)"),
            ("ss is code", [Target, TestGuest.KernelCs, 2, 0, TestGuest.KernelCs], "13(8)"),
            ("ss absent", [Target, TestGuest.KernelCs, 2, 0, TestGuest.Spare + 16], "12(58)"),
            ("ss read-only", [Target, TestGuest.KernelCs, 2, 0, TestGuest.Spare + 24], "13(60)"),
        ];
        foreach ((string name, ulong[] frame, string raised) in cases)
        {
            _guest.EnterKernel(TestGuest.Code);
            Frame(frame);

            Caught caught = _guest.RunKernel(a => a.iretq());

            Assert.Equal($"{name}: {raised} {TestGuest.Code:x} {TestGuest.KernelStack - 40:x}", $"{name}: {caught} {caught.Ip:x} {caught.Sp:x}");
        }
    }

    [Fact]
    public void A_nested_task_cannot_return_in_long_mode()
    {
        Frame(TestGuest.Code, TestGuest.KernelCs, 2, 0, 0);
        _guest.Flags = Rflags.NT | 2;

        Assert.Equal("13(0)", _guest.RunKernel(a => a.iretq()).ToString());
    }

    [Fact]
    public void User_mode_cannot_raise_its_io_privilege_or_mask_interrupts_with_iret()
    {
        _guest.Flags = 2;
        ulong target = TestGuest.UserCode + 0x100;
        _guest.Assemble(target, a => a.@int(TestGuest.UserEnd));

        Caught caught = _guest.RunUser(a =>
        {
            a.push(TestGuest.UserDs);
            a.push(rsp);
            a.push(0x3202 | (int)Rflags.AC | (int)Rflags.CF);
            a.push(TestGuest.UserCs);
            a.mov(rax, target);
            a.push(rax);
            a.iretq();
        });

        Assert.Equal((TestGuest.UserEnd, target + 2), (caught.Vector, caught.Ip));
        Assert.Equal(2UL | Rflags.AC | Rflags.CF, caught.Flags);
    }

    [Fact]
    public void Return_to_an_outer_privilege_drops_segments_it_may_not_use()
    {
        _guest.Assemble(TestGuest.UserCode, a =>
        {
            a.mov(eax, ds);
            a.mov(ecx, es);
            a.@int(TestGuest.UserEnd);
        });
        _guest.Rbx = TestGuest.UserDs;
        Frame(TestGuest.UserCode, TestGuest.UserCs, 2, TestGuest.UserStack, TestGuest.UserDs);

        _guest.RunKernel(a =>
        {
            a.mov(es, ebx);
            a.iretq();
        });

        Assert.Equal((0UL, (ulong)TestGuest.UserDs), (_guest.Rax, _guest.Rcx));
    }

    [Fact]
    public void Iretq_reaches_32_bit_code_and_an_exception_comes_back_from_it()
    {
        _guest.Assemble(32, TestGuest.UserCode, TestGuest.UserCode, a =>
        {
            a.mov(eax, 0x80000001);
            a.inc(eax);
            a.push(eax);
            a.ud2();
        });
        Frame(TestGuest.UserCode, TestGuest.UserCs32, 2, TestGuest.UserStack, TestGuest.UserDs);
        _guest.Rax = ulong.MaxValue;

        Caught caught = _guest.RunKernel(a => a.iretq());

        Assert.Equal((6, TestGuest.UserCode + 7, TestGuest.UserCs32, TestGuest.UserStack - 4), (caught.Vector, caught.Ip, caught.Cs, caught.Sp));
        Assert.Equal(0x80000002UL, _guest.Rax);
        Assert.Equal(0x80000002UL, _guest.Read(TestGuest.UserStack - 4, 4));
    }

    [Fact]
    public void Rf_of_the_frame_lasts_one_instruction()
    {
        ulong target = TestGuest.Code + 0x100;
        _guest.Assemble(target, a =>
        {
            a.nop();
            a.ud2();
        });
        _guest.SetGate(0x41, TestGuest.Handlers + (0x41 * 16));
        _guest.Flags = 2;
        Frame(target, TestGuest.KernelCs, 2 | Rflags.RF | Rflags.IF, TestGuest.KernelStack, 0);
        _guest.Bus.At(2, 0x41);

        Caught caught = _guest.RunKernel(a => a.iretq());

        Assert.Equal((0x41, target + 1, 2UL | Rflags.IF), (caught.Vector, caught.Ip, caught.Flags));
    }

    [Fact]
    public void Syscall_saves_where_it_was_and_masks_flags()
    {
        CpuState* s = _guest.State;
        s->Star = ((ulong)TestGuest.KernelCs << 32) | (0x18UL << 48);
        s->Lstar = TestGuest.Code;
        s->Sfmask = Rflags.IF | Rflags.DF;
        _guest.Assemble(TestGuest.Code, a => a.hlt());
        _guest.Assemble(TestGuest.UserCode, a => a.syscall());
        _guest.EnterUser();
        _guest.Flags = Rflags.IF | Rflags.DF | Rflags.CF | Rflags.RF | 2;

        Caught caught = _guest.Run();

        Assert.Equal((-1, TestGuest.Code, TestGuest.KernelCs, TestGuest.KernelDs), (caught.Vector, caught.Ip, caught.Cs, caught.Ss));
        Assert.Equal(TestGuest.UserCode + 2, _guest.Rcx);
        Assert.Equal(Rflags.IF | Rflags.DF | Rflags.CF | 2UL, s->R[11]);
        Assert.Equal(Rflags.CF | 2UL, caught.Flags);
        Assert.Equal((TestGuest.UserStack, 0), (_guest.Rsp, s->Cpl));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Sysret_goes_to_64_bit_or_32_bit_user_code(bool wide)
    {
        _guest.State->Star = 0x18UL << 48;
        _guest.Assemble(TestGuest.UserCode, a => a.@int(TestGuest.UserEnd));
        _guest.Rcx = TestGuest.UserCode;
        _guest.State->R[11] = 0x3_0246 | Rflags.VM;
        _guest.Rsp = TestGuest.UserStack;

        Caught caught = _guest.RunKernel(a =>
        {
            if (wide)
            {
                a.sysretq();
            }
            else
            {
                a.sysret();
            }
        });

        Assert.Equal(TestGuest.UserEnd, caught.Vector);
        Assert.Equal(wide ? TestGuest.UserCs : TestGuest.UserCs32, caught.Cs);
        Assert.Equal(((ulong)0x246, TestGuest.UserDs), (caught.Flags, caught.Ss));
    }

    [Fact]
    public void Syscall_and_sysret_need_efer_and_privilege()
    {
        _guest.State->Efer &= ~Efer.SCE;
        Assert.Equal("6", _guest.RunKernel(a => a.syscall()).ToString());
        _guest.EnterKernel(TestGuest.Code);
        Assert.Equal("6", _guest.RunKernel(a => a.sysretq()).ToString());
        _guest.State->Efer |= Efer.SCE;
        Assert.Equal("13(0)", _guest.RunUser(a => a.sysretq()).ToString());
        _guest.EnterKernel(TestGuest.Code);
        _guest.Rcx = 1UL << 63;
        Assert.Equal("13(0)", _guest.RunKernel(a => a.sysretq()).ToString());
    }

    [Fact]
    public void Swapgs_exchanges_bases_in_kernel_mode_only()
    {
        _guest.State->Segments.Gs.Base = 0x1111;
        _guest.State->KernelGsBase = 0x2222;

        _guest.RunKernel(a => a.swapgs());
        Assert.Equal((0x2222UL, 0x1111UL), (_guest.State->Segments.Gs.Base, _guest.State->KernelGsBase));

        Assert.Equal("13(0)", _guest.RunUser(a => a.swapgs()).ToString());
        Assert.Equal((0x1111UL), _guest.State->KernelGsBase);
    }

    private void Frame(params ulong[] words)
    {
        _guest.Rsp = TestGuest.KernelStack - ((ulong)words.Length * 8);
        _guest.Write(_guest.Rsp, words);
    }
}
