using Iced.Intel;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Operands that cross pages, devices in memory, and string instructions that fault part-way.</summary>
public sealed unsafe class MemoryOperandTests : IDisposable
{
    private const ulong Page = 0x7000_0000;
    private const ulong First = 0x181000;
    private const ulong Second = 0x18A000;
    private const ulong Device = 0x7100_0000;

    private readonly TestGuest _guest = new();

    public MemoryOperandTests()
    {
        _guest.Map(Page, First, 3);
        _guest.Map(Page + 0x1000, Second, 3);
        _guest.Map(Page + 0x2000, 0, 0);
        _guest.Map(Device, ScriptedBus.MmioBase, 3);
    }

    public void Dispose() => _guest.Dispose();

    /// <remarks>A compare and the jump behind it are executed as one; the operand is at the end of a page, across two, or a device's.</remarks>
    [Theory]
    [InlineData(Page + 0xFF8)]
    [InlineData(Page + 0xFFC)]
    [InlineData(Device + 0x10)]
    [InlineData(Device + 0xFF8)]
    public void A_compare_with_memory_decides_the_jump_behind_it(ulong operand)
    {
        _guest.Write(First + 0xFF8, 0x1111111111111111);
        _guest.Write(Second, 0x1111111111111111);
        _guest.Bus.Mmio.AsSpan().Fill(0x11);
        _guest.Rbx = operand;

        _guest.RunKernel(a =>
        {
            a.mov(esi, 3);
            Label again = a.CreateLabel();
            a.Label(ref again);
            a.mov(rax, 0x1111111111111111);
            Count(a, () => a.cmp(__[rbx], rax), equal: true);
            Count(a, () => a.cmp(rax, __[rbx]), equal: true);
            Count(a, () => a.cmp(__dword_ptr[rbx], 0x11111111), equal: true);
            Count(a, () => a.test(__[rbx], rax), equal: false);
            a.inc(rax);
            Count(a, () => a.cmp(__[rbx], rax), equal: false);
            Count(a, () => a.cmp(rax, __[rbx]), equal: false);
            a.mov(eax, 0xEE);
            Count(a, () => a.test(__[rbx], rax), equal: true);
            a.dec(esi);
            a.jne(again);
        });

        Assert.Equal((21ul, 0ul), (_guest.Rcx, _guest.Rdx));
    }

    [Fact]
    public void Operands_across_two_pages_are_read_and_written_whole()
    {
        _guest.Write(First + 0xFF8, 0x1111111111111111);
        _guest.Write(Second, 0x2222222222222222);
        for (int offset = 1; offset < 8; offset++)
        {
            _guest.EnterKernel(TestGuest.Code);
            _guest.Rbx = Page + 0xFF8 + (ulong)offset;

            _guest.RunKernel(a =>
            {
                a.mov(rax, __[rbx]);
                a.mov(rcx, 0x0102030405060708);
                a.mov(__[rbx], rcx);
                a.add(__qword_ptr[rbx], 1);
                a.@lock.xadd(__[rbx], rcx);
                a.mov(rdx, __[rbx]);
                a.mov(__[rbx], rax);
            });

            int bits = 8 * offset;
            Assert.Equal((0x1111111111111111UL >> bits) | (0x2222222222222222UL << (64 - bits)), _guest.Rax);
            Assert.Equal(0x0102030405060709UL, _guest.Rcx);
            Assert.Equal(0x020406080A0C0E11UL, _guest.Rdx);
            Assert.Equal((0x1111111111111111UL, 0x2222222222222222UL), (_guest.Read(First + 0xFF8), _guest.Read(Second)));
        }
    }

    [Fact]
    public void A_fault_on_the_second_page_changes_nothing()
    {
        (string Name, Action<Assembler> Program, uint Error)[] cases =
        [
            ("load", a => a.mov(rax, __[rbx]), 0),
            ("store", a => a.mov(__[rbx], rax), 2),
            ("add to memory", a => a.add(__[rbx], rax), 2),
            ("add from memory", a => a.add(rax, __[rbx]), 0),
            ("xchg", a => a.xchg(__[rbx], rax), 2),
            ("cmpxchg", a => a.cmpxchg(__[rbx], rcx), 2),
            ("inc", a => a.inc(__qword_ptr[rbx]), 2),
            ("push", a => a.push(rax), 2),
            ("pop", a => a.pop(rax), 0),
            ("call", a => a.call(TestGuest.Code + 0x100), 2),
            ("ret", a => a.ret(), 0),
            ("pop memory", a => a.pop(__qword_ptr[rbx]), 0),
            ("movups", a => a.movups(__xmmword_ptr[rbx], xmm0), 2),
            ("movsq", a => a.movsq(), 2),
            ("stosq", a => a.stosq(), 2),
            ("enter", a => a.enter(0, 0), 2),
        ];
        foreach ((string name, Action<Assembler> program, uint error) in cases)
        {
            _guest.EnterKernel(TestGuest.Code);
            _guest.SetGate(14, TestGuest.Handlers + (14 * 16), ist: 1);
            _guest.Write(Second + 0xFF0, 0xAAAA_AAAA_AAAA_AAAA, 0xBBBB_BBBB_BBBB_BBBB);
            CpuState* s = _guest.State;
            for (int i = 0; i < 16; i++)
            {
                s->R[i] = 0x1000UL + (ulong)i;
            }

            ulong operand = Page + 0x1FFC;
            _guest.Rbx = _guest.Rdi = operand;
            _guest.Rsi = TestGuest.Data;
            bool pushes = name is "push" or "call" or "enter";
            _guest.Rsp = pushes ? operand + 8 : operand;
            ulong[] before = new ReadOnlySpan<ulong>(s->R, 16).ToArray();
            _guest.Flags = 2 | Rflags.CF | Rflags.SF;

            Caught caught = _guest.RunKernel(program);

            Assert.Equal($"{name}: 14({error:x}) {TestGuest.Code:x} {Page + 0x2000:x}", $"{name}: {caught} {caught.Ip:x} {caught.Cr2:x}");
            Assert.Equal($"{name}: {2 | Rflags.CF | Rflags.SF | Rflags.RF:x}", $"{name}: {caught.Flags:x}");
            before[4] = s->R[4];
            Assert.Equal(pushes ? operand + 8 : operand, caught.Sp);
            Assert.Equal(before, new ReadOnlySpan<ulong>(s->R, 16).ToArray());
            Assert.Equal((0xAAAA_AAAA_AAAA_AAAAUL, 0xBBBB_BBBB_BBBB_BBBBUL), (_guest.Read(Second + 0xFF0), _guest.Read(Second + 0xFF8)));
        }
    }

    [Fact]
    public void A_device_is_asked_once_with_the_operands_width()
    {
        _guest.Bus.Mmio[0x20] = 0x78;
        _guest.Bus.Mmio[0x21] = 0x56;
        _guest.Rbx = Device + 0x20;

        _guest.RunKernel(a =>
        {
            a.mov(eax, __[rbx]);
            a.movzx(ecx, __word_ptr[rbx]);
            a.mov(__[rbx + 0x10], eax);
            a.mov(__byte_ptr[rbx + 0x15], 7);
            a.or(__dword_ptr[rbx + 0x20], 0x100);
            a.mov(__[rbx + 0x28], rax);
        });

        Assert.Equal((0x5678UL, 0x5678UL), (_guest.Rax, _guest.Rcx));
        Assert.Equal([(ScriptedBus.MmioBase + 0x20, 4), (ScriptedBus.MmioBase + 0x20, 2), (ScriptedBus.MmioBase + 0x40, 4)], _guest.Bus.MmioReads);
        Assert.Equal(
            [
                (ScriptedBus.MmioBase + 0x30, 0x5678UL, 4, 2L),
                (ScriptedBus.MmioBase + 0x35, 7UL, 1, 3L),
                (ScriptedBus.MmioBase + 0x40, 0x100UL, 4, 4L),
                (ScriptedBus.MmioBase + 0x48, 0x5678UL, 8, 5L),
            ],
            _guest.Bus.MmioWrites);
    }

    [Theory]
    [InlineData(0x30, "8")]
    [InlineData(0x31, "1 2 4 1")]
    [InlineData(0x32, "2 4 2")]
    [InlineData(0x33, "1 4 2 1")]
    [InlineData(0x34, "4 4")]
    [InlineData(0x36, "2 4 2")]
    [InlineData(0x37, "1 4 2 1")]
    public void A_device_sees_the_aligned_parts_of_an_operand_in_order(int offset, string sizes)
    {
        const ulong value = 0x1122_3344_5566_7788;
        _guest.Rbx = Device + (ulong)offset;
        _guest.Rax = value;

        _guest.RunKernel(a =>
        {
            a.mov(__[rbx], rax);
            a.mov(rcx, __[rbx]);
        });

        Assert.Equal(value, _guest.Rcx);
        Assert.Equal(sizes, string.Join(' ', _guest.Bus.MmioWrites.Select(w => w.Size)));
        Assert.Equal(sizes, string.Join(' ', _guest.Bus.MmioReads.Select(r => r.Size)));
        int done = 0;
        foreach ((ulong address, ulong part, int size, _) in _guest.Bus.MmioWrites)
        {
            Assert.Equal(ScriptedBus.MmioBase + (ulong)(offset + done), address);
            Assert.Equal(size == 8 ? value : (value >> (8 * done)) & ((1UL << (8 * size)) - 1), part);
            done += size;
        }
    }

    [Fact]
    public void Physical_addresses_where_nothing_answers_read_as_ones()
    {
        _guest.Map(Device, 0x20_0000_0000, 3);
        _guest.Rbx = Device;

        _guest.RunKernel(a =>
        {
            a.mov(__qword_ptr[rbx], 0);
            a.mov(rax, __[rbx]);
        });

        Assert.Equal(ulong.MaxValue, _guest.Rax);
    }

    [Fact]
    public void The_last_bytes_of_memory_can_be_used_and_an_operand_may_end_in_nothing()
    {
        _guest.Map(Page, TestGuest.MemorySize - 0x1000, 3);
        _guest.Map(Page + 0x1000, TestGuest.MemorySize, 3);
        _guest.Write(TestGuest.MemorySize - 8, 0x8877665544332211);
        _guest.Rbx = Page + 0xFF8;

        _guest.RunKernel(a =>
        {
            a.mov(rax, __[rbx]);
            a.mov(rcx, __[rbx + 4]);
            a.mov(__[rbx + 4], rax);
        });

        Assert.Equal((0x8877665544332211UL, 0xFFFFFFFF88776655UL), (_guest.Rax, _guest.Rcx));
        Assert.Equal(0x4433221144332211UL, _guest.Read(TestGuest.MemorySize - 8));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Repeated_moves_stop_at_a_fault_with_registers_that_go_on(bool backwards)
    {
        for (ulong i = 0; i < 0x100; i += 8)
        {
            _guest.Write(TestGuest.Data + i, i + 1);
        }

        _guest.Map(Page - 0x1000, 0, 0);
        _guest.Rsi = backwards ? TestGuest.Data + 0x78 : TestGuest.Data;
        _guest.Rdi = backwards ? Page + 0x40 : Page + 0x1FC0;
        _guest.Rcx = 16;
        _guest.Flags = backwards ? Rflags.DF | 2 : 2;

        Caught caught = _guest.RunKernel(a => a.rep.movsq());

        int done = backwards ? 9 : 8;
        Assert.Equal((14, 2U, TestGuest.Code), (caught.Vector, caught.ErrorCode, caught.Ip));
        Assert.Equal(backwards ? Page - 8 : Page + 0x2000, caught.Cr2);
        Assert.Equal((ulong)(16 - done), _guest.Rcx);
        Assert.Equal(backwards ? TestGuest.Data + 0x78 - 72 : TestGuest.Data + 64, _guest.Rsi);
        Assert.Equal(backwards ? Page - 8 : Page + 0x2000, _guest.Rdi);
        Assert.Equal(1, _guest.Processor.Retired);
        Assert.Equal(backwards ? 0x79UL : 1, _guest.Read(backwards ? First + 0x40 : Second + 0xFC0));
    }

    [Fact]
    public void Overlapping_moves_copy_element_by_element()
    {
        _guest.Write(TestGuest.Data, 0x0807060504030201);
        _guest.Rsi = TestGuest.Data;
        _guest.Rdi = TestGuest.Data + 1;
        _guest.Rcx = 20;

        _guest.RunKernel(a => a.rep.movsb());

        Assert.Equal(0x0101010101010101UL, _guest.Read(TestGuest.Data + 8));
        Assert.Equal(2, _guest.Processor.Retired);
    }

    [Fact]
    public void A_repeated_instruction_of_any_length_retires_once()
    {
        _guest.Rdi = TestGuest.UserData;
        _guest.Rcx = 0x8000;
        _guest.Rax = 0x55;
        _guest.RunKernel(a => a.rep.stosb());
        Assert.Equal((0UL, 2L), (_guest.Rcx, _guest.Processor.Retired));
        Assert.Equal(0x5555555555555555UL, _guest.Read(TestGuest.UserData + 0x7FF8));

        _guest.EnterKernel(TestGuest.Code);
        _guest.Rcx = 0;
        _guest.Rdi = 1UL << 63;
        Assert.Equal(-1, _guest.RunKernel(a => a.rep.stosb()).Vector);
        Assert.Equal(4, _guest.Processor.Retired);
    }

    [Fact]
    public void Compares_and_scans_end_with_the_flags_of_their_last_element()
    {
        _guest.Write(TestGuest.Data, new byte[] { 1, 2, 3, 4, 5, 0, 7 });
        _guest.Write(TestGuest.Data + 16, new byte[] { 1, 2, 9, 4 });
        _guest.Rdi = TestGuest.Data;
        _guest.Rcx = 100;
        _guest.Rax = 0;

        Caught caught = _guest.RunKernel(a =>
        {
            a.repne.scasb();
            a.mov(r8, rdi);
            a.mov(rsi, TestGuest.Data);
            a.mov(rdi, TestGuest.Data + 16);
            a.mov(ecx, 4);
            a.repe.cmpsb();
        });

        Assert.Equal(TestGuest.Data + 6, _guest.State->R[8]);
        Assert.Equal((1UL, TestGuest.Data + 3), (_guest.Rcx, _guest.Rsi));
        Assert.Equal(Rflags.CF, (uint)caught.Flags & (Rflags.CF | Rflags.ZF));
    }

    [Fact]
    public void Ins_does_not_read_the_port_when_memory_refuses()
    {
        _guest.Rdx = 0x80;
        _guest.Rdi = Page + 0x1FFE;

        Caught caught = _guest.RunKernel(a => a.insd());

        Assert.Equal((14, Page + 0x2000), (caught.Vector, caught.Cr2));
        Assert.Empty(_guest.Bus.PortTimes);
    }

    /// <summary>Adds one to RCX where a comparison decides a jump as it should, taken and not, and one to RDX where it does not.</summary>
    private static void Count(Assembler a, Action compare, bool equal)
    {
        Label yes = a.CreateLabel();
        Label done = a.CreateLabel();
        compare();
        a.je(yes);
        a.inc(equal ? rdx : rcx);
        a.jmp(done);
        a.Label(ref yes);
        a.inc(equal ? rcx : rdx);
        a.Label(ref done);
    }
}
