using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>CHECKLIST rows G: several probes at one address.</summary>
public sealed class AggregationRowTests : KprobeRows
{
    private readonly Kprobe _p1;
    private readonly Kprobe _p2;
    private readonly Kprobe _p3;

    public AggregationRowTests()
    {
        _p1 = Register(Logged("p1", "leaf"));
        _p2 = Register(Logged("p2", "leaf"));
        _p3 = Register(Logged("p3", "leaf"));
    }

    [Fact]
    public void G01_all_run_newest_first_and_one_breakpoint_serves_them()
    {
        Assert.Equal(4UL, Guest.Call("leaf", 1));

        Assert.Equal(["p3.pre", "p2.pre", "p1.pre", "p3.post", "p2.post", "p1.post"], Log);
        Assert.Single(Guest.Pokes);
        Assert.Equal(1, Kprobes.Count);
    }

    [Fact]
    public void G03_nonzero_return_stops_the_walk_and_all_posts()
    {
        _p2.PreHandler = (_, ref registers) =>
        {
            Log.Add("p2.pre");
            registers.Ip = Guest["retonly"];
            return 1;
        };

        Guest.Call("leaf", 1);

        Assert.Equal(["p3.pre", "p2.pre"], Log);
    }

    [Fact]
    public void G04_disabled_probe_is_skipped_and_the_breakpoint_stays()
    {
        Assert.True(Kprobes.DisableKprobe(_p2).IsSuccess);

        Guest.Call("leaf", 1);

        Assert.Equal(["p3.pre", "p1.pre", "p3.post", "p1.post"], Log);
        Assert.Equal(0xCC, Guest.FetchByte(Guest["leaf"]));
    }

    [Fact]
    public void G05_disabling_all_takes_the_breakpoint_and_enabling_one_brings_it_back()
    {
        Kprobes.DisableKprobe(_p1);
        Kprobes.DisableKprobe(_p2);
        Kprobes.DisableKprobe(_p3);
        Assert.Equal(0x8D, Guest.FetchByte(Guest["leaf"]));
        Assert.Equal(4UL, Guest.Call("leaf", 1));
        Assert.Empty(Log);

        Kprobes.EnableKprobe(_p1);
        Assert.Equal(0xCC, Guest.FetchByte(Guest["leaf"]));
        Guest.Call("leaf", 1);
        Assert.Equal(["p1.pre", "p1.post"], Log);
    }

    [Fact]
    public void G07_unregistering_one_leaves_the_others()
    {
        Kprobes.UnregisterKprobe(_p2);

        Guest.Call("leaf", 1);

        Assert.Equal(["p3.pre", "p1.pre", "p3.post", "p1.post"], Log);
        Assert.Equal(0xCC, Guest.FetchByte(Guest["leaf"]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void G08_unregistering_all_in_either_order_restores_everything(bool reverse)
    {
        Kprobe[] probes = reverse ? [_p3, _p2, _p1] : [_p1, _p2, _p3];
        foreach (Kprobe probe in probes)
        {
            Kprobes.UnregisterKprobe(probe);
        }

        Assert.Equal(0x8D, Guest.FetchByte(Guest["leaf"]));
        Assert.Empty(Kprobes.List());
        Assert.Equal(0, Kprobes.Count);
    }

    [Fact]
    public void G09_handlers_get_their_own_probe()
    {
        List<Kprobe> seen = [];
        foreach (Kprobe probe in new[] { _p1, _p2, _p3 })
        {
            probe.PreHandler = (p, ref _) =>
            {
                seen.Add(p);
                return 0;
            };
        }

        Guest.Call("leaf", 1);

        Assert.Equal([_p3, _p2, _p1], seen);
    }

    [Fact]
    public void G11_removing_the_last_post_handler_optimises_again()
    {
        Kprobe plain = Register(Logged("plain", "opt", post: false));
        Kprobe late = Register(Logged("late", "opt"));
        Assert.False(plain.IsOptimized);

        Kprobes.UnregisterKprobe(late);

        Assert.True(plain.IsOptimized);
        Assert.Contains("opt+0x0    [OPTIMIZED]", Kprobes.List(), StringComparison.Ordinal);
    }

    [Fact]
    public void G13_probe_and_return_probe_at_one_entry_both_fire()
    {
        Kretprobe probe = new() { Kp = { SymbolName = "leaf" }, Handler = (_, ref _) => Note("ret") };
        Register(probe);

        Assert.Equal(4UL, Guest.Call("leaf", 1));

        Assert.Equal(["p3.pre", "p2.pre", "p1.pre", "p3.post", "p2.post", "p1.post", "ret"], Log);
    }

    [Fact]
    public void G14_address_can_be_registered_again_at_once()
    {
        foreach (Kprobe probe in new[] { _p1, _p2, _p3 })
        {
            Kprobes.UnregisterKprobe(probe);
        }

        Register(Logged("again", "leaf", post: false));
        Guest.Call("leaf", 1);

        Assert.Equal(["again.pre"], Log);
        Assert.Equal(1, Kprobes.Count);
    }

    [Fact]
    public void Enabled_probe_wakes_an_address_whose_probes_are_disabled()
    {
        Kprobe silent = Logged("silent", "opt", post: false);
        silent.Flags = KprobeStatus.Disabled;
        Register(silent);
        Assert.Equal(0x55, Guest.FetchByte(Guest["opt"]));

        Register(Logged("loud", "opt", post: false));
        Guest.Call("opt", 1);

        Assert.Equal(["loud.pre"], Log);
    }

    [Fact]
    public void Handler_may_unregister_its_own_probe()
    {
        _p3.PreHandler = (p, ref _) =>
        {
            Kprobes.UnregisterKprobe(p);
            return Note("p3.pre");
        };

        Guest.Call("leaf", 1);
        Guest.Call("leaf", 1);

        Assert.Equal(["p3.pre", "p2.pre", "p1.pre", "p2.post", "p1.post", "p2.pre", "p1.pre", "p2.post", "p1.post"], Log);
    }

    private int Note(string text)
    {
        Log.Add(text);
        return 0;
    }
}
