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
