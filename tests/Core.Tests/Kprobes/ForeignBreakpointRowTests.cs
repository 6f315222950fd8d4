using KprobeTrace.Cpu;
using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>CHECKLIST rows R: breakpoints that are not ours.</summary>
public sealed unsafe class ForeignBreakpointRowTests : KprobeRows
{
    [Fact]
    public void R01_guests_own_int3_goes_to_the_guest()
    {
        Register(Logged("p", "leaf"));

        Assert.Equal(5UL, Guest.Call("foreign"));

        Assert.Equal(1UL, Guest.Counter(3));
        Assert.Equal(Guest["foreign"] + 2, Guest.LastIp(3));
        Assert.Empty(Log);
    }

    [Fact]
    public void R01_guests_int3_under_a_probe_works_and_completes_before_post()
    {
        List<ulong> ips = [];
        Kprobe probe = Logged("p", "foreign", 1);
        probe.PostHandler = (_, ref registers, _) => ips.Add(registers.Ip);
        Register(probe);

        Assert.Equal(5UL, Guest.Call("foreign"));

        Assert.Equal(["p.pre"], Log);
        Assert.Equal(1UL, Guest.Counter(3));
        Assert.Equal(Guest["foreign"] + 2, Guest.LastIp(3));
        Assert.Equal([SyntheticGuest.LinkBase + 0x10_00C0], ips);
    }

    [Fact]
    public void R01_guest_that_puts_its_own_int3_on_a_probed_address_gets_both()
    {
        Register(Logged("p", "opt", 4, post: false));
        Guest.Write(Guest["opt"] + 4, 0xCC);

        Assert.Equal(9UL, Guest.Call("opt", 9));

        Assert.Equal(["p.pre"], Log);
        Assert.Equal(1UL, Guest.Counter(3));
    }

    [Fact]
    public void R02_user_mode_int3_is_the_users()
    {
        Register(Logged("p", "leaf"));
        EnterUser(0xCC);

        Assert.Equal(1UL, Guest.Counter(3));
        Assert.Equal(SyntheticGuest.UserBase + 1, Guest.LastIp(3));
        Assert.Empty(Log);
    }

    [Fact]
    public void R03_probe_at_a_users_address_is_not_seen_by_user_mode()
    {
        // The text is mapped for users as well, at its physical address.
        Register(Logged("p", "leaf"));
        Guest.View.Arm(SyntheticGuest.UserBase, 0);
        EnterUser(0x90, 0xCC);

        Assert.Equal(1UL, Guest.Counter(3));
        Assert.Equal(SyntheticGuest.UserBase + 2, Guest.LastIp(3));
        Assert.Empty(Log);
    }

    [Fact]
    public void R03_handler_declines_frames_of_user_mode()
    {
        Register(Logged("p", "leaf"));
        PtRegs frame = new() { Cs = SyntheticGuest.UserCode, Ip = Guest["leaf"] + 1 };

        BreakpointAction action = Kprobes.Handler.OnBreakpoint(0, 0, &frame);

        Assert.Equal(BreakpointAction.Deliver, action);
        Assert.Empty(Log);
    }

    [Fact]
    public void R06_code_that_has_run_before_hits_as_soon_as_it_is_armed()
    {
        Guest.Call("leaf", 1);
        Guest.Call("callrel", 1);

        Register(Logged("p", "leaf"));
        Guest.Call("callrel", 1);

        Assert.Equal(["p.pre", "p.post"], Log);
    }

    [Fact]
    public void R06_probe_armed_by_a_handler_hits_behind_it()
    {
        Kprobe late = Logged("late", "frame", 4, post: false);
        Kprobe probe = On("frame");
        probe.PreHandler = (_, ref _) =>
        {
            Register(late);
            return 0;
        };
        Register(probe);

        Assert.Equal(2UL, Guest.Call("frame", 1));

        Assert.Equal(["late.pre"], Log);
    }

    [Fact]
    public void R07_breakpoint_taken_out_between_fetch_and_dispatch_runs_the_real_instruction()
    {
        Kprobe probe = Register(Logged("p", "leaf"));
        Kprobes.UnregisterKprobe(probe);
        PtRegs frame = new() { Cs = SyntheticGuest.KernelCode, Ip = Guest["leaf"] + 1 };

        BreakpointAction action = Kprobes.Handler.OnBreakpoint(0, 0, &frame);

        Assert.Equal(BreakpointAction.Step, action);
        Assert.Equal(Guest["leaf"], frame.Ip);
        Assert.Empty(Log);
    }

    [Theory]
    [InlineData("disable")]
    [InlineData("switch off")]
    public void R07_lone_probe_disarmed_between_fetch_and_dispatch_is_hit(string how)
    {
        Kprobe probe = Register(Logged("p", "leaf"));
        Disarm(how, probe);

        Assert.Equal(BreakpointAction.StepThenNotify, Dispatch("leaf"));

        Assert.Equal(["p.pre", "p.post"], Log);
        Assert.Equal(1UL, probe.Hits);
    }

    [Fact]
    public void R07_disabled_one_of_two_is_passed_over_also_between_fetch_and_dispatch()
    {
        Kprobe first = Register(Logged("first", "leaf"));
        Kprobe second = Register(Logged("second", "leaf"));
        Kprobes.DisableKprobe(first);
        Kprobes.SetEnabled(false);

        Assert.Equal(BreakpointAction.StepThenNotify, Dispatch("leaf"));

        Assert.Equal(["second.pre", "second.post"], Log);
        Assert.Equal((0UL, 1UL), (first.Hits, second.Hits));
    }

    [Theory]
    [InlineData("disable")]
    [InlineData("switch off")]
    public void R07_probe_that_a_return_handler_at_its_address_disarms_was_fetched_and_is_hit_once_more(string how)
    {
        Kprobe behind = Register(Logged("behind", "callrel", 5));
        Kretprobe leaf = new() { Kp = { SymbolName = "leaf" }, Handler = (_, ref _) => Disarm(how, behind) };
        Register(leaf);

        Assert.Equal(5UL, Guest.Call("callrel", 1));
        Assert.Equal(["behind.pre", "behind.post"], Log);

        Log.Clear();
        Guest.Call("callrel", 1);
        Assert.Empty(Log);
    }

    [Fact]
    public void R07_return_site_with_a_disabled_probe_is_no_hit_of_that_probe()
    {
        Kprobe behind = Register(Logged("behind", "callrel", 5));
        Kretprobe leaf = Register(new Kretprobe { Kp = { SymbolName = "leaf" } });
        Kprobes.DisableKprobe(behind);

        Assert.Equal(5UL, Guest.Call("callrel", 1));

        Assert.Empty(Log);
        Assert.Equal(1UL, leaf.Returns);
    }

    [Fact]
    public void R07_probe_unregistered_by_another_ones_handler_is_silent_at_once()
    {
        Kprobe second = Register(Logged("second", "frame", 1));
        Kprobe first = On("frame");
        first.PreHandler = (_, ref _) =>
        {
            Kprobes.UnregisterKprobe(second);
            return 0;
        };
        Register(first);

        Assert.Equal(2UL, Guest.Call("frame", 1));

        Assert.Empty(Log);
    }

    [Fact]
    public void R07_text_the_guest_rewrites_is_what_runs_and_what_the_probe_shows()
    {
        Kprobe probe = Register(Logged("p", "leaf", post: false));
        Guest.Call("leaf", 1);
        Log.Clear();
        Guest.Write(Guest["leaf"], 0x8D, 0x47, 0x05);

        Assert.Equal(6UL, Guest.Call("leaf", 1));

        Kprobes.SettleText();
        Assert.Equal([0x8D, 0x47, 0x05], probe.CopiedInstruction.ToArray());
        Assert.Equal(["p.pre"], Log);
    }

    [Fact]
    public void R07_probe_moved_off_a_boundary_is_silent_and_says_so()
    {
        List<(Kprobe Probe, bool Off)> changes = [];
        Kprobes.BoundaryChanged += (p, off) => changes.Add((p, off));
        Kprobe probe = Register(Logged("p", "opt", 5));
        Guest.Call("opt", 9);
        Log.Clear();

        // Two one-byte nops become one of two bytes.
        Guest.Write(Guest["opt"] + 4, 0x66, 0x90);
        Assert.Equal(9UL, Guest.Call("opt", 9));
        Kprobes.SettleText();

        Assert.Empty(Log);
        Assert.True(probe.IsOffBoundary);
        Assert.Equal([(probe, true)], changes);

        Guest.Write(Guest["opt"] + 4, 0x90, 0x90);
        Kprobes.SettleText();
        Guest.Call("opt", 9);

        Assert.False(probe.IsOffBoundary);
        Assert.Equal(["p.pre", "p.post"], Log);
    }

    [Fact]
    public void R07_every_write_is_seen_also_where_nothing_ran_since_the_last()
    {
        Kprobe probe = Register(Logged("p", "leaf", post: false));

        foreach (byte addend in new byte[] { 5, 7, 9 })
        {
            Guest.Write(Guest["leaf"], 0x8D, 0x47, addend);
            Kprobes.SettleText();
            Assert.Equal([0x8D, 0x47, addend], probe.CopiedInstruction.ToArray());
        }
    }

    [Fact]
    public void R07_handler_finds_the_opcode_that_is_about_to_run()
    {
        List<byte> opcodes = [];
        Kprobe probe = On("opt", 4);
        probe.PreHandler = (p, ref _) =>
        {
            opcodes.Add(p.Opcode);
            return 0;
        };
        Register(probe);

        Guest.Call("opt", 9);
        Guest.Write(Guest["opt"] + 4, 0xCC);
        Guest.Call("opt", 9);

        Assert.Equal([0x90, 0xCC], opcodes);
    }

    [Fact]
    public void R07_instruction_across_a_page_end_is_followed_on_both_pages()
    {
        // mov eax,imm32 with its last two bytes on the next page; ret.
        const ulong pageEnd = SyntheticGuest.TextBase + 0x2000;
        Guest.DefineAt("cross", pageEnd - 3, 0xB8, 1, 0, 0, 0, 0xC3);
        Guest.Text.KernelText = (SyntheticGuest.TextBase, pageEnd + 0x1000);
        Kprobe probe = Register(Logged("p", "cross", post: false));

        Guest.Write(pageEnd, 7);
        Kprobes.SettleText();

        Assert.Equal([0xB8, 1, 0, 7, 0], probe.CopiedInstruction.ToArray());
        Assert.Equal(0x70001UL, Guest.Call("cross"));
    }

    [Fact]
    public void R07_probe_loses_its_boundary_by_a_write_to_an_earlier_page_of_its_function()
    {
        // Two nops around a page end become one of two bytes.
        const ulong pageEnd = SyntheticGuest.TextBase + 0x3000;
        Guest.DefineAt("long", pageEnd - 16, [.. Enumerable.Repeat((byte)0x90, 20), 0xC3]);
        Guest.Text.KernelText = (SyntheticGuest.TextBase, pageEnd + 0x1000);
        Kprobe probe = Register(Logged("p", "long", 16));

        Guest.Write(pageEnd - 1, 0x66);
        Kprobes.SettleText();

        Assert.True(probe.IsOffBoundary);
    }

    [Fact]
    public void R07_write_that_begins_in_the_function_before_is_followed()
    {
        ulong second = Guest.Define("first16", [.. Enumerable.Repeat((byte)0x90, 15), 0xC3]) + 16;
        Guest.Define("second16", 0xB0, 1, 0xC3);
        Guest.Text.KernelText = (SyntheticGuest.TextBase, second + 16);
        Kprobe probe = Register(Logged("p", "second16"));

        Guest.Write(second - 1, 0xC3, 0xB0, 9);
        Kprobes.SettleText();

        Assert.Equal([0xB0, 9], probe.CopiedInstruction.ToArray());
    }

    [Fact]
    public void R07_write_over_three_functions_is_followed_in_the_middle_one()
    {
        ulong first = Guest.Define("low16", [.. Enumerable.Repeat((byte)0x90, 15), 0xC3]);
        Guest.Define("middle16", 0xB0, 1, 0xC3);
        Guest.Define("high16", 0xB0, 2, 0xC3);
        Guest.Text.KernelText = (SyntheticGuest.TextBase, first + 48);
        Kprobe[] probes = [Register(Logged("p", "low16", 15)), Register(Logged("q", "middle16")), Register(Logged("r", "high16"))];

        Guest.Write(first + 15, [0x90, 0xB0, 9, .. Enumerable.Repeat((byte)0xC3, 14), 0xB0, 8]);
        Kprobes.SettleText();

        Assert.Equal(["90", "B009", "B008"], probes.Select(p => Convert.ToHexString(p.CopiedInstruction.Span)));
    }

    [Theory]
    [InlineData(false, "first second")]
    [InlineData(true, "second")]
    public void R07_text_with_two_addresses_is_followed_at_each_as_long_as_it_is_probed_there(bool unregister, string followed)
    {
        Guest.MapModuleTwice();
        Guest.Text.Add("alias_fn", SyntheticGuest.ModuleAlias, 4);
        Guest.Text.KernelText = (SyntheticGuest.ModuleAlias, SyntheticGuest.ModuleAlias + 16);
        Kprobe first = Register(Logged("first", "tmod:tmod_fn"));
        Kprobe second = Register(Logged("second", "alias_fn"));
        if (unregister)
        {
            Kprobes.UnregisterKprobe(first);
        }

        Guest.Write(SyntheticGuest.ModuleBase, 0x8D, 0x47, 0x09);
        Kprobes.SettleText();

        Assert.Equal(
            followed.Split(' '),
            new[] { ("first", first), ("second", second) }.Where(p => p.Item2.CopiedInstruction.Span.SequenceEqual<byte>([0x8D, 0x47, 0x09])).Select(p => p.Item1));
    }

    [Fact]
    public void R07_text_that_begins_in_the_middle_of_a_page_is_followed()
    {
        const ulong middle = SyntheticGuest.LinkBase + 0x180_0000 + 0x800;
        Guest.DefineAt("offpage", middle, 0xB0, 1, 0xC3);
        Guest.Text.KernelText = (middle, middle + 16);
        Guest.UseUnmappedImage(middle, middle - SyntheticGuest.LinkBase, 0x1000);
        Kprobe probe = Register(Logged("p", "offpage"));

        Guest.Write(middle, 0xB0, 9);
        Kprobes.SettleText();

        Assert.Equal([0xB0, 9], probe.CopiedInstruction.ToArray());
    }

    [Fact]
    public void R07_instruction_of_a_disabled_probe_is_followed_too()
    {
        Kprobe probe = Register(Logged("p", "leaf"));
        Kprobes.DisableKprobe(probe);

        Guest.Write(Guest["leaf"], 0x8D, 0x47, 0x05);
        Kprobes.SettleText();

        Assert.Equal([0x8D, 0x47, 0x05], probe.CopiedInstruction.ToArray());
    }

    [Fact]
    public void R07_int3_of_the_guest_moves_no_later_probe_off_its_boundary()
    {
        // Decoded from behind its first byte, mov ecx,3 and what follows are other instructions.
        Kprobe later = Register(Logged("later", "third", 7));
        Guest.Write(Guest["third"] + 2, 0xCC);
        Kprobes.SettleText();

        Assert.False(later.IsOffBoundary);
        Register(On("third", 9));
        Assert.Equal(-84, Kprobes.RegisterKprobe(On("third", 3)).Errno);
    }

    [Fact]
    public void R07_jump_of_the_guest_hides_the_instructions_it_replaces_and_no_later_one()
    {
        // mov eax,edi; mov ecx,imm32; nop; ret. The jump ends inside the second, whose rest reads as add eax,imm32.
        ulong window = Guest.Define("window", 0x89, 0xF8, 0xB9, 0x03, 0x04, 0x05, 0xB8, 0x90, 0xC3);
        Guest.Text.KernelText = (SyntheticGuest.TextBase, window + 16);
        Kprobe first = Register(Logged("first", "window"));
        Kprobe covered = Register(Logged("covered", "window", 2));
        Kprobe later = Register(Logged("later", "window", 7));

        Guest.Write(window, 0xE9, 0, 0, 0, 0);
        Kprobes.SettleText();

        Assert.Equal((false, true, false), (first.IsOffBoundary, covered.IsOffBoundary, later.IsOffBoundary));
    }

    private int Disarm(string how, Kprobe probe)
    {
        if (how == "disable")
        {
            Kprobes.DisableKprobe(probe);
        }
        else
        {
            Kprobes.SetEnabled(false);
        }

        return 0;
    }

    /// <summary>What follows a fetch that saw the first breakpoint made, whatever became of it since.</summary>
    private BreakpointAction Dispatch(string symbol)
    {
        PtRegs frame = new() { Cs = SyntheticGuest.KernelCode, Ip = Guest[symbol] + 1 };
        BreakpointAction action = Kprobes.Handler.OnBreakpoint(0, 0, &frame);
        if (action == BreakpointAction.StepThenNotify)
        {
            Kprobes.Handler.OnStepped(0, 0, &frame);
        }

        return action;
    }

    private void EnterUser(params byte[] code)
    {
        // Behind the code: a load from kernel memory, whose fault ends the run in its handler.
        Guest.Write(SyntheticGuest.UserBase, [.. code, 0xF4]);
        Guest.Prepare();
        Guest.EnterUserMode(SyntheticGuest.UserBase);
        Guest.RunToHalt();
    }
}
