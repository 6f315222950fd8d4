using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Cpu;

/// <summary>Two processors in turns over one memory: they share decoded code, and no translation.</summary>
public sealed unsafe class SeveralProcessorsTests : IDisposable
{
    /// <summary>Where each processor's page tables may map what they like; what lies below is the same for both.</summary>
    private const ulong Apart = 0x80_0000_0000;

    private const ulong Far = TestGuest.Code + 0x1000;
    private const ulong Other = TestGuest.Code + 0x8000;

    private readonly TestGuest _guest = new(processorCount: 2);
    private readonly Processor _first;
    private readonly Processor _second;

    public SeveralProcessorsTests()
    {
        _first = _guest.Processors[0];
        _second = _guest.Processors[1];
    }

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Code_that_one_has_decoded_is_run_by_the_other_as_it_is()
    {
        Decodings decodings = new();
        _guest.Processors.ExecutionCounts = decodings;
        _guest.Assemble(TestGuest.Code, a =>
        {
            a.add(rax, rcx);
            a.jmp(TestGuest.Code);
        });
        _first.State->R[Registers.Rcx] = 5;
        _second.State->R[Registers.Rcx] = 7;

        Go(_first, 2);
        int once = decodings.Addresses.Count;
        Go(_second, 2);

        Assert.Equal((5UL, 7UL), (_first.State->R[Registers.Rax], _second.State->R[Registers.Rax]));
        Assert.Equal((2, 2), (once, decodings.Addresses.Count));
        Assert.Equal((2L, 2L, 4L), (_first.Retired, _second.Retired, _guest.Processors.Retired));
    }

    /// <summary>
    /// The first processor goes round, over a branch to where the other writes; the other has written there before, when it was no code, so
    /// that its TLB knows the way.
    /// </summary>
    /// <param name="target">Where the branch leads: within its page, where blocks are linked, or to the next, by the jump cache.</param>
    /// <param name="writer">Who writes.</param>
    [Theory]
    [InlineData(TestGuest.Code + 0x40, "store")]
    [InlineData(TestGuest.Code + 0x40, "device")]
    [InlineData(TestGuest.Code + 0x40, "host")]
    [InlineData(Far, "store")]
    [InlineData(Far, "device")]
    [InlineData(Far, "host")]
    public void Code_that_one_runs_is_what_the_other_has_written_last(ulong target, string writer)
    {
        const int end = 60;
        for (int turn = 1; turn < 16; turn++)
        {
            _guest.Write(target, [0x90]);
            _guest.Assemble(Other, a =>
            {
                a.mov(__byte_ptr[rdi], cl);
                a.nop();
            });
            Write(1, "store");
            _guest.Assemble(TestGuest.Code, a =>
            {
                a.nop();
                a.jmp(target);
            });
            _guest.Assemble(target, a =>
            {
                a.mov(edx, 1);
                a.add(rax, rdx);
                a.jmp(TestGuest.Code);
            });
            Set(_first, TestGuest.Code, rax: 0);

            Go(_first, turn);
            Write(7, writer);
            Go(_first, end - turn);

            ulong sum = 0;
            ulong last = 0;
            for (int i = 0; i < end; i++)
            {
                last = i % 5 == 2 ? (i < turn ? 1UL : 7UL) : last;
                sum += i % 5 == 3 ? last : 0;
            }

            Assert.Equal((turn, sum), (turn, _first.State->R[Registers.Rax]));
        }

        void Write(byte value, string who)
        {
            byte[] bytes = [value];
            switch (who)
            {
                case "store":
                    Set(_second, Other);
                    _second.State->R[Registers.Rdi] = target + 1;
                    _second.State->R[Registers.Rcx] = value;
                    Go(_second, 2);
                    break;
                case "device":
                    Assert.True(_guest.Processors.TryWriteRam(target + 1, bytes));
                    break;
                default:
                    Assert.True(_second.TryPoke(target + 1, bytes));
                    break;
            }
        }
    }

    /// <summary>
    /// A page that both have at one address leads to the page behind it, at one address as well, which is another page of memory for each.
    /// </summary>
    /// <param name="how">How code gets from the first page into the second.</param>
    /// <param name="start">Where in the first page it begins.</param>
    /// <param name="length">Instructions of a round.</param>
    [Theory]
    [InlineData("jump", 0x0, 3)]
    [InlineData("indirect", 0x0, 3)]
    [InlineData("end of page", 0xFFF, 3)]
    [InlineData("straddling", 0xFFD, 2)]
    public void Code_leads_each_to_what_its_own_page_tables_have_there(string how, int start, int length)
    {
        const ulong shared = 0x140_000;
        const ulong next = Apart + 0x1000;
        ulong begin = Apart + (ulong)start;
        Processor[] both = [_first, _second];
        for (int i = 0; i < both.Length; i++)
        {
            ulong own = 0x150_000 + ((ulong)i * 0x1000);
            UseTables(both[i], i, (Apart, shared), (next, own));
            if (how == "straddling")
            {
                // ADD RAX, imm32: the second byte of the operand is the first one of the other page.
                _guest.Write(shared + 0xFFD, [0x48, 0x05, 0x00]);
                _guest.Write(own, [(byte)(i + 1), 0, 0]);
                _guest.Assemble(own + 3, a => a.jmp(rsi));
            }
            else
            {
                _guest.Assemble(own, a =>
                {
                    a.add(rax, (i + 1) << 8);
                    a.jmp(rsi);
                });
            }

            Set(both[i], begin);
            both[i].State->R[Registers.Rdx] = next;
            both[i].State->R[Registers.Rsi] = begin;
        }

        switch (how)
        {
            case "jump":
                _guest.Assemble(64, shared, Apart, a => a.jmp(next));
                break;
            case "indirect":
                _guest.Assemble(shared, a => a.jmp(rdx));
                break;
            case "end of page":
                _guest.Write(shared + 0xFFF, [0x90]);
                break;
        }

        for (int turn = 1; turn <= 30; turn++)
        {
            foreach (Processor processor in both)
            {
                Go(processor, turn);
            }
        }

        // Rounds whose addition has retired: it is the last but one instruction of a round.
        ulong rounds = (ulong)((both[0].Retired + 1) / length);
        Assert.Equal((rounds << 8, rounds << 9), (_first.State->R[Registers.Rax], _second.State->R[Registers.Rax]));
    }

    /// <summary>
    /// The first processor stands behind a jump within a page, which would be linked when it goes on. The code is dropped meanwhile, and its
    /// room taken by equal code that the other has at the same address, in memory of its own.
    /// </summary>
    [Fact]
    public void A_branch_that_has_been_dropped_is_linked_to_nothing()
    {
        JumpToOwnCode(0x150_000, 0x151_000);
        Go(_first, 1);
        Assert.True(_guest.Processors.TryWriteRam(0x150_FFF, [0x90]));
        Go(_second, 3);

        Go(_first, 2 + 3);
        Go(_second, 3);

        Assert.Equal((2UL, 4UL), (_first.State->R[Registers.Rax], _second.State->R[Registers.Rax]));
    }

    /// <summary>The first processor stands behind a jump within a page whose memory becomes another then; the other keeps it.</summary>
    [Fact]
    public void A_branch_is_linked_to_code_of_its_own_memory_only()
    {
        JumpToOwnCode(0x150_000, 0x151_000);
        UseTables(_second, 1, (Apart, 0x150_000));
        Go(_first, 1);
        UseTables(_first, 0, (Apart, 0x151_000));

        Go(_first, 2);
        Go(_second, 3);

        Assert.Equal((2UL, 1UL), (_first.State->R[Registers.Rax], _second.State->R[Registers.Rax]));
    }

    [Fact]
    public void Data_at_one_address_is_what_the_own_page_tables_have_there()
    {
        _guest.Assemble(TestGuest.Code, a => a.add(__qword_ptr[rdi], rcx));
        Processor[] both = [_first, _second];
        for (int i = 0; i < both.Length; i++)
        {
            UseTables(both[i], i, (Apart, 0x150_000 + ((ulong)i * 0x1000)));
            both[i].State->R[Registers.Rdi] = Apart + 8;
            both[i].State->R[Registers.Rcx] = (ulong)i + 1;
        }

        for (int turn = 0; turn < 10; turn++)
        {
            foreach (Processor processor in both)
            {
                Set(processor, TestGuest.Code);
                Go(processor, 1);
            }
        }

        Assert.Equal((10UL, 20UL), (_guest.Read(0x150_008), _guest.Read(0x151_008)));
    }

    /// <summary>Entries of tables that both use are changed, and one of them is told.</summary>
    [Theory]
    [InlineData("INVLPG")]
    [InlineData("CR3")]
    public void A_processor_forgets_its_own_translations_and_not_the_others(string how)
    {
        const ulong data = Apart + 0x1000;
        UseTables(_first, 0, (Apart, 0x150_000), (data, 0x160_000));
        UseTables(_second, 0, (Apart, 0x150_000), (data, 0x160_000));
        for (ulong i = 0; i < 2; i++)
        {
            _guest.Assemble(0x150_000 + (i * 0x1000), a =>
            {
                a.mov(ebx, (int)i + 1);
                a.nop();
            });
            _guest.Write(0x160_000 + (i * 0x1000), i + 1);
        }

        _guest.Assemble(TestGuest.Code, a =>
        {
            a.mov(rax, __[rdi]);
            a.jmp(rsi);
        });
        _guest.Assemble(Other, a =>
        {
            if (how == "CR3")
            {
                a.mov(rcx, cr3);
                a.mov(cr3, rcx);
            }
            else
            {
                a.invlpg(__[rdi]);
                a.invlpg(__[rsi]);
            }
        });
        Assert.Equal((1UL, 1UL), See(_first));
        Assert.Equal((1UL, 1UL), See(_second));

        UseTables(null, 0, (Apart, 0x151_000), (data, 0x161_000));
        Set(_first, Other);
        Go(_first, 2);

        Assert.Equal((2UL, 2UL), See(_first));
        Assert.Equal((1UL, 1UL), See(_second));
        Set(_second, Other);
        Go(_second, 2);
        Assert.Equal((2UL, 2UL), See(_second));

        (ulong Data, ulong Code) See(Processor processor)
        {
            Set(processor, TestGuest.Code);
            processor.State->R[Registers.Rdi] = data;
            processor.State->R[Registers.Rsi] = Apart;
            Go(processor, 4);
            return (processor.State->R[Registers.Rax], processor.State->R[Registers.Rbx]);
        }
    }

    [Fact]
    public void Breakpoints_are_under_the_fetches_of_all_and_tell_whose_they_are()
    {
        List<(int Index, ulong Rax)> hits = [];
        BreakpointRecorder overlay = new() { Before = cpu => hits.Add((cpu.Index, cpu.State->R[Registers.Rax])) };
        _guest.Processors.FetchOverlay = overlay;
        _guest.Processors.BreakpointHandler = overlay;
        ulong second = _guest.Assemble(TestGuest.Code, a => a.inc(rax));
        _guest.Assemble(second, a => a.jmp(TestGuest.Code));
        _second.State->R[Registers.Rax] = 100;
        Go(_first, 4);
        Go(_second, 6);
        Assert.Empty(hits);

        overlay.Addresses.Add(second);
        _guest.Processors.InvalidateCode(second);
        Go(_second, 2);
        Go(_first, 4);
        Go(_second, 2);

        Assert.Equal([(1, 104UL), (0, 3), (0, 4), (1, 105)], hits);
        overlay.Addresses.Clear();
        _guest.Processors.InvalidateAllCode();
        Go(_first, 4);
        Go(_second, 4);
        Assert.Equal(4, hits.Count);
        Assert.Equal((6UL, 107UL), (_first.State->R[Registers.Rax], _second.State->R[Registers.Rax]));
    }

    /// <summary>What a breakpoint stands on is decoded by whoever meets it first, and kept with it.</summary>
    [Fact]
    public void The_instruction_under_a_breakpoint_is_decoded_once_and_stepped_by_all()
    {
        Decodings decodings = new();
        BreakpointRecorder overlay = new() { Addresses = { TestGuest.Code } };
        _guest.Processors.ExecutionCounts = decodings;
        _guest.Processors.FetchOverlay = overlay;
        _guest.Processors.BreakpointHandler = overlay;
        _guest.Assemble(TestGuest.Code, a => a.add(rax, rcx));
        _first.State->R[Registers.Rcx] = 5;
        _second.State->R[Registers.Rcx] = 7;

        Go(_first, 1);
        Go(_second, 1);

        Assert.Equal((5UL, 7UL), (_first.State->R[Registers.Rax], _second.State->R[Registers.Rax]));
        Assert.Equal([TestGuest.Code], decodings.Addresses);
        Assert.Equal(2, overlay.Hits.Count);
    }

    [Fact]
    public void Each_says_which_it_is_and_of_how_many()
    {
        _guest.Assemble(TestGuest.Code, a => a.cpuid());
        foreach (Processor processor in _guest.Processors)
        {
            Set(processor, TestGuest.Code, rax: 1);
            Go(processor, 1);

            Assert.Same(processor, _guest.Processors.Running);
            Assert.Equal((ulong)processor.Index, processor.State->R[Registers.Rbx] >> 24);
            Assert.Equal(2UL, (processor.State->R[Registers.Rbx] >> 16) & 0xFF);
        }
    }

    [Fact]
    public void While_one_runs_none_can_be_run_or_given_back()
    {
        BreakpointRecorder overlay = new() { Addresses = { TestGuest.Code } };
        _guest.Processors.FetchOverlay = overlay;
        _guest.Processors.BreakpointHandler = overlay;
        List<string> refused = [];
        overlay.Before = _ =>
        {
            Action[] all = [() => _second.Run(), _second.SingleStep, _second.Reset, _guest.Processors.Dispose];
            refused.AddRange(all.Select(static action => Assert.Throws<InvalidOperationException>(action).Message.Split(' ')[0]));
        };
        _guest.Assemble(TestGuest.Code, a => a.nop());

        Go(_first, 1);

        Assert.Equal(["Run", "SingleStep", "Reset", "Dispose"], refused);
        Assert.Same(_first, _guest.Processors.Running);
    }

    /// <summary>Writes equal rounds of three instructions into two pages, but for the number they add: 1 and 2. Each processor begins one.</summary>
    private void JumpToOwnCode(params ulong[] pages)
    {
        for (int i = 0; i < pages.Length; i++)
        {
            UseTables(_guest.Processors[i], i, (Apart, pages[i]));
            Set(_guest.Processors[i], Apart);
            _guest.Assemble(64, pages[i], Apart, a => a.jmp(Apart + 0x40));
            _guest.Assemble(64, pages[i] + 0x40, Apart + 0x40, a =>
            {
                a.add(rax, i + 1);
                a.jmp(Apart);
            });
        }
    }

    private static void Go(Processor processor, long instructions) => processor.Run(processor.Retired + instructions);

    private static void Set(Processor processor, ulong rip, ulong? rax = null)
    {
        processor.State->Rip = rip;
        processor.State->R[Registers.Rax] = rax ?? processor.State->R[Registers.Rax];
    }

    /// <summary>Writes tables that map pages from <see cref="Apart"/> on, and all below as ever; a processor may then begin to use them.</summary>
    private void UseTables(Processor? processor, int number, params (ulong Linear, ulong Physical)[] pages)
    {
        ulong root = 0x3E_0000 + ((ulong)number * 0x4000);
        Put(root, _guest.Read(TestGuest.PageTables));
        Put(root + 8, (root + 0x1000) | TestGuest.PresentWrite);
        Put(root + 0x1000, (root + 0x2000) | TestGuest.PresentWrite);
        Put(root + 0x2000, (root + 0x3000) | TestGuest.PresentWrite);
        foreach ((ulong linear, ulong physical) in pages)
        {
            Put(root + 0x3000 + ((linear - Apart) >> 9), physical | TestGuest.PresentWrite);
        }

        if (processor is not null)
        {
            processor.State->Cr3 = root;
            processor.FlushTranslations();
        }

        void Put(ulong at, ulong value) => Assert.True(_guest.Memory.TryWrite(at, BitConverter.GetBytes(value)));
    }

    /// <summary>Notes what is decoded in kernel mode.</summary>
    private sealed class Decodings : IExecutionCounts
    {
        public List<ulong> Addresses { get; } = [];

        public long* Find(ulong physical, ulong linear)
        {
            Addresses.Add(linear);
            return null;
        }
    }
}
