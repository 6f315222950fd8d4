using Iced.Intel;
using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Stores into code: what runs next is what was written, whoever wrote it and by whichever address.</summary>
public sealed unsafe class SelfModifyingCodeTests : IDisposable
{
    private const ulong Alias = 0x7000_0000;
    private const ulong Function = TestGuest.Code + 0x800;
    private const ulong OtherPage = TestGuest.Code + 0x4000;

    private readonly TestGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void The_very_next_instruction_may_be_the_one_that_is_written(int size)
    {
        // mov [rdi], ...; then five bytes that are "mov eax, 1" until they become "mov eax, 2".
        Label next = default;
        _guest.Rax = 0;
        _guest.Assemble(TestGuest.Code, a =>
        {
            next = a.CreateLabel();
            a.mov(rdx, 0x9090_9000_0000_02B8);
            a.lea(rdi, __[next]);
            switch (size)
            {
                case 1:
                    a.mov(__byte_ptr[rdi + 1], 2);
                    break;
                case 2:
                    a.mov(__word_ptr[rdi], 0x02B8);
                    break;
                case 4:
                    a.mov(__[rdi], edx);
                    break;
                default:
                    a.mov(__[rdi], rdx);
                    break;
            }

            a.Label(ref next);
            a.mov(eax, 1);
            a.nop();
            a.nop();
            a.nop();
            a.hlt();
        });

        _guest.Run();

        Assert.Equal(2UL, _guest.Rax);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Code_that_is_rewritten_for_ever_takes_no_more_room(bool probed)
    {
        BreakpointRecorder recorder = new() { Action = BreakpointAction.Step };
        recorder.Addresses.Add(Function);
        _guest.Processor.Group.FetchOverlay = probed ? recorder : null;
        _guest.Processor.Group.BreakpointHandler = recorder;
        _guest.Assemble(Function, a =>
        {
            a.mov(eax, 0);
            a.ret();
        });
        _guest.Assemble(TestGuest.Code, a =>
        {
            Label again = a.CreateLabel();
            a.mov(ecx, 30_000);
            a.mov(rdi, Function + 1);
            a.Label(ref again);
            a.mov(__dword_ptr[rdi], ecx);
            a.call(Function);
            a.dec(ecx);
            a.jne(again);
            a.hlt();
        });

        _guest.Run(limit: 300_000);

        Assert.Equal(1UL, _guest.Rax);
        Assert.Equal(probed ? 30_000 : 0, recorder.Hits.Count);
        Assert.Equal(1, _guest.Processor.Group.Code.Chunks);
    }

    [Fact]
    public void Every_kind_of_store_is_seen()
    {
        // Each changes the immediate of "mov eax, 0" from 0 to 1.
        (string Name, Action<Assembler> Store)[] cases =
        [
            ("or", a => a.or(__byte_ptr[rdi], 1)),
            ("inc", a => a.inc(__byte_ptr[rdi])),
            ("add register", a => a.add(__[rdi], rbx)),
            ("xchg", a => a.xchg(__[rdi], bl)),
            ("xadd", a => a.xadd(__[rdi], bl)),
            ("bts", a => a.bts(__dword_ptr[rdi], 0)),
            ("setne", a => a.sete(__byte_ptr[rdi])),
            ("stosb", a => a.stosb()),
            ("rep movsb", a => a.rep.movsb()),
            ("pop", a => a.pop(__word_ptr[rdi])),
            ("cmpxchg", a => a.cmpxchg(__[rdi], bl)),
            ("shl", a => a.rcl(__byte_ptr[rdi], 1)),
            ("neg", a => a.neg(__byte_ptr[rdi])),
            ("movd", a => a.movd(__dword_ptr[rdi], xmm0)),
            ("movups", a => a.movups(__xmmword_ptr[rdi], xmm0)),
            ("cmpxchg8b", a => a.cmpxchg8b(__qword_ptr[rdi])),
        ];
        foreach ((string name, Action<Assembler> store) in cases)
        {
            _guest.EnterKernel(TestGuest.Code);
            _guest.Assemble(Function, a =>
            {
                a.mov(eax, 0);
                a.ret();
            });
            byte[] after = new byte[16];
            Assert.True(_guest.Memory.TryRead(Function + 1, after));
            ulong old = BitConverter.ToUInt64(after);
            after[0] = 1;
            _guest.Write(TestGuest.Data, after);
            CpuState* s = _guest.State;
            s->XmmRegisters[0] = BitConverter.ToUInt64(after);
            s->XmmRegisters[1] = BitConverter.ToUInt64(after, 8);
            _guest.Rdi = Function + 1;
            _guest.Rsi = TestGuest.Data;
            _guest.Rcx = BitConverter.ToUInt64(after) >> 32;
            _guest.Rbx = (uint)BitConverter.ToUInt64(after) & (name.StartsWith("cmpxchg8b", StringComparison.Ordinal) ? uint.MaxValue : 0xFF);
            _guest.Rdx = old >> 32;
            bool negate = name == "neg";
            _guest.RunKernel(a =>
            {
                a.call(Function);
                a.mov(r8, rax);
                if (name == "rep movsb")
                {
                    a.mov(ecx, 1);
                }

                a.mov(eax, name switch { "stosb" => 1, "cmpxchg8b" => (int)(uint)old, _ => 0 });
                a.push(1);
                if (negate)
                {
                    a.mov(__byte_ptr[rdi], 0xFF);
                    a.call(Function);
                }

                a.cmp(rsp, rsp);
                if (name == "shl")
                {
                    a.stc();
                }

                store(a);
                a.call(Function);
            });

            Assert.Equal($"{name}: 0 1", $"{name}: {s->R[8]} {_guest.Rax & 0xFF}");
        }
    }

    [Fact]
    public void A_store_into_another_page_or_through_another_address_is_seen()
    {
        _guest.Map(Alias, OtherPage, 3);
        _guest.Assemble(OtherPage, a =>
        {
            a.mov(eax, 1);
            a.ret();
        });
        _guest.Rbx = OtherPage;
        _guest.Rdi = Alias + 1;

        _guest.RunKernel(a =>
        {
            a.mov(__[rdi - 1 + 0x800], rcx);
            a.call(rbx);
            a.mov(r8, rax);
            a.mov(__byte_ptr[rdi], 2);
            a.call(rbx);
            a.mov(r9, rax);
            a.mov(__byte_ptr[rdi], 3);
            a.call(rbx);
        });

        Assert.Equal((1UL, 2UL, 3UL), (_guest.State->R[8], _guest.State->R[9], _guest.Rax));
    }

    [Fact]
    public void A_loop_that_rewrites_itself_each_time_runs_each_version()
    {
        _guest.Rcx = 50;
        _guest.Rdi = TestGuest.Code + 3;

        _guest.Assemble(TestGuest.Code, a =>
        {
            a.add(rbx, 0);
            a.inc(__byte_ptr[rdi]);
            a.dec(rcx);
            a.jne(TestGuest.Code);
            a.hlt();
        });
        _guest.Run();

        Assert.Equal(49UL * 50 / 2, _guest.Rbx);
        Assert.Equal(201, _guest.Processor.Retired);
    }

    [Fact]
    public void The_second_page_of_an_instruction_may_be_written()
    {
        ulong at = TestGuest.Code + 0xFFE;
        _guest.Assemble(at, a =>
        {
            a.mov(eax, 1);
            a.ret();
        });
        _guest.Assemble(OtherPage, a =>
        {
            a.mov(rbx, at);
            a.call(rbx);
            a.mov(r8, rax);
            a.mov(rdi, TestGuest.Code + 0x1000);
            a.mov(__byte_ptr[rdi], 2);
            a.call(rbx);
            a.hlt();
        });
        _guest.EnterKernel(OtherPage);

        _guest.Run();

        Assert.Equal((1UL, 0x201UL), (_guest.State->R[8], _guest.Rax));
    }

    [Fact]
    public void Code_that_another_page_falls_through_to_may_be_written()
    {
        ulong last = TestGuest.Code + 0xFFF;
        _guest.Write(last, new byte[] { 0x90 });
        _guest.Assemble(last + 1, a =>
        {
            a.mov(eax, 1);
            a.ret();
        });
        _guest.Assemble(OtherPage, a =>
        {
            a.mov(rbx, last);
            a.mov(rdi, last + 2);
            a.call(rbx);
            a.call(rbx);
            a.mov(r8, rax);
            a.mov(__byte_ptr[rdi], 2);
            a.call(rbx);
            a.hlt();
        });
        _guest.EnterKernel(OtherPage);

        _guest.Run();

        Assert.Equal((1UL, 2UL), (_guest.State->R[8], _guest.Rax));
    }

    [Fact]
    public void A_write_from_outside_is_seen()
    {
        _guest.Assemble(TestGuest.Code, a =>
        {
            a.mov(eax, 1);
            a.jmp(TestGuest.Code);
        });
        _guest.Processor.Run(10);
        _guest.Write(TestGuest.Code + 5, new byte[] { 0xF4 });

        _guest.Run();

        Assert.Equal(12, _guest.Processor.Retired);
    }

    [Fact]
    public void Data_beside_code_can_be_written_without_end()
    {
        _guest.Rcx = 1000;
        _guest.Rdi = TestGuest.Code + 0x200;

        _guest.Assemble(TestGuest.Code, a =>
        {
            a.add(__[rdi], rcx);
            a.dec(rcx);
            a.jne(TestGuest.Code);
            a.hlt();
        });
        _guest.Run();

        Assert.Equal(500500UL, _guest.Read(TestGuest.Code + 0x200));
    }
}
