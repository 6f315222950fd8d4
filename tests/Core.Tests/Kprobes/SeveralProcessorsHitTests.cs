using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using KprobeTrace.Kprobes;
using KprobeTrace.Loaders;
using KprobeTrace.Tests.Cpu;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>Hits of two processors in turns: each is told with its own index and registers, and none is taken for another's.</summary>
public sealed unsafe class SeveralProcessorsHitTests : IDisposable
{
    private const ulong Function = TestGuest.Code + 0x100;

    private readonly TestGuest _guest = new(processorCount: 2);
    private readonly Processor _first;
    private readonly Processor _second;
    private readonly List<string> _told = [];
    private KprobeSubsystem _kprobes;

    public SeveralProcessorsHitTests()
    {
        _first = _guest.Processors[0];
        _second = _guest.Processors[1];
        _kprobes = Probe(TestGuest.Code, image: null);
        _second.State->R[Registers.Rsp] = TestGuest.EntryStack;
    }

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Handlers_see_the_registers_of_the_processor_that_has_hit_and_change_no_others()
    {
        _guest.Assemble(Function, a =>
        {
            a.inc(rax);
            a.jmp(Function);
        });
        Register(pre: (ref registers) => registers.Bx = registers.Ax + 1);
        foreach (Processor processor in _guest.Processors)
        {
            processor.State->Rip = Function;
            processor.State->R[Registers.Rax] = 100 * ((ulong)processor.Index + 1);
        }

        for (int turn = 0; turn < 2; turn++)
        {
            Go(_first, 2);
            Go(_second, 2);
        }

        Assert.Equal("0 pre 100, 0 post 101, 1 pre 200, 1 post 201, 0 pre 101, 0 post 102, 1 pre 201, 1 post 202", string.Join(", ", _told));
        Assert.Equal((102UL, 202UL), (_first.State->R[Registers.Rbx], _second.State->R[Registers.Rbx]));
    }

    /// <summary>The first processor is stopped by the host in the middle of a long REP under the probe; the other meets the probe then.</summary>
    [Fact]
    public void A_hit_while_another_processor_is_within_its_step_is_a_hit_like_any()
    {
        const ulong elements = 0x2_0000;
        _guest.Assemble(Function, a =>
        {
            a.rep.stosb();
            a.mov(rax, rcx);
            a.jmp(Function);
        });
        Kprobe probe = Register(pre: (ref registers) => _first.StopRequested = registers.Cx == elements);
        foreach (Processor processor in _guest.Processors)
        {
            processor.State->Rip = Function;
            processor.State->R[Registers.Rdi] = TestGuest.Data;
            processor.State->R[Registers.Rax] = 7;
            processor.State->R[Registers.Rcx] = processor == _first ? elements : 16;
        }

        Go(_first, 1);
        Assert.InRange(_first.State->R[Registers.Rcx], 1UL, elements - 1);
        Go(_second, 1);
        _first.StopRequested = false;
        Go(_first, 1);

        Assert.Equal("0 pre 7, 1 pre 7, 1 post 7, 0 post 7", string.Join(", ", _told));
        Assert.Equal((2UL, 0UL, 0UL), (probe.Hits, probe.NMissed, _first.State->R[Registers.Rcx]));
    }

    /// <summary>As above, and the first processor runs the kernel by its physical addresses, the other by those that it is linked at.</summary>
    [Fact]
    public void Where_a_step_has_begun_is_known_of_each_processor()
    {
        const ulong link = 0x80_0000_0000;
        const ulong elements = 0x2_0000;
        _guest.Map(link, TestGuest.Code, TestGuest.PresentWrite);
        _kprobes = Probe(link, new LoadedImage([new LinkRange(link, TestGuest.Code, 0x1000, ReadOnlyMemory<byte>.Empty, true)])
        {
            Kind = ImageKind.Elf,
            BaseName = "linked",
            Sha256 = "",
            Segments = [],
            Cpu = null!,
            EntryPhysical = 0,
            EntryLink = 0,
            MemorySize = TestGuest.MemorySize,
        });
        _guest.Assemble(Function, a =>
        {
            a.rep.stosb();
            a.jmp(Function);
        });
        Kprobe probe = Register(pre: (ref registers) => _first.StopRequested = registers.Cx == elements);
        List<ulong> after = [];
        probe.PostHandler = (_, ref registers, _) => after.Add(registers.Ip);
        foreach (Processor processor in _guest.Processors)
        {
            processor.State->Rip = processor == _first ? Function : link + 0x100;
            processor.State->R[Registers.Rdi] = TestGuest.Data;
            processor.State->R[Registers.Rcx] = processor == _first ? elements : 16;
        }

        Go(_first, 1);
        Go(_second, 1);
        _first.StopRequested = false;
        Go(_first, 1);

        Assert.Equal([link + 0x102, link + 0x102], after);
        Assert.Equal((Function + 2, link + 0x102), (_first.State->Rip, _second.State->Rip));
    }

    [Fact]
    public void Calls_of_two_processors_return_each_on_its_own()
    {
        _guest.Assemble(TestGuest.Code, a =>
        {
            a.call(Function);
            a.nop();
        });
        _guest.Assemble(Function, a =>
        {
            a.nop();
            a.inc(rax);
            a.ret();
        });
        Kretprobe probe = new()
        {
            EntryHandler = (call, ref registers) => Tell($"call {call.Task:x}", registers.Ax),
            Handler = (call, ref registers) => Tell($"return {call.Task:x}", registers.Ax),
        };
        probe.Kp.SymbolName = "function";
        KprobeResult result = _kprobes.RegisterKretprobe(probe);
        Assert.True(result.IsSuccess, result.Reason);
        foreach (Processor processor in _guest.Processors)
        {
            processor.State->Rip = TestGuest.Code;
            processor.State->R[Registers.Rax] = 100 * ((ulong)processor.Index + 1);
        }

        Go(_first, 3);
        Go(_second, 2);
        Go(_first, 2);
        Go(_second, 3);

        Assert.Equal("0 call 1000 100, 1 call 1001 200, 0 return 1000 101, 1 return 1001 201", string.Join(", ", _told));
        Assert.Equal((0, 2UL), (probe.Open, probe.Returns));
    }

    /// <summary>A handler that sends its processor round in circles ends the run, whatever another processor does.</summary>
    [Fact]
    public void What_stops_one_processor_is_not_counted_for_another()
    {
        const int some = Int3Handler.MaxWithoutProgress * 3 / 5;
        int hits = 0;
        _guest.Assemble(Function, a => a.nop());
        KprobeResult result = _kprobes.RegisterKprobe(new Kprobe
        {
            Addr = Function,
            PreHandler = (_, ref registers) =>
            {
                registers.Ip = Function;
                _guest.Processors.RequestStop(++hits % some == 0);
                return 1;
            },
        });
        Assert.True(result.IsSuccess, result.Reason);
        _first.State->Rip = _second.State->Rip = Function;

        Circle(_first);
        Circle(_second);
        KprobeTraceException stopped = Assert.Throws<KprobeTraceException>(() => Circle(_first));

        Assert.Contains("stops the guest", stopped.Message, StringComparison.Ordinal);
        Assert.Equal(some + some + (Int3Handler.MaxWithoutProgress - some) + 1, hits);

        void Circle(Processor processor)
        {
            _guest.Processors.RequestStop(false);
            processor.Run();
        }
    }

    private delegate void Edit(ref PtRegs registers);

    private static void Go(Processor processor, long instructions) => processor.Run(processor.Retired + instructions);

    private KprobeSubsystem Probe(ulong code, LoadedImage? image)
    {
        SyntheticText text = new() { KernelText = (code, code + 0x1000) };
        text.Add("caller", code, 0x100);
        text.Add("function", code + 0x100, 0x10);
        KprobeSubsystem kprobes = new(new TaskOfEach(_guest.Processors), text, new DecoderLength(), new FetchView(_guest.Processors, image));
        _ = new ProcessorBreakpoints(_guest.Processors, kprobes.Handler);
        return kprobes;
    }

    private Kprobe Register(Edit pre)
    {
        Kprobe probe = new()
        {
            SymbolName = "function",
            PreHandler = (_, ref registers) =>
            {
                pre(ref registers);
                return Tell("pre", registers.Ax);
            },
            PostHandler = (_, ref registers, _) => Tell("post", registers.Ax),
        };
        KprobeResult result = _kprobes.RegisterKprobe(probe);
        Assert.True(result.IsSuccess, result.Reason);
        return probe;
    }

    private int Tell(string what, ulong ax)
    {
        int index = _guest.Processors.Running.Index;
        _told.Add($"{index} {what} {ax}");
        Assert.Equal((index == 0, index == 1), (_kprobes.Handler.IsInHandler(0), _kprobes.Handler.IsInHandler(1)));
        return 0;
    }

    /// <summary>Each processor runs a task of its own.</summary>
    private sealed class TaskOfEach(ProcessorGroup processors) : IProbedGuest
    {
        private readonly ProbedProcessors _guest = new(processors, linux: null, memory: null);

        public ulong CurrentTask => 0x1000 + (ulong)processors.Running.Index;

        public ulong RetiredInstructions => _guest.RetiredInstructions;

        public int CpuCount => _guest.CpuCount;

        public bool TryReadKernel(ulong address, Span<byte> destination) => _guest.TryReadKernel(address, destination);
    }
}
