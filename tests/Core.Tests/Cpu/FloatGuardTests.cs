using Iced.Intel;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>
/// What CR0.EM, CR0.TS and CR4.OSFXSR refuse, they refuse from the next instruction on, and allow again from the next: also in code that has
/// run and is linked already (Intel SDM vol. 3A §2.5, tables 2-3 and 2-4, §13.1).
/// </summary>
public sealed unsafe class FloatGuardTests : IDisposable
{
    private const ulong Function = TestGuest.Code + 0x1000;

    private readonly TestGuest _guest = new();

    private static readonly Dictionary<string, Action<Assembler>> _changes = new()
    {
        ["nothing"] = _ => { },
        ["mov cr0: TS"] = a => SetCr0(a, Cr0.TS, 0),
        ["mov cr0: EM"] = a => SetCr0(a, Cr0.EM, 0),
        ["mov cr0: EM and TS"] = a => SetCr0(a, Cr0.EM | Cr0.TS, 0),
        ["mov cr0: MP and TS"] = a => SetCr0(a, Cr0.MP | Cr0.TS, 0),
        ["mov cr0: MP"] = a => SetCr0(a, Cr0.MP, 0),
        ["lmsw: TS"] = a =>
        {
            a.smsw(eax);
            a.or(eax, (int)Cr0.TS);
            a.lmsw(ax);
        },
        ["mov cr4: no OSFXSR"] = a => ClearCr4(a, Cr4.OSFXSR),
        ["mov cr0: TS; clts"] = a =>
        {
            SetCr0(a, Cr0.TS, 0);
            a.clts();
        },
        ["mov cr0: TS; mov cr0: none"] = a =>
        {
            SetCr0(a, Cr0.TS, 0);
            SetCr0(a, 0, Cr0.TS);
        },
    };

    private static readonly Dictionary<string, Action<Assembler>> _instructions = new()
    {
        ["addps"] = a => a.addps(xmm0, xmm1),
        ["paddd mm"] = a => a.paddd(mm0, mm1),
        ["cvtpi2ps mm"] = a => a.cvtpi2ps(xmm0, mm1),
        ["cvtpi2ps m64"] = a => a.cvtpi2ps(xmm0, __qword_ptr[TestGuest.Data]),
        ["movd xmm"] = a => a.movd(xmm0, eax),
        ["ldmxcsr"] = a => a.ldmxcsr(__dword_ptr[TestGuest.Data]),
        ["emms"] = a => a.emms(),
        ["fld1"] = a => a.fld1(),
        ["fwait"] = a => a.wait(),
        ["fxsave"] = a => a.fxsave(__[TestGuest.Data]),
        ["movnti"] = a => a.movnti(__dword_ptr[TestGuest.Data], eax),
        ["crc32"] = a => a.crc32(eax, ecx),
        ["sfence"] = a => a.sfence(),
        ["lock addps"] = a => a.db(0xF0, 0x0F, 0x58, 0xC1),
    };

    public void Dispose() => _guest.Dispose();

    // A change, and what each instruction ends in: # a fault, · none.
    [Theory]
    [InlineData("nothing", "addps ·, paddd mm ·, cvtpi2ps mm ·, cvtpi2ps m64 ·, movd xmm ·, ldmxcsr ·, emms ·, fld1 ·, fwait ·, fxsave ·, movnti ·, crc32 ·, sfence ·, lock addps #6")]
    [InlineData("mov cr0: TS", "addps #7, paddd mm #7, cvtpi2ps mm #7, cvtpi2ps m64 #7, movd xmm #7, ldmxcsr #7, emms #7, fld1 #7, fwait ·, fxsave #7, movnti ·, crc32 ·, sfence ·, lock addps #6")]
    [InlineData("lmsw: TS", "addps #7, paddd mm #7, fld1 #7, fwait ·, fxsave #7")]
    [InlineData("mov cr0: EM", "addps #6, paddd mm #6, cvtpi2ps mm #6, cvtpi2ps m64 #6, movd xmm #6, ldmxcsr #6, emms #6, fld1 #7, fwait ·, fxsave #7, movnti ·, crc32 ·, sfence ·")]
    [InlineData("mov cr0: EM and TS", "addps #6, paddd mm #6, cvtpi2ps mm #6, emms #6, fld1 #7, fwait ·, fxsave #7")]
    [InlineData("mov cr0: MP and TS", "addps #7, fld1 #7, fwait #7, fxsave #7")]
    [InlineData("mov cr0: MP", "addps ·, fld1 ·, fwait ·, fxsave ·")]
    [InlineData("mov cr4: no OSFXSR", "addps #6, paddd mm ·, cvtpi2ps mm #6, cvtpi2ps m64 #6, movd xmm #6, ldmxcsr #6, emms ·, fld1 ·, fwait ·, fxsave ·, movnti ·, crc32 ·, sfence ·, lock addps #6")]
    [InlineData("mov cr0: TS; clts", "addps ·, paddd mm ·, fld1 ·, fwait ·, fxsave ·")]
    [InlineData("mov cr0: TS; mov cr0: none", "addps ·, paddd mm ·, fld1 ·, fwait ·, fxsave ·")]
    public void A_change_counts_for_the_next_instruction(string change, string ends)
    {
        foreach (string end in ends.Split(", "))
        {
            string name = end[..end.LastIndexOf(' ')];
            using TestGuest guest = new();
            guest.Write(TestGuest.Data, 0x1F80, 0);
            guest.Assemble(Function, a =>
            {
                _instructions[name](a);
                a.ret();
            });

            Caught caught = guest.RunKernel(a =>
            {
                if (name != "lock addps")
                {
                    // What follows the change has been decoded, linked and looked up before it.
                    a.call(Function);
                    a.call(Function);
                }

                _changes[change](a);
                a.call(Function);
            });

            Assert.Equal($"{name} {(caught.Vector < 0 ? "·" : "#" + caught.Vector)}", end);
            Assert.True(caught.Vector < 0 || caught.Ip == Function, $"{name}: the fault points to {caught.Ip:x}");
        }
    }

    [Fact]
    public void A_handler_that_gives_the_unit_back_has_the_instruction_run_again()
    {
        _guest.Assemble(TestGuest.Handlers + (Vector.DeviceNotAvailable * 16), a =>
        {
            a.inc(ebx);
            a.clts();
            a.iretq();
        });

        Caught caught = _guest.RunKernel(a =>
        {
            Label again = a.CreateLabel();
            a.mov(ecx, 3);
            a.Label(ref again);
            SetCr0(a, Cr0.TS, 0);
            a.fninit();
            a.fld1();
            a.addps(xmm0, xmm1);
            a.dec(ecx);
            a.jne(again);
        });

        Assert.Equal((-1, 3u), (caught.Vector, (uint)_guest.Rbx));
    }

    private static void SetCr0(Assembler a, ulong set, ulong clear)
    {
        a.mov(rax, cr0);
        a.or(eax, (int)set);
        a.and(eax, unchecked((int)~clear));
        a.mov(cr0, rax);
    }

    private static void ClearCr4(Assembler a, ulong clear)
    {
        a.mov(rax, cr4);
        a.and(eax, unchecked((int)~clear));
        a.mov(cr4, rax);
    }
}
