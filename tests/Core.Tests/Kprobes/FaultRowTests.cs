using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>CHECKLIST rows F and N as DECISIONS replaces them: faults of the probed instruction, and no re-entrancy.</summary>
public sealed unsafe class FaultRowTests : KprobeRows
{
    private const ulong Unmapped = SyntheticGuest.UserBase + 0x2010;
    private readonly List<KprobeFault> _faults = [];

    [Fact]
    public void F01_fault_handler_repairs_and_the_guest_never_sees_the_fault()
    {
        int trap = 0;
        Kprobe probe = Faulting((ref r, t) =>
        {
            trap = t;
            (r.Ax, r.Ip) = (55, Guest["getu"] + 2);
            return 1;
        });
        Register(probe);

        Assert.Equal(55UL, Guest.Call("getu", Unmapped));

        Assert.Equal(14, trap);
        Assert.Equal(0UL, Guest.Counter(14));
        Assert.Equal(["pre"], Log);
        Assert.Equal([new KprobeFault(14, 0, Unmapped, true)], _faults);
        Assert.Equal(0UL, probe.NMissed);
    }

    [Fact]
    public void F02_unhandled_fault_goes_to_the_guest_which_fixes_it_up()
    {
        Register(Faulting((ref _, _) => 0));

        Assert.Equal(unchecked((uint)-14), Guest.Call("getu", Unmapped));

        Assert.Equal(1UL, Guest.Counter(14));
        Assert.Equal(Guest["getu"], Guest.LastIp(14));
        Assert.Equal(["pre"], Log);
        Assert.Equal([new KprobeFault(14, 0, Unmapped, false)], _faults);
    }

    [Fact]
    public void F02_retry_after_the_guest_mapped_the_page_is_a_new_hit()
    {
        Guest.WriteWord(SyntheticGuest.PageFaultMode, 1);
        Register(Faulting((ref _, _) => 0));

        Assert.Equal(0UL, Guest.Call("getu", Unmapped));

        Assert.Equal(["pre", "pre", "post"], Log);
        Assert.Equal(1UL, Guest.Counter(14));
    }

    [Fact]
    public void F02_write_faults_carry_their_error_code()
    {
        Kprobe probe = On("storeu");
        probe.FaultObserver = (_, ref _, in fault) => _faults.Add(fault);
        Register(probe);

        Guest.Call("storeu", Unmapped, 1);

        Assert.Equal([new KprobeFault(14, 2, Unmapped, false)], _faults);
        Assert.True(probe.IsOptimized);
    }

    [Fact]
    public void F06_nothing_is_left_behind_by_a_fault()
    {
        Register(Faulting((ref _, _) => 0));
        Guest.SetFlags(Rflags.IF);

        Guest.Call("getu", Unmapped);

        Assert.Equal(0UL, Guest.Flags & Rflags.TF);
        Assert.NotEqual(0UL, Guest.Flags & Rflags.IF);
        Assert.False(Kprobes.Handler.IsInHandler(0));
    }

    [Fact]
    public void F07_children_are_asked_newest_first_until_one_handles()
    {
        Kprobe oldest = Asked("oldest", 1);
        Kprobe middle = Asked("middle", 1);
        Kprobe newest = Asked("newest", 0);
        Kprobe disabled = Asked("disabled", 1);
        Register(oldest);
        Register(middle);
        Register(newest);
        Register(disabled);
        Kprobes.DisableKprobe(disabled);

        Assert.Equal(9UL, Guest.Call("getu", Unmapped));

        Assert.Equal(["newest", "middle"], Log);
        Assert.All([oldest, middle, newest, disabled], p => Assert.Equal(0UL, p.NMissed));
    }

    [Fact]
    public void F08_general_protection_faults_are_offered_too()
    {
        Register(Faulting((ref r, t) =>
        {
            Log.Add($"trap {t}");
            (r.Ax, r.Ip) = (1, Guest["getu"] + 2);
            return 1;
        }));

        Assert.Equal(1UL, Guest.Call("getu", 0x8000_0000_0000_0000));

        Assert.Equal(["pre", "trap 13"], Log);
        Assert.Equal(0UL, Guest.Counter(13));
    }

    [Fact]
    public void F08_every_fault_vector_counts()
    {
        Kprobe divide = On("divide", 4);
        divide.FaultHandler = (_, ref r, t) => Handle(ref r, t, "divide", 6);
        Register(divide);
        Kprobe undefined = On("undefined");
        undefined.FaultHandler = (_, ref r, t) => Handle(ref r, t, "undefined", 2);
        Register(undefined);

        Assert.Equal(8UL, Guest.Call("divide", 8, 0));
        Assert.Equal(1UL, Guest.Call("undefined"));

        Assert.Equal(["divide 0", "undefined 6"], Log);
        Assert.Equal((0UL, 0UL), (Guest.Counter(0), Guest.Counter(6)));
    }

    [Fact]
    public void F09_traps_are_completions_and_run_post()
    {
        Kprobe probe = Logged("p", "foreign", 1);
        probe.FaultHandler = (_, ref _, _) => throw new InvalidOperationException("a trap is no fault");
        Register(probe);

        Assert.Equal(5UL, Guest.Call("foreign"));

        Assert.Equal(["p.pre", "p.post"], Log);
    }

    [Fact]
    public void F10_return_probe_loses_handlers_of_its_entry()
    {
        Kretprobe probe = new() { Kp = { SymbolName = "leaf" } };
        probe.Kp.PreHandler = (_, ref _) => 1;
        probe.Kp.PostHandler = (_, ref _, _) => { };
        probe.Kp.FaultHandler = (_, ref _, _) => 1;

        Register(probe);

        Assert.Null(probe.Kp.PostHandler);
        Assert.Null(probe.Kp.FaultHandler);
        Assert.Equal(4UL, Guest.Call("leaf", 1));
    }

    [Fact]
    public void F11_handlers_reading_unmapped_memory_get_an_answer_and_no_fault()
    {
        bool read = true;
        Kprobe probe = On("leaf");
        probe.PreHandler = (_, ref _) =>
        {
            read = Guest.Context.TryReadKernel(0xffff_ffff_0000_0000, new byte[8]);
            return 0;
        };
        Register(probe);

        Guest.Call("leaf", 1);

        Assert.False(read);
        Assert.Equal(0UL, Guest.Counter(14));
        Assert.Equal(0UL, probe.NMissed);
    }

    [Fact]
    public void F11_fault_handled_a_thousand_times_without_progress_ends_the_run()
    {
        Register(Faulting((ref _, _) => 1));

        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => Guest.Call("getu", Unmapped));

        Assert.Contains("getu+0x0", error.Message, StringComparison.Ordinal);
        Assert.Equal(Int3Handler.MaxWithoutProgress + 1, Log.Count(l => l == "pre"));
    }

    [Fact]
    public void N01_N02_functions_called_by_probed_code_hit_with_nothing_missed()
    {
        Kprobe outer = Register(Logged("outer", "callrel"));
        Kprobe inner = Register(Logged("inner", "leaf"));

        Assert.Equal(5UL, Guest.Call("callrel", 1));

        Assert.Equal(["outer.pre", "outer.post", "inner.pre", "inner.post"], Log);
        Assert.Equal((0UL, 0UL), (outer.NMissed, inner.NMissed));
    }

    [Fact]
    public void N03_N05_N06_N08_recursion_misses_nothing()
    {
        Kprobe probe = Register(Logged("p", "rec", post: false));

        Assert.Equal(9UL, Guest.Call("rec", 9));

        Assert.Equal(10, Log.Count);
        Assert.Equal(10UL, probe.Hits);
        Assert.Equal(0UL, probe.NMissed);
    }

    [Fact]
    public void N07_probe_at_the_address_a_return_handler_ran_for_is_hit()
    {
        ulong after = Guest["callrel"] + 5;
        Register(Logged("after", "callrel", 5, post: false));
        Register(new Kretprobe
        {
            Kp = { SymbolName = "leaf" },
            Handler = (call, ref _) =>
            {
                Log.Add($"ret {call.RetAddr == after}");
                return 0;
            },
        });

        Assert.Equal(5UL, Guest.Call("callrel", 1));

        Assert.Equal(["ret True", "after.pre"], Log);
    }

    [Fact]
    public void N09_registration_starts_the_counters_anew()
    {
        Kprobe probe = Register(Logged("p", "leaf"));
        Guest.Call("leaf", 1);
        Kprobes.UnregisterKprobe(probe);
        (probe.Addr, probe.Flags) = (0, KprobeStatus.None);

        Register(probe);

        Assert.Equal((0UL, 0UL), (probe.NMissed, probe.Hits));
    }

    private delegate int Fix(ref PtRegs registers, int trap);

    private Kprobe Faulting(Fix fix)
    {
        Kprobe probe = On("getu");
        probe.PreHandler = (_, ref _) =>
        {
            Log.Add("pre");
            return 0;
        };
        probe.PostHandler = (_, ref _, _) => Log.Add("post");
        probe.FaultHandler = (_, ref registers, trap) => fix(ref registers, trap);
        probe.FaultObserver = (_, ref _, in fault) => _faults.Add(fault);
        return probe;
    }

    private Kprobe Asked(string name, int result)
    {
        Kprobe probe = On("getu");
        probe.FaultHandler = (_, ref registers, _) =>
        {
            Log.Add(name);
            (registers.Ax, registers.Ip) = (9, Guest["getu"] + 2);
            return result;
        };
        return probe;
    }

    private int Handle(ref PtRegs registers, int trap, string name, ulong skip)
    {
        Log.Add($"{name} {trap}");
        registers.Ip = Guest[name] + skip;
        return 1;
    }
}
