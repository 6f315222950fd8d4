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
        Assert.False(probe.IsRegistered);
        Assert.Empty(Kprobes.List());
        Kprobe second = Logged("q", "tmod:tmod_fn", post: false);
        _modules.Add("tmod", second);
        Load();
        Guest.Call("tmod:tmod_fn", 1);

        Assert.Equal(["p.pre", "q.pre", "p.pre"], Log);
        Assert.Equal(2UL, probe.Hits);
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
        _modules.ModuleGone("tmod");
        Guest.Text.IsModuleLoaded = false;
    }
}
