using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>What a refusal says to whoever asked.</summary>
public sealed class RefusalTextTests : KprobeRows
{
    [Theory]
    [InlineData("nosuch", 0, -2, "no symbol nosuch")]
    [InlineData("nokp", 2, -22, "nokp+0x2 is on the kernel's kprobe blacklist as nokp")]
    [InlineData("nokp.isra.0", 1, -22, "nokp.isra.0+0x1 is on the kernel's kprobe blacklist as nokp")]
    [InlineData("skey", 2, -22, "skey+0x2 is a jump label, which the kernel rewrites")]
    [InlineData("bugf", 1, -22, "bugf+0x1 is the trap of a BUG or WARN")]
    [InlineData("frame", 2, -84, "frame+0x2 is not the start of an instruction")]
    [InlineData("bad", 1, -84, "bad+0x1 holds no valid instruction")]
    [InlineData("tmod:tmod_init", 0, -2, "tmod_init+0x0 is module text that is gone or going")]
    public void A_symbol_is_refused_with_its_reason(string symbol, uint offset, int errno, string reason)
    {
        Define("bad", 0x90, 0x06);

        Assert.Equal(new KprobeResult(errno, reason), Kprobes.RegisterKprobe(On(symbol, offset)));
        if (symbol != "nosuch")
        {
            Assert.Equal(new KprobeResult(errno, reason), Kprobes.CanProbe(Guest[symbol] + offset));
        }
    }

    [Fact]
    public void An_address_is_refused_with_its_reason()
    {
        const ulong data = SyntheticGuest.DataBase + 0x800;
        const ulong gap = SyntheticGuest.TextBase + 0xF000;
        Guest.Text.KernelText = (SyntheticGuest.TextBase, SyntheticGuest.TextBase + 0x1_0000);

        Assert.Equal(Invalid($"0x{data:x} is not kernel text"), Kprobes.CanProbe(data));
        Assert.Equal(Invalid($"0x{data:x} is not kernel text"), Kprobes.RegisterKprobe(new Kprobe { Addr = data }));
        Assert.Equal(new KprobeResult(-84, $"no symbol holds {gap:x}"), Kprobes.RegisterKprobe(new Kprobe { Addr = gap }));
        Assert.Equal(Invalid("the address is 0"), Kprobes.RegisterKprobe(new Kprobe { Addr = ulong.MaxValue, Offset = 1 }));
        Assert.Equal(Invalid("both an address and a symbol are given"), Kprobes.RegisterKprobe(new Kprobe { Addr = data, SymbolName = "leaf" }));
        Assert.Equal(Invalid("neither an address nor a symbol is given"), Kprobes.RegisterKprobe(new Kprobe()));
    }

    [Fact]
    public void What_may_be_probed_may_be_probed_again_and_asking_changes_nothing()
    {
        Assert.Equal(KprobeResult.Success, Kprobes.CanProbe(Guest["leaf"]));
        Assert.Empty(Guest.Pokes);
        Assert.Equal(0, Kprobes.Count);
        Register(On("leaf"));
        Assert.Equal(KprobeResult.Success, Kprobes.CanProbe(Guest["leaf"]));
        Assert.Equal(KprobeResult.Success, Kprobes.RegisterKprobe(On("leaf")));
    }

    [Fact]
    public void A_return_probe_is_refused_with_its_reason()
    {
        Define("__switch_to", 0x90, 0xC3);

        Assert.Equal(Invalid("frame+0x1 is not a function's entry"), Kprobes.RegisterKretprobe(Returning("frame", 1)));
        Assert.Equal(new KprobeResult(-2, "no symbol nosuch"), Kprobes.RegisterKretprobe(Returning("nosuch")));
        Assert.Equal(Invalid("__switch_to changes the stack under a return probe"), Kprobes.RegisterKretprobe(Returning("__switch_to")));
        Assert.Equal(
            new KprobeResult(-12, "a call's data may take 0 to 1048576 bytes"),
            Kprobes.RegisterKretprobe(new Kretprobe { Kp = { SymbolName = "leaf" }, DataSize = -1 }));
        Assert.Empty(Kprobes.ReturnProbes);
    }

    [Fact]
    public void A_probe_that_is_there_is_refused_with_its_place()
    {
        Kprobe probe = Register(On("frame", 1));
        (probe.SymbolName, probe.Offset) = (null, 0);
        Kretprobe calls = Register(Returning("leaf"));
        calls.Kp.SymbolName = null;

        Assert.Equal(Invalid("this probe is registered already, at frame+0x1"), Kprobes.RegisterKprobe(probe));
        Assert.Equal(Invalid("this probe is registered already, at leaf+0x0"), Kprobes.RegisterKretprobe(calls));
        Assert.Equal((Guest["frame"] + 1, 2), (probe.Addr, Kprobes.Count));
    }

    [Fact]
    public void Lists_of_nothing_and_switches_of_nothing_are_refused()
    {
        Assert.Equal(Invalid("no probes given"), Kprobes.RegisterKprobes([]));
        Assert.Equal(Invalid("no probes given"), Kprobes.RegisterKretprobes([]));
        Assert.Equal(Invalid("the probe is not registered"), Kprobes.DisableKprobe(On("leaf")));
        Assert.Equal(Invalid("the probe is not registered"), Kprobes.EnableKprobe(On("leaf")));
        Assert.Equal(Invalid("the probe is not registered"), Kprobes.DisableKretprobe(Returning("leaf")));
        Assert.Equal(Invalid("the probe is not registered"), Kprobes.EnableKretprobe(Returning("leaf")));
        foreach (int value in (int[])[-1, 2])
        {
            Assert.Equal(Invalid("debug.kprobes-optimization is 0 or 1"), Kprobes.SetOptimization(value));
            Assert.True(Kprobes.IsOptimizationAllowed);
        }

        Assert.Equal((KprobeResult.Success, false), (Kprobes.SetOptimization(0), Kprobes.IsOptimizationAllowed));
        Assert.Equal((KprobeResult.Success, true), (Kprobes.SetOptimization(1), Kprobes.IsOptimizationAllowed));
        Assert.Equal((0, "", true), (KprobeResult.Success.Errno, KprobeResult.Success.Reason, KprobeResult.Success.IsSuccess));
    }

    [Fact]
    public void A_probe_whose_text_is_gone_can_be_disabled_and_not_enabled()
    {
        Kprobe probe = Register(On("leaf"));
        Kprobes.TextGone(Guest["leaf"], Guest["leaf"] + 1);

        Assert.Equal(Invalid("the probed text is gone"), Kprobes.EnableKprobe(probe));
        Assert.Equal(KprobeResult.Success, Kprobes.DisableKprobe(probe));
        Assert.Equal(KprobeStatus.Gone, probe.Flags);
    }

    [Fact]
    public void Of_several_return_probes_none_is_left_where_one_is_refused()
    {
        Kretprobe[] probes = [Returning("leaf"), Returning("third"), Returning("frame", 1), Returning("opt")];

        Assert.Equal(Invalid("frame+0x1 is not a function's entry"), Kprobes.RegisterKretprobes(probes));
        Assert.All(probes, p => Assert.False(p.Kp.IsRegistered));
        Assert.Empty(Kprobes.ReturnProbes);
        Assert.Equal(KprobeResult.Success, Kprobes.RegisterKretprobes([Returning("leaf"), Returning("opt")]));
        Assert.Equal(["leaf", "opt"], Kprobes.ReturnProbes.Select(p => p.Kp.SymbolName));
    }

    [Fact]
    public void Internal_probes_work_and_are_in_no_list_and_no_count()
    {
        int hits = 0;
        Kprobe inner = new()
        {
            SymbolName = "leaf",
            IsInternal = true,
            PreHandler = (_, ref _) =>
            {
                hits++;
                return 0;
            },
        };
        Kretprobe calls = new(isInternal: true) { Kp = { SymbolName = "callrel" }, Handler = (_, ref _) => hits += 10 };
        Register(inner);
        Register(calls);
        Kprobe shared = Register(On("leaf"));
        int open = -1;
        shared.PreHandler = (_, ref _) => (open = Kprobes.OpenCalls) * 0;

        Guest.Call("callrel", 1);

        Assert.Equal((11, 0), (hits, open));
        Assert.Equal(1, Kprobes.Count);
        Assert.Equal([shared], Kprobes.Probes());
        Assert.Empty(Kprobes.ReturnProbes);
        Assert.Single(Kprobes.List().TrimEnd().Split('\n'));
        Assert.Equal([Guest["leaf"]], Guest.Pokes.Select(p => p.Address));
        Kprobes.UnregisterKprobe(shared);
        Assert.Equal(("", 0, 2), (Kprobes.List(), Kprobes.Count, Guest.Pokes.Count));
        Assert.Empty(Kprobes.Probes());
    }

    private static KprobeResult Invalid(string reason) => new(-22, reason);

    private static Kretprobe Returning(string symbol, uint offset = 0) => new() { Kp = { SymbolName = symbol, Offset = offset } };

    private void Define(string name, params byte[] bytes) =>
        Guest.Text.KernelText = (SyntheticGuest.TextBase, Guest.Define(name, bytes) + 16);
}
