using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Control and model-specific registers: what they hold and what they refuse.</summary>
public sealed unsafe class SystemRegisterTests : IDisposable
{
    private const ulong Odd = 1UL << 63;

    private readonly TestGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(Msr.Star, ulong.MaxValue)]
    [InlineData(Msr.Lstar, 0xFFFFFFFF81000000)]
    [InlineData(Msr.Cstar, 0xFFFFFFFF81000000)]
    [InlineData(Msr.Fmask, 0x47700UL)]
    [InlineData(Msr.FsBase, 0x7FFFFFFFF000UL)]
    [InlineData(Msr.GsBase, 0xFFFF888000000000)]
    [InlineData(Msr.KernelGsBase, 0xFFFF888000000000)]
    [InlineData(Msr.TscAux, 0xFFFFFFFFUL)]
    [InlineData(Msr.Pat, 0x0407050600070106UL)]
    public void Msrs_hold_what_is_written(uint msr, ulong value)
    {
        Assert.Equal(-1, Write(msr, value).Vector);

        Assert.Equal(value, Read(msr));
    }

    [Theory]
    [InlineData(Msr.Lstar, Odd)]
    [InlineData(Msr.Cstar, Odd)]
    [InlineData(Msr.FsBase, Odd)]
    [InlineData(Msr.GsBase, Odd)]
    [InlineData(Msr.KernelGsBase, Odd)]
    [InlineData(Msr.TscAux, 1UL << 32)]
    [InlineData(Msr.Pat, 0x0007040600070402UL)]
    [InlineData(Msr.Pat, 0x0907040600070406UL)]
    [InlineData(Msr.Efer, 0x100D01UL)]
    [InlineData(Msr.Efer, 0xC01UL)]
    [InlineData(0xDEADBEEF, 0UL)]
    public void Msrs_refuse_bad_values_and_keep_what_they_held(uint msr, ulong value)
    {
        ulong before = msr == 0xDEADBEEF ? 0 : Read(msr);

        Assert.Equal("13(0)", Write(msr, value).ToString());

        Assert.Equal(before, msr == 0xDEADBEEF ? 0 : Read(msr));
    }

    [Fact]
    public void An_unknown_msr_cannot_be_read()
    {
        _guest.Rcx = 0xDEADBEEF;

        Assert.Equal("13(0)", _guest.RunKernel(a => a.rdmsr()).ToString());
    }

    [Fact]
    public void A_write_of_the_timestamp_moves_what_rdtsc_reads_and_tells_the_machine()
    {
        _guest.Rcx = Msr.Tsc;
        _guest.Rax = 1_000_000;

        _guest.RunKernel(a =>
        {
            a.nop();
            a.wrmsr();
            a.rdtsc();
        });

        Assert.Equal(1_000_001UL, _guest.Rax);
        Assert.Equal(999_999, _guest.Bus.TscOffset);
    }

    [Theory]
    [InlineData(0, 0x80000010UL)]
    [InlineData(0, 0xA0000011UL)]
    [InlineData(0, 0x180000011UL)]
    [InlineData(0, 0x11UL)]
    [InlineData(3, 1UL << 40)]
    [InlineData(4, 0x80UL)]
    [InlineData(4, 0x1020UL)]
    [InlineData(4, 0x20020UL)]
    [InlineData(4, 0x100000020UL)]
    [InlineData(8, 16UL)]
    public void Control_registers_refuse_bad_values_and_keep_what_they_held(int register, ulong value)
    {
        ulong[] before = [_guest.State->Cr0, _guest.State->Cr3, _guest.State->Cr4];
        _guest.Rax = value;

        Caught caught = _guest.RunKernel(a =>
        {
            switch (register)
            {
                case 0: a.mov(cr0, rax); break;
                case 3: a.mov(cr3, rax); break;
                case 4: a.mov(cr4, rax); break;
                default: a.mov(cr8, rax); break;
            }
        });

        Assert.Equal("13(0)", caught.ToString());
        Assert.Equal(before, new ulong[] { _guest.State->Cr0, _guest.State->Cr3, _guest.State->Cr4 });
    }

    [Fact]
    public void Cr8_is_the_task_priority()
    {
        _guest.Rax = 7;

        _guest.RunKernel(a =>
        {
            a.mov(cr8, rax);
            a.mov(rcx, cr8);
        });

        Assert.Equal((7U, 7UL), (_guest.Bus.TaskPriority, _guest.Rcx));
    }

    [Fact]
    public void Lmsw_sets_low_bits_and_cannot_leave_protected_mode()
    {
        _guest.Rax = 0xA;

        _guest.RunKernel(a =>
        {
            a.lmsw(ax);
            a.smsw(ecx);
            a.clts();
            a.mov(rdx, cr0);
        });

        Assert.Equal(0xBUL, _guest.Rcx & 0xF);
        Assert.Equal(3UL, _guest.Rdx & 0xF);
    }

    [Fact]
    public void Tables_load_and_store_ten_bytes()
    {
        _guest.Write(TestGuest.Data, new byte[] { 0xFF, 0x0F, 0, 0x90, 0, 0, 0, 0, 0, 0 });
        _guest.Rbx = TestGuest.Data;

        Caught caught = _guest.RunKernel(a =>
        {
            a.lidt(__[rbx]);
            a.sidt(__[rbx + 16]);
            a.sgdt(__[rbx + 32]);
        });

        Assert.Equal(-1, caught.Vector);
        Assert.Equal(_guest.Read(TestGuest.Data), _guest.Read(TestGuest.Data + 16));
        Assert.Equal((TestGuest.Gdt << 16) | 0xFF, _guest.Read(TestGuest.Data + 32));
    }

    [Fact]
    public void Bases_of_fs_and_gs_need_their_enable_bit()
    {
        Assert.Equal("6", _guest.RunUser(a => a.wrfsbase(rax)).ToString());
        _guest.SetCr4(Cr4.FSGSBASE);
        _guest.Rax = 0x1234_5678_9ABC;
        Assert.Equal(TestGuest.UserEnd, _guest.RunUser(a =>
        {
            a.wrfsbase(rax);
            a.rdfsbase(rcx);
            a.wrgsbase(eax);
            a.rdgsbase(rdx);
        }).Vector);
        Assert.Equal((0x1234_5678_9ABCUL, 0x5678_9ABCUL), (_guest.Rcx, _guest.Rdx));
        _guest.Rax = Odd;
        Assert.Equal("13(0)", _guest.RunUser(a => a.wrfsbase(rax)).ToString());
    }

    [Fact]
    public void Rdtsc_can_be_kept_from_user_mode()
    {
        Assert.Equal(TestGuest.UserEnd, _guest.RunUser(a => a.rdtsc()).Vector);
        _guest.SetCr4(Cr4.TSD);
        Assert.Equal("13(0)", _guest.RunUser(a => a.rdtscp()).ToString());
    }

    private Caught Write(uint msr, ulong value)
    {
        Restart();
        _guest.Rcx = msr;
        _guest.Rax = (uint)value;
        _guest.Rdx = value >> 32;
        return _guest.RunKernel(a => a.wrmsr());
    }

    private void Restart()
    {
        _guest.State->Halted = 0;
        _guest.State->Rip = TestGuest.Code;
        _guest.Rsp = TestGuest.KernelStack;
    }

    private ulong Read(uint msr)
    {
        Restart();
        _guest.Rcx = msr;
        Assert.Equal(-1, _guest.RunKernel(a => a.rdmsr()).Vector);
        return _guest.Rax | (_guest.Rdx << 32);
    }
}
