using KprobeTrace.Cpu;
using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>What is done with one frame at a breakpoint, and what the processor is told to do next.</summary>
public sealed unsafe class Int3HandlerTests
{
    private const ulong At = PaperKernel.Base;
    private const ulong TrapFlag = 0x100;
    private const ulong InterruptFlag = 0x200;

    private readonly PaperKernel _kernel = new();
    private readonly KprobeSubsystem _kprobes;
    private readonly Kprobe _probe = new() { SymbolName = "f" };
    private readonly List<string> _log = [];
    private PtRegs _frame;

    public Int3HandlerTests()
    {
        _kernel.Define("f", At, [0x90, 0x90, 0xC3, .. new byte[300]]);
        _kernel.BecomesOriginal();
        _kprobes = _kernel.Probe();
        Assert.True(_kprobes.RegisterKprobe(_probe).IsSuccess);
        _frame = new PtRegs { Cs = 0x10, Ip = At + 1 };
    }

    [Theory]
    [InlineData(0x10, 0, BreakpointAction.Step)]
    [InlineData(0x11, 0, BreakpointAction.Deliver)]
    [InlineData(0x12, 0, BreakpointAction.Deliver)]
    [InlineData(0x33, 0, BreakpointAction.Deliver)]
    [InlineData(0x10, 1, BreakpointAction.Deliver)]
    [InlineData(0x10, -1, BreakpointAction.Deliver)]
    internal void Only_known_breakpoints_of_the_kernel_are_hits(ulong cs, int slot, BreakpointAction expected)
    {
        _frame.Cs = cs;

        Assert.Equal(expected, Break(slot));
        Assert.Equal((expected == BreakpointAction.Step ? At : At + 1, expected == BreakpointAction.Step ? 1UL : 0), (_frame.Ip, _probe.Hits));
    }

    /// <summary>The flags before, those a handler leaves, and those the instruction runs with.</summary>
    [Theory]
    [InlineData(0, TrapFlag | InterruptFlag, 0)]
    [InlineData(TrapFlag | InterruptFlag, 0, TrapFlag | InterruptFlag)]
    [InlineData(TrapFlag, InterruptFlag | 1, TrapFlag | 1)]
    [InlineData(InterruptFlag | 1, TrapFlag | 0x40, InterruptFlag | 0x40)]
    [InlineData(0xFFFF, 0, TrapFlag | InterruptFlag)]
    public void A_pre_handler_changes_all_flags_but_those_that_say_whether_to_trap(ulong before, ulong left, ulong expected)
    {
        _probe.PreHandler = (_, ref r) =>
        {
            (r.Flags, r.Ip, r.Ax) = (left, 5, 7);
            return 0;
        };
        _frame.Flags = before;

        Assert.Equal(BreakpointAction.Step, Break());
        Assert.Equal((expected, At, 7UL), (_frame.Flags, _frame.Ip, _frame.Ax));
    }

    [Fact]
    public void A_pre_handler_that_takes_over_leaves_the_frame_as_it_wants_it()
    {
        _probe.PreHandler = (_, ref r) =>
        {
            (r.Flags, r.Ip) = (TrapFlag, 5);
            return 1;
        };
        _frame.Flags = InterruptFlag;

        Assert.Equal(BreakpointAction.Resume, Break());
        Assert.Equal((TrapFlag, 5UL), (_frame.Flags, _frame.Ip));
    }

    [Fact]
    public void Handlers_may_turn_the_guest_around_a_thousand_times_between_two_instructions()
    {
        _probe.PreHandler = static (_, ref _) => 1;
        _probe.FaultHandler = static (_, ref _, _) => 1;
        foreach (ulong retired in (ulong[])[0, 1, 7])
        {
            _kernel.RetiredInstructions = retired;
            for (int i = 0; i < 1000; i++)
            {
                if ((i & 1) == 0)
                {
                    Assert.Equal(BreakpointAction.Resume, Break());
                }
                else
                {
                    Assert.True(Fault());
                }
            }
        }

        string before = Assert.Throws<KprobeTraceException>(() => Break()).Message;
        string fault = Assert.Throws<KprobeTraceException>(() => Fault()).Message;

        Assert.Equal(
            "the probe at f+0x0 stops the guest: its pre-handler took over 1000 times with no instruction executed in between; "
            + "let the handler repair the cause or set ip to another address",
            before);
        Assert.Equal(before.Replace("its pre-handler took over", "its fault handler handled", StringComparison.Ordinal), fault);
        Assert.False(_kprobes.Handler.IsInHandler(0));
    }

    [Fact]
    public void Hits_that_run_their_instruction_and_faults_that_go_to_the_guest_are_not_counted_against_the_probe()
    {
        _probe.FaultHandler = static (_, ref _, _) => 0;
        for (int i = 0; i < 1100; i++)
        {
            Assert.Equal(BreakpointAction.Step, Break());
            Assert.False(Fault());
        }
    }

    [Fact]
    public void A_handler_is_known_to_run_until_the_outermost_is_done()
    {
        Int3Handler handler = _kprobes.Handler;
        _probe.PreHandler = (_, ref r) => Nested("pre", r, () => Step());
        _probe.PostHandler = (_, ref r, flags) => Nested($"post {flags}", r, static () => { });
        _probe.FaultHandler = (_, ref r, vector) => Nested($"fault {vector}", r, () => Break());
        _probe.FaultObserver = (_, ref r, in fault) => Nested($"seen {fault.Handled}", r, static () => { });

        Assert.False(handler.IsInHandler(0));
        Assert.Equal(BreakpointAction.StepThenNotify, Break());
        Assert.False(handler.IsInHandler(0));
        Step();
        Assert.False(handler.IsInHandler(0));
        Assert.False(Fault());
        Assert.False(handler.IsInHandler(0));
        Assert.Equal(
            ["pre", "post 0", "post 0", "fault 14", "pre", "post 0", "seen False"], _log);

        int Nested(string what, PtRegs registers, Action inner)
        {
            Assert.True(handler.IsInHandler(0));
            _log.Add(what);
            _frame = registers;
            _frame.Ip = At + 1;
            inner();
            Assert.True(handler.IsInHandler(0));
            return 0;
        }
    }

    [Fact]
    public void An_exception_of_a_handler_ends_it()
    {
        _probe.PreHandler = static (_, ref _) => throw new InvalidOperationException();
        _probe.PostHandler = static (_, ref _, _) => throw new InvalidOperationException();
        _probe.FaultHandler = static (_, ref _, _) => throw new InvalidOperationException();

        Assert.Throws<InvalidOperationException>(() => Break());
        Assert.False(_kprobes.Handler.IsInHandler(0));
        Assert.Throws<InvalidOperationException>(Step);
        Assert.False(_kprobes.Handler.IsInHandler(0));
        Assert.Throws<InvalidOperationException>(() => Fault());
        Assert.False(_kprobes.Handler.IsInHandler(0));
    }

    [Fact]
    public void Where_the_last_probe_went_meanwhile_the_instruction_just_runs()
    {
        _probe.PreHandler = (_, ref _) => 1;
        _probe.PostHandler = (_, ref _, _) => _log.Add("post");
        _probe.FaultHandler = static (_, ref _, _) => 1;
        _kprobes.UnregisterKprobe(_probe);

        Assert.Equal(BreakpointAction.Step, Break());
        Assert.Equal(At, _frame.Ip);
        Step();
        Assert.False(Fault());
        Assert.Empty(_log);
        Assert.False(_kprobes.Handler.IsInHandler(0));
    }

    /// <summary>Of two probes at an address one is disabled; of a lone one nobody asks, unless its text is gone.</summary>
    [Theory]
    [InlineData(KprobeStatus.None, 0, "pre post fault")]
    [InlineData(KprobeStatus.Disabled, 0, "pre post")]
    [InlineData(KprobeStatus.Gone, 0, "")]
    [InlineData(KprobeStatus.Disabled | KprobeStatus.Gone, 0, "")]
    [InlineData(KprobeStatus.None, 1, "pre post fault")]
    [InlineData(KprobeStatus.Disabled, 1, "")]
    [InlineData(KprobeStatus.Gone, 1, "")]
    public void A_probe_is_asked_as_its_flags_say(KprobeStatus flags, int others, string expected)
    {
        for (int i = 0; i < others; i++)
        {
            Assert.True(_kprobes.RegisterKprobe(new Kprobe { SymbolName = "f" }).IsSuccess);
        }

        _probe.PreHandler = (_, ref _) =>
        {
            _log.Add("pre");
            return 0;
        };
        _probe.PostHandler = (_, ref _, _) => _log.Add("post");
        _probe.FaultHandler = (_, ref _, _) =>
        {
            _log.Add("fault");
            return 0;
        };
        _probe.Flags = flags;

        Break();
        Step();
        Fault();

        Assert.Equal(expected, string.Join(' ', _log));
    }

    [Fact]
    public void Those_who_watch_faults_see_the_frame_before_any_handler_and_change_nothing()
    {
        Kprobe second = new() { SymbolName = "f" };
        Assert.True(_kprobes.RegisterKprobe(second).IsSuccess);
        List<(ulong, KprobeFault)> seen = [];
        _probe.FaultHandler = static (_, ref r, _) =>
        {
            r.Ax = 9;
            return 1;
        };
        _probe.FaultObserver = second.FaultObserver = (_, ref r, in fault) =>
        {
            seen.Add((r.Ax, fault));
            r.Ax = 100;
        };
        _frame.Ax = 3;

        Assert.True(Fault());
        Assert.Equal([(3UL, new KprobeFault(14, 2, 0x1234, true)), (3UL, new KprobeFault(14, 2, 0x1234, true))], seen);
        Assert.Equal(9UL, _frame.Ax);
    }

    [Fact]
    public void Slots_stand_for_addresses_and_addresses_for_the_image_or_not()
    {
        Assert.True(_kprobes.RegisterKprobe(new Kprobe { SymbolName = "f", Offset = 2 }).IsSuccess);

        Assert.Equal((At, At + 2), (_kprobes.Handler.AddressOf(0), _kprobes.Handler.AddressOf(1)));
        Assert.Equal((false, true, true, false), (IsInImage(At - 1), IsInImage(At), IsInImage(At + 302), IsInImage(At + 303)));

        bool IsInImage(ulong address) => _kprobes.Handler.IsInImage(address);
    }

    private BreakpointAction Break(int slot = 0)
    {
        PtRegs frame = _frame;
        BreakpointAction action = _kprobes.Handler.OnBreakpoint(0, slot, &frame);
        _frame = frame;
        return action;
    }

    private void Step()
    {
        PtRegs frame = _frame;
        _kprobes.Handler.OnStepped(0, 0, &frame);
        _frame = frame;
    }

    private bool Fault()
    {
        PtRegs frame = _frame;
        bool handled = _kprobes.Handler.OnStepFault(0, 0, &frame, 14, 2, 0x1234);
        _frame = frame;
        return handled;
    }
}
