using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>CHECKLIST rows A: where a probe may go and what a refusal answers.</summary>
public sealed class RegistrationRowTests : KprobeRows
{
    [Fact]
    public void A01_symbol_resolves_and_arms()
    {
        Kprobe probe = Register(On("leaf"));

        Assert.Equal(Guest["leaf"], probe.Addr);
        Assert.Equal(0xCC, Guest.FetchByte(Guest["leaf"]));
        Assert.Equal(0x8D, Guest.ReadBytes(Guest["leaf"], 1)[0]);
        Assert.Equal(0x8D, probe.Opcode);
        Assert.Equal([0x8D, 0x47, 0x03], probe.CopiedInstruction.ToArray());
    }

    [Fact]
    public void A02_address_alone_is_enough()
    {
        Register(new Kprobe { Addr = Guest["leaf"] });

        Assert.Equal(0xCC, Guest.FetchByte(Guest["leaf"]));
    }

    [Fact]
    public void A03_address_and_symbol_are_refused() =>
        Refused(-22, new Kprobe { Addr = Guest["leaf"], SymbolName = "leaf" });

    [Fact]
    public void A04_neither_address_nor_symbol_is_refused() => Refused(-22, new Kprobe());

    [Fact]
    public void A05_unknown_symbol_is_not_found() => Refused(-2, On("nosuch"));

    [Fact]
    public void A06_offset_is_added_to_the_symbol()
    {
        Register(On("frame", 1));

        Assert.Equal(0x55, Guest.FetchByte(Guest["frame"]));
        Assert.Equal(0xCC, Guest.FetchByte(Guest["frame"] + 1));
    }

    [Fact]
    public void A06_offset_is_added_to_an_address_too()
    {
        Kprobe probe = Register(new Kprobe { Addr = Guest["frame"], Offset = 1 });

        Assert.Equal(Guest["frame"] + 1, probe.Addr);
    }

    [Fact]
    public void A07_middle_of_an_instruction_is_an_illegal_sequence()
    {
        Refused(-84, On("frame", 2));
        Assert.Equal(0x89, Guest.FetchByte(Guest["frame"] + 2));
    }

    [Fact]
    public void A10_data_is_refused() => Refused(-22, new Kprobe { Addr = SyntheticGuest.Global });

    [Fact]
    public void A10_init_text_counts_only_until_the_system_runs()
    {
        Register(On("init_fn"));

        Guest.Text.IsInitFreed = true;
        Guest.Pokes.Clear();
        Refused(-22, On("init_fn", 2));
    }

    [Fact]
    public void A11_blacklisted_function_is_refused()
    {
        Refused(-22, On("nokp"));

        Kprobes.AllowBlacklisted = true;
        Register(On("nokp"));
    }

    [Fact]
    public void A11_copy_of_a_blacklisted_function_is_refused() => Refused(-22, On("nokp.isra.0", 1));

    [Fact]
    public void A13_any_byte_of_a_blacklisted_range_is_refused() =>
        Refused(-22, new Kprobe { Addr = Guest["nokp"] + 1 });

    [Fact]
    public void A14_jump_label_site_is_refused() => Refused(-22, On("skey", 1));

    [Fact]
    public void A14_every_byte_of_a_jump_label_site_is_refused() => Refused(-22, On("skey", 2));

    [Fact]
    public void A16_trap_of_a_bug_is_refused_and_what_is_before_it_is_not()
    {
        Refused(-22, On("bugf", 1));
        Register(On("bugf"));
    }

    [Fact]
    public void A17_unknown_flags_are_dropped()
    {
        Kprobe probe = On("leaf");
        probe.Flags = (KprobeStatus)unchecked((int)0xFFFFFFFD);

        Register(probe);

        Assert.Equal(KprobeStatus.None, probe.Flags);
    }

    [Fact]
    public void A18_disabled_probe_is_registered_and_silent()
    {
        Kprobe probe = Logged("p", "leaf");
        probe.Flags = KprobeStatus.Disabled;
        Register(probe);

        Assert.Equal(0x8D, Guest.FetchByte(Guest["leaf"]));
        Assert.Equal(4UL, Guest.Call("leaf", 1));
        Assert.Empty(Log);
    }

    [Fact]
    public void A19_registering_once_more_is_refused_and_the_first_still_works()
    {
        Kprobe probe = Logged("p", "leaf");
        probe.Addr = Guest["leaf"];
        probe.SymbolName = null;
        Register(probe);

        Assert.Equal(-22, Kprobes.RegisterKprobe(probe).Errno);

        Guest.Call("leaf", 1);
        Assert.Equal(["p.pre", "p.post"], Log);
    }

    [Fact]
    public void A21_unregistering_what_was_never_registered_clears_the_address()
    {
        Kprobe probe = new() { Addr = Guest["leaf"] };

        Kprobes.UnregisterKprobe(probe);

        Assert.Equal(0UL, probe.Addr);
    }

    [Fact]
    public void A22_batch_is_taken_back_when_one_fails()
    {
        Kprobe[] probes = [On("leaf"), On("nosuch"), On("frame")];

        Assert.Equal(-2, Kprobes.RegisterKprobes(probes).Errno);

        Assert.Equal(0x8D, Guest.FetchByte(Guest["leaf"]));
        Assert.Equal(0, Kprobes.Count);
        Assert.DoesNotContain(Guest.Pokes, p => p.Address == Guest["frame"]);
    }

    [Fact]
    public void A23_empty_batch_is_refused()
    {
        Assert.Equal(-22, Kprobes.RegisterKprobes([]).Errno);
        Assert.Equal(-22, Kprobes.RegisterKretprobes([]).Errno);
    }

    [Fact]
    public void A24_batch_with_a_stranger_unregisters_the_others()
    {
        Kprobe first = Register(On("leaf"));
        Kprobe stranger = new() { Addr = Guest["opt"] };
        Kprobe last = Register(On("frame"));

        Kprobes.UnregisterKprobes([first, stranger, last]);

        Assert.Equal(0, Kprobes.Count);
        Assert.Equal(0UL, stranger.Addr);
        Assert.Equal(0x8D, Guest.FetchByte(Guest["leaf"]));
    }

    [Fact]
    public void A25_symbol_of_a_module_resolves()
    {
        Kprobe probe = Register(On("tmod:tmod_fn"));

        Assert.Equal(SyntheticGuest.ModuleBase, probe.Addr);
        Assert.Equal(0xCC, Guest.FetchByte(SyntheticGuest.ModuleBase));
    }

    [Fact]
    public void A26_init_text_of_a_live_module_is_not_found()
    {
        Refused(-2, On("tmod:tmod_init"));

        Guest.Text.IsModuleLive = false;
        Register(new Kprobe { SymbolName = "tmod:tmod_init" });
    }

    [Fact]
    public void A27_mov_ss_can_be_probed() => Register(On("movss", 3));

    [Fact]
    public void A28_foreign_int3_can_be_probed() => Register(On("foreign", 1));

    [Fact]
    public void A29_foreign_int3_earlier_in_the_function_is_an_ordinary_instruction()
    {
        Register(On("foreign", 2));
        Assert.Equal(-84, Kprobes.RegisterKprobe(On("foreign", 3)).Errno);
    }

    [Fact]
    public void A30_entry_of_an_ftraced_function_is_an_ordinary_instruction()
    {
        ulong traced = Guest.Define("traced", 0x0F, 0x1F, 0x44, 0x00, 0x00, 0xC3);
        Guest.Text.KernelText = (SyntheticGuest.TextBase, traced + 16);

        Register(On("traced"));

        Assert.Equal(0xCC, Guest.FetchByte(traced));
        Assert.DoesNotContain("[FTRACE]", Kprobes.List(), StringComparison.Ordinal);
        Assert.Equal(-84, Kprobes.RegisterKprobe(On("traced", 3)).Errno);
    }

    [Fact]
    public void A31_lock_prefixed_instruction_can_be_probed()
    {
        Register(On("locked"));
        Guest.Call("locked");

        Assert.Equal(0x1235UL, Guest.ReadWord(SyntheticGuest.Global));
    }

    [Fact]
    public void A32_operand_far_from_the_image_can_be_probed()
    {
        Register(On("rip"));
        Assert.Equal(0x1234UL, Guest.Call("rip"));
    }

    [Fact]
    public void Sum_of_address_and_offset_must_not_be_zero() =>
        Refused(-22, new Kprobe { Addr = unchecked(0UL - 16), Offset = 16 });

    [Fact]
    public void Address_in_text_without_symbol_is_an_illegal_sequence()
    {
        Guest.Text.KernelText = (SyntheticGuest.TextBase, SyntheticGuest.TextBase + 0x1_0000);

        Refused(-84, new Kprobe { Addr = SyntheticGuest.TextBase + 0xF000 });
    }

    [Fact]
    public void Every_arm_and_disarm_is_a_text_poke()
    {
        Kprobe probe = Register(On("leaf"));
        Kprobes.UnregisterKprobe(probe);

        Assert.Equal(
            [
                new TextPoke(Guest["leaf"], 0x8D, 0xCC, "arm"),
                new TextPoke(Guest["leaf"], 0xCC, 0x8D, "disarm"),
            ],
            Guest.Pokes);
    }

    [Fact]
    public void Can_probe_tells_without_registering()
    {
        Assert.True(Kprobes.CanProbe(Guest["leaf"]).IsSuccess);
        Assert.Equal(-84, Kprobes.CanProbe(Guest["frame"] + 2).Errno);
        Assert.Equal(-22, Kprobes.CanProbe(Guest["nokp"]).Errno);
        Assert.Equal(0, Kprobes.Count);
    }

    [Theory]
    [InlineData(0xffffffff81234560UL, 6)]
    [InlineData(0xffffffff81234565UL, 0)]
    public void Bucket_is_the_top_of_the_golden_product(ulong address, int bucket) =>
        Assert.Equal(bucket, KprobeTable.BucketOf(address));
}
