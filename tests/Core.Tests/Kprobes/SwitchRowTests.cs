using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>CHECKLIST rows D: enable and disable, the global switch, the debugfs files, modules and init text.</summary>
public sealed class SwitchRowTests : KprobeRows
{
    [Fact]
    public void D01_disabling_and_enabling_twice_is_fine_and_bytes_follow()
    {
        Kprobe probe = Register(Logged("p", "leaf"));

        Assert.Equal(0, Kprobes.DisableKprobe(probe).Errno);
        Assert.Equal(0, Kprobes.DisableKprobe(probe).Errno);
        Assert.Equal(0x8D, Guest.FetchByte(Guest["leaf"]));

        Assert.Equal(0, Kprobes.EnableKprobe(probe).Errno);
        Assert.Equal(0, Kprobes.EnableKprobe(probe).Errno);
        Assert.Equal(0xCC, Guest.FetchByte(Guest["leaf"]));
    }

    [Fact]
    public void D02_unregistered_probes_cannot_be_switched()
    {
        Assert.Equal(-22, Kprobes.DisableKprobe(On("leaf")).Errno);
        Assert.Equal(-22, Kprobes.EnableKprobe(On("leaf")).Errno);
    }

    [Fact]
    public void D03_global_switch_disarms_and_reads_back()
    {
        Register(Logged("p", "leaf"));
        Assert.Equal("1\n", Kprobes.ReadEnabled());

        Assert.Equal(1, Kprobes.WriteEnabled("0"));
        Assert.Equal("0\n", Kprobes.ReadEnabled());
        Assert.Equal(0x8D, Guest.FetchByte(Guest["leaf"]));
        Guest.Call("leaf", 1);
        Assert.Empty(Log);

        Assert.Equal(2, Kprobes.WriteEnabled("1\n"));
        Assert.Equal("1\n", Kprobes.ReadEnabled());
        Guest.Call("leaf", 1);
        Assert.Equal(["p.pre", "p.post"], Log);
    }

    [Theory]
    [InlineData("x", -22, true)]
    [InlineData("", -22, true)]
    [InlineData("yes", 3, true)]
    [InlineData("Y", 1, true)]
    [InlineData("N", 1, false)]
    [InlineData("no", 2, false)]
    [InlineData("on", -22, true)]
    public void D04_only_the_first_character_counts(string text, int result, bool enabled)
    {
        Assert.Equal(result, Kprobes.WriteEnabled(text));
        Assert.Equal(enabled, Kprobes.IsEnabled);
    }

    [Fact]
    public void D05_switching_on_again_arms_only_what_is_enabled()
    {
        Register(Logged("p1", "leaf"));
        Kprobe second = Register(Logged("p2", "opt"));
        Kprobes.DisableKprobe(second);

        Kprobes.WriteEnabled("0");
        Kprobes.WriteEnabled("1");

        Assert.Equal(0xCC, Guest.FetchByte(Guest["leaf"]));
        Assert.Equal(0x55, Guest.FetchByte(Guest["opt"]));
        Assert.Contains("opt+0x0    [DISABLED]", Kprobes.List(), StringComparison.Ordinal);
    }

    [Fact]
    public void D06_probe_registered_while_off_is_armed_when_on()
    {
        Kprobes.SetEnabled(false);
        Register(Logged("p", "leaf"));
        Assert.Equal(0x8D, Guest.FetchByte(Guest["leaf"]));

        Kprobes.SetEnabled(true);
        Assert.Equal(0xCC, Guest.FetchByte(Guest["leaf"]));
    }

    [Fact]
    public void D06_probe_enabled_while_off_stays_silent_when_on()
    {
        Kprobe probe = Register(Logged("p", "leaf"));
        Kprobes.DisableKprobe(probe);
        Kprobes.SetEnabled(false);

        Assert.Equal(0, Kprobes.EnableKprobe(probe).Errno);
        Kprobes.SetEnabled(true);

        Assert.Equal(0x8D, Guest.FetchByte(Guest["leaf"]));
        Assert.DoesNotContain("[DISABLED]", Kprobes.List(), StringComparison.Ordinal);
        Kprobes.EnableKprobe(probe);
        Assert.Equal(0xCC, Guest.FetchByte(Guest["leaf"]));
    }

    [Fact]
    public void D07_switch_shows_no_disabled_marks()
    {
        Register(Logged("p", "leaf"));
        Kprobes.SetEnabled(false);

        Assert.Equal($"{Guest["leaf"]:x16}  k  leaf+0x0    \n", Kprobes.List());
    }

    [Fact]
    public void D09_list_lines_have_the_kernels_format()
    {
        Register(Logged("stepped", "frame", 4));
        Register(new Kretprobe { Kp = { SymbolName = "opt" } });
        Register(Logged("module", "tmod:tmod_fn", post: false));
        Kprobe disabled = Register(Logged("disabled", "leaf", post: false));
        Kprobe sibling = Register(Logged("sibling", "leaf", post: false));
        Kprobes.DisableKprobe(disabled);

        string[] lines = Kprobes.List().Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(5, lines.Length);
        Assert.Contains($"{Guest["frame"] + 4:x16}  k  frame+0x4    ", lines);
        Assert.Contains($"{Guest["opt"]:x16}  r  opt+0x0    [OPTIMIZED]", lines);
        Assert.Contains($"{SyntheticGuest.ModuleBase:x16}  k  tmod_fn+0x0  tmod [OPTIMIZED]", lines);
        Assert.Contains($"{Guest["leaf"]:x16}  k  leaf+0x0    [DISABLED][OPTIMIZED]", lines);
        Assert.True(Array.IndexOf(lines, $"{Guest["leaf"]:x16}  k  leaf+0x0    [OPTIMIZED]")
            < Array.IndexOf(lines, $"{Guest["leaf"]:x16}  k  leaf+0x0    [DISABLED][OPTIMIZED]"));
        Assert.True(sibling.IsOptimized);
    }

    [Fact]
    public void D09_list_goes_by_bucket_and_newest_first()
    {
        foreach (string name in new[] { "leaf", "frame", "opt", "rec", "six", "jcc", "third", "nested" })
        {
            Register(Logged(name, name));
        }

        List<int> buckets = Kprobes.Probes().Select(p => KprobeTable.BucketOf(p.Addr)).ToList();

        Assert.Equal(buckets.Order(), buckets);
        Assert.Equal(8, buckets.Count);
    }

    [Fact]
    public void D10_reader_without_rights_sees_zeros()
    {
        Register(Logged("p", "leaf"));

        Assert.Equal("0000000000000000  k  leaf+0x0    \n", Kprobes.List(restricted: true));
        Assert.StartsWith(
            "0x0000000000000000-0x0000000000000000\tnokp", Kprobes.ListBlacklist(true), StringComparison.Ordinal);
    }

    [Fact]
    public void D11_probe_in_an_unloaded_module_is_gone()
    {
        Kprobe probe = Register(Logged("p", "tmod:tmod_fn"));
        Assert.Equal(8UL, Guest.Call("tmod:tmod_fn", 1));

        Unload();

        Assert.Equal($"{SyntheticGuest.ModuleBase:x16}  k  0x{SyntheticGuest.ModuleBase:x} [GONE]\n", Kprobes.List());
        Assert.Equal(-22, Kprobes.EnableKprobe(probe).Errno);
        Assert.Equal(0, Kprobes.DisableKprobe(probe).Errno);
        Assert.Equal(0x8D, Guest.FetchByte(SyntheticGuest.ModuleBase));
        Kprobes.UnregisterKprobe(probe);
        Assert.Empty(Kprobes.List());
    }

    [Fact]
    public void D11_module_loaded_at_the_same_address_gets_its_own_probe()
    {
        Kprobe old = Register(Logged("old", "tmod:tmod_fn"));
        Unload();
        Guest.Text.IsModuleLoaded = true;

        Register(Logged("new", "tmod:tmod_fn", post: false));
        Guest.Call("tmod:tmod_fn", 1);

        Assert.Equal(["new.pre"], Log);
        Assert.True(old.Flags.HasFlag(KprobeStatus.Gone));
        Assert.Contains("[GONE]", Kprobes.List(), StringComparison.Ordinal);
    }

    [Fact]
    public void D11_probe_of_the_module_that_comes_next_belongs_to_the_function_that_lies_there_then()
    {
        ulong address = SyntheticGuest.ModuleBase + 0x10;
        Guest.DefineAt("tmod:tmod_second", address, 0x90, 0xC3);
        Register(Logged("old", "tmod:tmod_second"));
        Unload();

        // One function from the module's start to behind the address, all of it nops.
        Guest.Text.Remove("tmod_fn");
        Guest.Text.Remove("tmod_second");
        Guest.DefineAt("tmod:whole", SyntheticGuest.ModuleBase, [.. Enumerable.Repeat((byte)0x90, 0x1F), 0xC3]);
        Guest.Text.IsModuleLoaded = true;
        Kprobe probe = Register(Logged("new", "tmod:whole", 0x10));

        Guest.Write(address - 1, 0x66);
        Kprobes.SettleText();

        Assert.True(probe.IsOffBoundary);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void D01_module_probe_is_switched_while_cr3_does_not_map_the_module(bool hasKernelTables)
    {
        if (!hasKernelTables)
        {
            Guest.ForgetKernelTables();
        }

        Kprobe probe = Register(Logged("p", "tmod:tmod_fn", post: false));
        Guest.Call("tmod:tmod_fn", 1);
        Guest.WithoutModules(() => Kprobes.DisableKprobe(probe));
        Guest.Call("tmod:tmod_fn", 1);
        Assert.Single(Log);

        Guest.WithoutModules(() => Kprobes.EnableKprobe(probe));
        Guest.Call("tmod:tmod_fn", 1);
        Assert.Equal(2, Log.Count);
    }

    [Fact]
    public void D01_writes_to_a_module_are_seen_also_when_it_was_probed_while_cr3_did_not_map_it()
    {
        Kprobe probe = Logged("p", "tmod:tmod_fn", post: false);
        Guest.WithoutModules(() => Register(probe));

        Guest.Write(SyntheticGuest.ModuleBase, 0x8D, 0x47, 0x09);
        Kprobes.SettleText();

        Assert.Equal([0x8D, 0x47, 0x09], probe.CopiedInstruction.ToArray());
    }

    [Fact]
    public void D13_probe_in_a_modules_init_text_is_gone_when_it_is_live()
    {
        Guest.Text.IsModuleLive = false;
        Kprobe probe = Register(Logged("p", "tmod:tmod_init"));
        Guest.Call("tmod:tmod_init");
        Assert.Equal(["p.pre", "p.post"], Log);

        Guest.Text.IsModuleLive = true;
        Kprobes.TextGone(SyntheticGuest.ModuleInitBase, SyntheticGuest.ModuleInitBase + 0x1000);

        Assert.True(probe.Flags.HasFlag(KprobeStatus.Gone));
        Assert.Equal(0x31, Guest.FetchByte(SyntheticGuest.ModuleInitBase));
    }

    [Fact]
    public void D13_probe_in_the_kernels_init_text_is_gone_when_that_is_freed()
    {
        Kprobe probe = Register(Logged("p", "init_fn"));

        Guest.Text.IsInitFreed = true;
        Kprobes.TextGone(SyntheticGuest.InitBase, SyntheticGuest.InitBase + 0x1000);

        Assert.Contains("[GONE]", Kprobes.List(), StringComparison.Ordinal);
        Assert.False(probe.IsOptimized);
    }

    [Fact]
    public void D14_blacklist_has_ranges_and_names()
    {
        ulong start = Guest["nokp"];
        Guest.Text.BlacklistRanges.Add(new(SyntheticGuest.ModuleBase, SyntheticGuest.ModuleBase + 4, "tmod_nokp"));
        Assert.Equal(
            $"0x{start:x16}-0x{start + 16:x16}\tnokp\n"
            + $"0x{SyntheticGuest.ModuleBase:x16}-0x{SyntheticGuest.ModuleBase + 4:x16}\ttmod_nokp\n",
            Kprobes.ListBlacklist());

        Guest.Text.BlacklistRanges.RemoveAt(1);
        Assert.Equal($"0x{start:x16}-0x{start + 16:x16}\tnokp\n", Kprobes.ListBlacklist());
    }

    [Fact]
    public void E16_many_probes_go_on_off_and_away()
    {
        List<Kprobe> probes = [];
        for (int i = 0; i < 256; i++)
        {
            ulong end = Guest.Define($"many{i}", 0x0F, 0x1F, 0x44, 0x00, 0x00, 0x89, 0xF8, 0xC3) + 16;
            Guest.Text.KernelText = (SyntheticGuest.TextBase, end);
            Kprobe probe = Logged($"many{i}", $"many{i}", 5, post: false);
            probe.Flags = KprobeStatus.Disabled;
            probes.Add(probe);
        }

        Assert.True(Kprobes.RegisterKprobes(probes).IsSuccess);
        Assert.Empty(Guest.Pokes);
        probes.ForEach(p => Assert.True(Kprobes.EnableKprobe(p).IsSuccess));
        Guest.Call("many7", 3);
        Guest.Call("many255", 3);
        Assert.Equal(["many7.pre", "many255.pre"], Log);

        probes.ForEach(p => Assert.True(Kprobes.DisableKprobe(p).IsSuccess));
        Guest.Call("many7", 3);
        Kprobes.UnregisterKprobes(probes);

        Assert.Equal(2, Log.Count);
        Assert.Equal(512, Guest.Pokes.Count);
        Assert.Empty(Kprobes.List());
    }

    private void Unload()
    {
        Guest.Text.IsModuleLoaded = false;
        Kprobes.TextGone(SyntheticGuest.ModuleBase, SyntheticGuest.ModuleBase + 0x1000);
    }
}
