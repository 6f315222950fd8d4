using KprobeTrace.Cpu;
using KprobeTrace.Cpu.State;
using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>CHECKLIST rows B: what a hit shows and what handlers may change.</summary>
public sealed class HitRowTests : KprobeRows
{
    [Fact]
    public void B01_pre_and_post_run_once_each_around_the_instruction()
    {
        Register(Logged("p", "third"));

        Assert.Equal(3UL, Guest.Call("third", 10));

        Assert.Equal(["p.pre", "p.post"], Log);
    }

    [Fact]
    public void B01_handlers_cannot_be_preempted()
    {
        bool inHandler = false;
        Kprobe probe = On("third");
        probe.PreHandler = (_, ref _) =>
        {
            inHandler = Kprobes.Handler.IsInHandler(0);
            return 0;
        };
        Register(probe);

        Guest.Call("third", 10);

        Assert.True(inHandler);
        Assert.False(Kprobes.Handler.IsInHandler(0));
    }

    [Fact]
    public void B01_post_handlers_cannot_be_preempted_and_leave_nothing_behind()
    {
        List<bool> inHandler = [];
        Kprobe probe = On("third");
        probe.PostHandler = (_, ref _, _) => inHandler.Add(Kprobes.Handler.IsInHandler(0));
        Register(probe);

        Guest.Call("third", 10);
        inHandler.Add(Kprobes.Handler.IsInHandler(0));
        Guest.Call("third", 10);
        inHandler.Add(Kprobes.Handler.IsInHandler(0));

        Assert.Equal([true, false, true, false], inHandler);
    }

    [Fact]
    public void B02_two_probes_of_an_array_fire_for_their_own_target()
    {
        Assert.True(Kprobes.RegisterKprobes([Logged("a", "third"), Logged("b", "leaf")]).IsSuccess);

        Guest.Call("third", 10);
        Assert.Equal(["a.pre", "a.post"], Log);
        Log.Clear();
        Guest.Call("leaf", 10);
        Assert.Equal(["b.pre", "b.post"], Log);
    }

    [Fact]
    public void B03_struct_can_be_used_again_once_cleared()
    {
        Kprobe probe = Register(Logged("p", "leaf"));
        Guest.Call("leaf", 1);
        Kprobes.UnregisterKprobe(probe);
        Assert.Equal(Guest["leaf"], probe.Addr);
        Assert.Equal(-22, Kprobes.RegisterKprobe(probe).Errno);

        probe.Addr = 0;
        probe.Flags = KprobeStatus.None;
        Register(probe);
        Guest.Call("leaf", 1);

        Assert.Equal(["p.pre", "p.post", "p.pre", "p.post"], Log);
        Assert.Equal(0UL, probe.NMissed);
    }

    [Fact]
    public void B05_post_sees_the_state_after_the_instruction()
    {
        PtRegs seen = default;
        ulong flags = 99;
        Kprobe probe = On("leaf");
        probe.PostHandler = (_, ref registers, f) => (seen, flags) = (registers, f);
        Register(probe);
        Guest.SetFlags(1 << 9);

        Guest.Call("leaf", 1);

        Assert.Equal(Guest["leaf"] + 3, seen.Ip);
        Assert.Equal(4UL, seen.Ax);
        Assert.Equal(0UL, seen.Flags & Rflags.TF);
        Assert.NotEqual(0UL, seen.Flags & Rflags.IF);
        Assert.Equal(0UL, flags);
    }

    [Fact]
    public void B06_probe_without_handlers_changes_nothing()
    {
        Kprobe probe = Register(On("frame"));

        Assert.Equal(2UL, Guest.Call("frame", 1));

        Assert.Equal(1UL, probe.Hits);
        Assert.Contains("frame+0x0", Kprobes.List(), StringComparison.Ordinal);
    }

    [Fact]
    public void B07_register_edits_of_pre_are_live_in_the_step()
    {
        Register(Editing("leaf", 0, (ref r) => r.Di = 10, 0));
        Assert.Equal(13UL, Guest.Call("leaf", 1));
    }

    [Fact]
    public void B07_pre_sees_the_address_plus_one_and_the_callers_registers()
    {
        PtRegs seen = default;
        Register(Editing("six", 0, (ref r) => seen = r, 0));

        Guest.Call("six", 1, 2, 3, 4, 5, 6);

        Assert.Equal(Guest["six"] + 1, seen.Ip);
        Assert.Equal((1UL, 2UL, 3UL, 4UL, 5UL, 6UL), (seen.Di, seen.Si, seen.Dx, seen.Cx, seen.R8, seen.R9));
        Assert.Equal(SyntheticGuest.StackTop - 72, seen.Sp);
        Assert.Equal((ulong)SyntheticGuest.KernelCode, seen.Cs);
        Assert.Equal((ulong)SyntheticGuest.KernelData, seen.Ss);
        Assert.Equal(ulong.MaxValue, seen.OrigAx);
    }

    [Fact]
    public void B07_ip_edits_without_a_return_value_are_lost()
    {
        Register(Editing("leaf", 0, (ref r) => r.Ip = 0, 0));
        Assert.Equal(4UL, Guest.Call("leaf", 1));
    }

    [Fact]
    public void B09_pre_can_skip_the_function()
    {
        Kprobe probe = Editing("leaf", 0, (ref r) => (r.Ax, r.Ip) = (7, Guest["retonly"]), 1);
        probe.PostHandler = (_, ref _, _) => Log.Add("post");
        Register(probe);

        Assert.Equal(7UL, Guest.Call("leaf", 1));

        Assert.Empty(Log);
    }

    [Fact]
    public void B10_taking_over_without_an_ip_resumes_behind_the_first_byte()
    {
        Assert.Equal(1UL, Guest.Call("stcf"));
        Register(Logged("p", "stcf", 1, result: 1));

        Assert.Equal(0UL, Guest.Call("stcf"));

        Assert.Equal(["p.pre"], Log);
    }

    [Fact]
    public void B12_flag_edits_of_pre_are_live()
    {
        Register(Editing("jcc", 2, (ref r) => r.Flags &= ~(ulong)Rflags.ZF, 0));
        Assert.Equal(0UL, Guest.Call("jcc", 0));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void B12_interrupt_flag_edits_of_pre_are_lost(bool enabled)
    {
        Guest.SetFlags(enabled ? Rflags.IF : 0);
        Register(Editing("leaf", 0, (ref r) => r.Flags ^= Rflags.IF | Rflags.TF, 0));

        Guest.Call("leaf", 1);

        Assert.Equal(enabled, (Guest.Flags & Rflags.IF) != 0);
        Assert.Equal(0UL, Guest.Counter(1));
    }

    [Fact]
    public void B13_post_edits_reach_the_caller()
    {
        Kprobe probe = On("leaf");
        probe.PostHandler = (_, ref registers, _) => registers.Ax = 77;
        Register(probe);

        Assert.Equal(77UL, Guest.Call("leaf", 1));
    }

    [Fact]
    public void B14_interrupt_waits_until_post_has_run()
    {
        Kprobe probe = On("leaf");
        probe.PreHandler = (_, ref _) =>
        {
            Guest.RaiseInterrupt();
            Log.Add($"pre {Guest.Counter(0x20)}");
            return 0;
        };
        probe.PostHandler = (_, ref _, _) => Log.Add($"post {Guest.Counter(0x20)}");
        Register(probe);
        Guest.SetFlags(Rflags.IF);

        Assert.Equal(4UL, Guest.Call("leaf", 1));

        Assert.Equal(["pre 0", "post 0"], Log);
        Assert.Equal(1UL, Guest.Counter(0x20));
        Assert.Equal(Guest["leaf"] + 3, Guest.LastIp(0x20));
    }

    [Fact]
    public void B14_pending_interrupt_comes_before_pre()
    {
        Register(Editing("leaf", 0, (ref _) => Log.Add($"pre {Guest.Counter(0x20)}"), 0));
        Guest.SetFlags(Rflags.IF);
        Guest.RaiseInterrupt();

        Guest.Call("leaf", 1);

        Assert.Equal(["pre 1"], Log);
    }

    [Fact]
    public void B15_unregistered_probe_leaves_the_bytes_and_is_silent()
    {
        Kprobe probe = Register(Logged("p", "leaf"));
        Guest.Call("leaf", 1);
        Log.Clear();

        Kprobes.UnregisterKprobe(probe);

        Assert.Equal(0x8D, Guest.FetchByte(Guest["leaf"]));
        Assert.Equal(4UL, Guest.Call("leaf", 1));
        Assert.Empty(Log);
    }

    [Fact]
    public void B16_last_instruction_of_a_function_can_be_probed()
    {
        Register(Logged("p", "leaf", 3));

        Assert.Equal(4UL, Guest.Call("leaf", 1));

        Assert.Equal(["p.pre", "p.post"], Log);
    }

    [Fact]
    public void Guest_reads_its_own_bytes_under_a_probe()
    {
        // mov eax,[rdi]; ret reads the first bytes of leaf.
        ulong reader = Guest.Define("reader", 0x8B, 0x07, 0xC3);
        Guest.Text.KernelText = (SyntheticGuest.TextBase, reader + 16);
        Register(On("leaf"));

        Assert.Equal(0xC303478DUL, Guest.Call("reader", Guest["leaf"]));
    }

    [Fact]
    public void Probed_run_retires_as_many_instructions_as_an_unprobed_one()
    {
        long before = Guest.Processor.Retired;
        Guest.Call("nested", 9);
        long unprobed = Guest.Processor.Retired - before;
        Register(Logged("a", "third", 2));
        Register(Logged("b", "nested", 1));
        Register(new Kretprobe { Kp = { SymbolName = "leaf" } });

        before = Guest.Processor.Retired;
        Assert.Equal(15UL, Guest.Call("nested", 9));

        Assert.Equal(unprobed, Guest.Processor.Retired - before);
    }

    [Fact]
    public void Image_probe_fires_while_the_kernel_runs_identity_mapped()
    {
        ulong seen = 0;
        Register(Editing("leaf", 0, (ref r) => seen = r.Ip, 0));

        Assert.Equal(4UL, Guest.Call(Guest["leaf"] - SyntheticGuest.LinkBase, 1));

        Assert.Equal(Guest["leaf"] + 1, seen);
    }

    [Fact]
    public void Handlers_see_link_addresses_before_and_after_an_instruction_that_runs_identity_mapped()
    {
        List<ulong> seen = [];
        Kprobe probe = Editing("leaf", 0, (ref r) => seen.Add(r.Ip), 0);
        probe.PostHandler = (_, ref registers, _) => seen.Add(registers.Ip);
        Register(probe);

        Assert.Equal(4UL, Guest.Call(Guest["leaf"] - SyntheticGuest.LinkBase, 1));

        Assert.Equal([Guest["leaf"] + 1, Guest["leaf"] + 3], seen);
    }

    [Fact]
    public void Post_handler_may_send_the_guest_elsewhere_while_it_runs_identity_mapped()
    {
        Kprobe probe = On("frame", 4);
        probe.PostHandler = (_, ref registers, _) => registers.Ip = Guest["frame"] + 9;
        Register(probe);

        // The load of the argument happens, the addition does not.
        Assert.Equal(7UL, Guest.Call(Guest["frame"] - SyntheticGuest.LinkBase, 7));
    }

    [Fact]
    public void Instruction_that_leaves_the_identity_mapping_shows_where_it_went()
    {
        ulong seen = 0;
        Kprobe probe = On("leaf", 3);
        probe.PostHandler = (_, ref registers, _) => seen = registers.Ip;
        Register(probe);

        Guest.Call(Guest["leaf"] - SyntheticGuest.LinkBase, 1);

        Assert.Equal(Guest["callr11"] + 3, seen);
    }

    [Fact]
    public void Handler_that_goes_in_circles_ends_the_run_with_an_error()
    {
        Register(Editing("leaf", 0, (ref r) => r.Ip = Guest["leaf"], 1));

        KprobeTraceException error = Assert.Throws<KprobeTraceException>(() => Guest.Call("leaf", 1));

        Assert.Contains("leaf+0x0", error.Message, StringComparison.Ordinal);
    }

    internal delegate void Edit(ref PtRegs registers);

    private static Kprobe Editing(string symbol, uint offset, Edit edit, int result)
    {
        Kprobe probe = On(symbol, offset);
        probe.PreHandler = (_, ref registers) =>
        {
            edit(ref registers);
            return result;
        };
        return probe;
    }
}
