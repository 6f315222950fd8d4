using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>CHECKLIST row E08 and FACTS M6: probes on modules survive the module.</summary>
public sealed class ModuleProbesTests : KprobeRows
{
    private readonly ModuleProbes _modules;

    public ModuleProbesTests()
    {
        _modules = new ModuleProbes(Kprobes);
        Guest.Text.IsModuleLoaded = false;
    }

    [Fact]
    public void E08_probe_is_registered_when_its_module_comes_and_again_when_it_comes_back()
    {
        Kprobe probe = Logged("p", "tmod:tmod_fn", post: false);
        Assert.Equal(-2, Kprobes.RegisterKprobe(probe).Errno);
        _modules.Add("tmod", probe);

        Load();
        Guest.Call("tmod:tmod_fn", 1);
        Unload();
        Assert.Equal($"{SyntheticGuest.ModuleBase:x16}  k  0x{SyntheticGuest.ModuleBase:x} [GONE]\n", Kprobes.List());
        Kprobe second = Logged("q", "tmod:tmod_fn", post: false);
        _modules.Add("tmod", second);
        Load();
        Guest.Call("tmod:tmod_fn", 1);

        Assert.Equal(["p.pre", "q.pre", "p.pre"], Log);
        Assert.Equal(2UL, probe.Hits);
        Assert.False(probe.Flags.HasFlag(KprobeStatus.Gone));
        Assert.DoesNotContain("[GONE]", Kprobes.List(), StringComparison.Ordinal);
    }

    [Fact]
    public void E08_return_probe_counts_on_when_its_module_comes_back()
    {
        Kretprobe probe = new() { Kp = { SymbolName = "tmod:tmod_fn" } };
        _modules.Add("tmod", probe);
        Load();
        Guest.Call("tmod:tmod_fn", 1);
        Unload();
        Load();
        Guest.Call("tmod:tmod_fn", 1);

        Assert.Equal((2UL, 2UL), (probe.Returns, probe.Kp.Hits));
    }

    [Fact]
    public void E08_probe_whose_preparation_fails_is_not_registered()
    {
        List<KprobeResult> results = [];
        _modules.Registered += (_, result) => results.Add(result);
        Kprobe probe = On("tmod:tmod_fn");
        _modules.Add("tmod", probe, () => new KprobeResult(KprobeErrno.NoEntry, "no symbol data"));

        Load();

        Assert.Equal("no symbol data", Assert.Single(results).Reason);
        Assert.False(probe.IsRegistered);
    }

    [Fact]
    public void E08_registration_needs_nobody_who_listens()
    {
        Kprobe probe = On("tmod:tmod_fn");
        _modules.Add("tmod", probe);

        Load();

        Assert.True(probe.IsRegistered);
    }

    [Fact]
    public void E08_return_probe_waits_as_well()
    {
        Kretprobe probe = new() { Kp = { SymbolName = "tmod:tmod_fn" } };
        _modules.Add("tmod", probe);

        Load();
        Guest.Call("tmod:tmod_fn", 1);

        Assert.Equal(1UL, probe.Returns);
    }

    [Fact]
    public void E08_refusal_is_reported_when_the_module_comes()
    {
        List<KprobeResult> results = [];
        _modules.Registered += (_, result) => results.Add(result);
        _modules.Add("tmod", On("tmod:nosuch"));
        _modules.Add("other", On("other:fn"));

        Load();

        Assert.Equal(-2, Assert.Single(results).Errno);
    }

    [Fact]
    public void E08_what_a_return_probe_counted_goes_on_and_what_it_was_told_holds_again()
    {
        List<string> told = [];
        _modules.Registered += (p, result) => told.Add($"{p.SymbolName} {result.Errno} {p.Hits}");
        Kretprobe calls = new() { Kp = { SymbolName = "tmod:tmod_fn", Flags = KprobeStatus.Disabled } };
        int prepared = 0;
        _modules.Add("tmod", calls, () => ++prepared == 3 ? new KprobeResult(-5, "no") : KprobeResult.Success);
        Load();
        Assert.Equal((KprobeStatus.Disabled, SyntheticGuest.ModuleBase), (calls.Kp.Flags, calls.Kp.Addr));
        Kprobes.EnableKretprobe(calls);
        (calls.Returns, calls.NoReturnAddress, calls.Abandoned, calls.Kp.Hits) = (3, 4, 5, 6);
        Unload();

        Load();

        Assert.Equal((3UL, 4UL, 5UL, 6UL), (calls.Returns, calls.NoReturnAddress, calls.Abandoned, calls.Kp.Hits));
        Assert.Equal((KprobeStatus.Disabled, true, 2), (calls.Kp.Flags, calls.Kp.IsRegistered, prepared));

        // A module that is told of twice is there already.
        Load();
        Assert.Equal(2, prepared);
        Unload();
        Load();
        Assert.Equal((false, 0UL, 3UL), (calls.Kp.IsRegistered, calls.Kp.Addr, calls.Returns));
        Assert.Equal(["tmod:tmod_fn 0 0", "tmod:tmod_fn 0 6", "tmod:tmod_fn -5 6"], told);
        Load();
        Assert.True(calls.Kp.IsRegistered);
    }

    [Fact]
    public void E08_disabled_probe_is_disabled_again_and_one_taken_back_stays_away()
    {
        Kprobe kept = On("tmod:tmod_fn");
        kept.Flags = KprobeStatus.Disabled;
        Kprobe taken = On("tmod:tmod_fn", 3);
        Kretprobe calls = new() { Kp = { SymbolName = "tmod:tmod_fn" } };
        int prepared = 0;
        _modules.Add("tmod", kept, () => ++prepared < 3 ? KprobeResult.Success : KprobeResult.Invalid("enough"));
        _modules.Add("tmod", taken);
        _modules.Add("tmod", calls);
        Load();
        Assert.Equal((true, true, true), (kept.IsRegistered, taken.IsRegistered, calls.Kp.IsRegistered));
        Kprobes.EnableKprobe(kept);
        Unload();
        _modules.Remove(taken);
        _modules.Remove(calls.Kp);
        Assert.True(taken.IsRegistered);

        Load();

        Assert.Equal(KprobeStatus.Disabled, kept.Flags);
        Assert.Equal((KprobeStatus.Gone, KprobeStatus.Gone), (taken.Flags, calls.Kp.Flags));
        Unload();
        Load();
        Assert.False(kept.IsRegistered);
    }

    private void Load()
    {
        Guest.Text.IsModuleLoaded = true;
        _modules.ModuleComing("tmod");
    }

    private void Unload()
    {
        Kprobes.TextGone(SyntheticGuest.ModuleBase, SyntheticGuest.ModuleBase + 0x1000);
        Guest.Text.IsModuleLoaded = false;
    }
}
