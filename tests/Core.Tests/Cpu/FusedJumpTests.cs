using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>A comparison with a jump behind it, which are executed as one, jumps exactly where SETcc behind the same comparison sets.</summary>
public sealed unsafe class FusedJumpTests
{
    private static readonly ulong[] _values = [0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, ulong.MaxValue];

    private static readonly Dictionary<string, Action<Assembler>> _comparisons = new()
    {
        ["cmp al, bl"] = a => a.cmp(al, bl),
        ["cmp ax, bx"] = a => a.cmp(ax, bx),
        ["cmp eax, ebx"] = a => a.cmp(eax, ebx),
        ["cmp rax, rbx"] = a => a.cmp(rax, rbx),
        ["cmp rax, [rdi]"] = a => a.cmp(rax, __[rdi]),
        ["cmp [rdi], al"] = a => a.cmp(__[rdi], al),
        ["cmp dword [rdi], 3"] = a => a.cmp(__dword_ptr[rdi], 3),
        ["test al, bl"] = a => a.test(al, bl),
        ["test rax, rbx"] = a => a.test(rax, rbx),
        ["test [rdi], ax"] = a => a.test(__[rdi], ax),
        ["add eax, 1"] = a => a.add(eax, 1),
        ["sub rax, 1"] = a => a.sub(rax, 1),
        ["and al, 0x81"] = a => a.and(al, 0x81),
    };

    public static TheoryData<string> Comparisons() => [.. _comparisons.Keys];

    [Theory]
    [MemberData(nameof(Comparisons))]
    public void A_jump_is_taken_where_its_condition_is_set(string comparison)
    {
        using TestGuest guest = new();
        for (byte condition = 0; condition < 16; condition++)
        {
            byte code = condition;
            guest.Assemble(TestGuest.Code, a =>
            {
                // RSI counts differences: DL is what SETcc says, CL whether the jump was taken.
                a.mov(r8, rax);
                _comparisons[comparison](a);
                a.db(0x0F, (byte)(0x90 + code), 0xC2);
                a.mov(rax, r8);
                a.mov(ecx, 1);
                _comparisons[comparison](a);
                a.db((byte)(0x70 + code), 2);
                a.db(0x31, 0xC9);
                a.xor(ecx, edx);
                a.movzx(ecx, cl);
                a.add(rsi, rcx);
                a.inc(r9);
                a.hlt();
            });
            guest.Processor.Group.InvalidateCode(TestGuest.Code);
            foreach (ulong first in _values)
            {
                foreach (ulong second in _values)
                {
                    guest.EnterKernel(TestGuest.Code);
                    guest.Rax = first;
                    guest.Rbx = second;
                    guest.Rdi = TestGuest.Data;
                    guest.Rdx = guest.Rsi = 0;
                    guest.State->R[9] = 0;
                    guest.Write(TestGuest.Data, second);
                    guest.Run();
                    Assert.True((guest.Rsi, guest.State->R[9]) == (0, 1), $"{comparison}; j{code:x} of {first:x} and {second:x}");
                }
            }
        }
    }
}
