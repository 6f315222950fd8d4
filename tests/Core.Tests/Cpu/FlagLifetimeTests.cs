using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Flags that nobody reads need not be worked out: random programs do in one run what they do one instruction at a time.</summary>
public sealed unsafe class FlagLifetimeTests : IDisposable
{
    private const ulong Unmapped = 0x40_0000_0000;

    private static readonly Action<Assembler>[] _instructions =
    [
        // All flags written, whatever the operands.
        a => a.add(eax, ebx), a => a.sub(rbx, rax), a => a.and(eax, 0x55), a => a.or(bl, al), a => a.xor(edx, eax), a => a.cmp(rax, rbx),
        a => a.test(eax, edx), a => a.neg(ebx), a => a.shl(eax, 3), a => a.shr(rbx, 1), a => a.sar(edx, 31),

        // Some flags written, or none, or only where a count says so.
        a => a.inc(eax), a => a.dec(rbx), a => a.imul(ebx, eax, 77), a => a.rol(eax, 5), a => a.ror(rbx, 1), a => a.shl(eax, cl), a => a.shr(ebx, cl),
        a => a.sar(eax, 32), a => a.shl(rbx, 32), a => a.bt(eax, 4), a => a.not(ebx), a => a.lea(eax, __[rbx + 7]), a => a.mov(edx, eax),
        a => a.movzx(edx, bl), a => a.movsx(eax, dl), a => a.bswap(ebx), a => a.cdq(), a => a.cwde(), a => a.nop(),

        // Flags read.
        a => a.adc(eax, ebx), a => a.sbb(edx, eax), a => a.setc(dl), a => a.seto(bl), a => a.cmovs(eax, edx), a => a.cmovp(ebx, eax), a => a.lahf(),
        a => a.rcl(eax, 1), a => a.cmc(), a => a.pushfq(), a => a.pop(r8),

        // Faults see them: memory that is there or not, a quotient too large or not.
        a => a.mov(edx, __[rsi]), a => a.add(__dword_ptr[rsi], eax), a => a.mov(__[rdi], eax), a => a.xor(eax, __[rdi]), a => a.div(cl),
        a => a.movzx(eax, __byte_ptr[rdi]),
    ];

    private readonly TestGuest _guest = new();
    private readonly Random _random = new(23);

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void A_program_leaves_what_its_instructions_leave_one_by_one()
    {
        for (int program = 0; program < 1_000; program++)
        {
            Action<Assembler>[] parts = [.. Enumerable.Range(0, 2 + _random.Next(12)).Select(_ => _instructions[_random.Next(_instructions.Length)])];
            ulong[] registers = [.. Enumerable.Range(0, 4).Select(_ => (ulong)_random.NextInt64(long.MinValue, long.MaxValue))];
            ulong memory = _random.Next(3) == 0 ? Unmapped : TestGuest.Data + 0x100;
            _guest.Assemble(TestGuest.Code, a =>
            {
                foreach (Action<Assembler> part in parts)
                {
                    part(a);
                }

                a.hlt();
            });

            Enter(registers, memory);
            _guest.Run();
            string together = Describe();

            Enter(registers, memory);
            while (_guest.State->Halted == 0)
            {
                _guest.Processor.SingleStep();
            }

            Assert.Equal($"{program}: {Describe()}", $"{program}: {together}");
        }
    }

    private void Enter(ulong[] registers, ulong memory)
    {
        _guest.EnterKernel(TestGuest.Code);
        _guest.Write(TestGuest.Data, 0, 1, 2, 3);
        _guest.Write(TestGuest.Data + 0x100, 0x1234_5678_9ABC_DEF0);
        _guest.Write(TestGuest.KernelStack - 0x80, new byte[0x100]);
        (_guest.Rax, _guest.Rbx, _guest.Rcx, _guest.Rdx) = (registers[0], registers[1], registers[2], registers[3]);
        (_guest.Rsi, _guest.Rdi, _guest.State->R[8]) = (TestGuest.Data, memory, 0);
    }

    /// <summary>All registers and flags, what an exception left on the stack, and the memory that programs write.</summary>
    private string Describe()
    {
        var numbers = new List<ulong> { _guest.State->Rip, _guest.Flags, _guest.Read(TestGuest.Data), _guest.Read(TestGuest.Data + 0x100) };
        for (int i = 0; i < 16; i++)
        {
            numbers.Add(_guest.State->R[i]);
        }

        for (ulong at = TestGuest.KernelStack - 0x80; at < TestGuest.KernelStack; at += 8)
        {
            numbers.Add(_guest.Read(at));
        }

        return string.Join(' ', numbers.Select(number => number.ToString("x", System.Globalization.CultureInfo.InvariantCulture)));
    }
}
