using KprobeTrace.Cpu.State;
using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>CHECKLIST rows O as DECISIONS replaces them: optimised means dispatched without raising #BP.</summary>
public sealed class OptimizationRowTests : KprobeRows
{
    [Fact]
    public void O01_probe_with_a_pre_handler_is_optimised_and_runs_once()
    {
        Register(Logged("p", "opt", post: false));

        Assert.Contains("opt+0x0    [OPTIMIZED]", Kprobes.List(), StringComparison.Ordinal);
        Assert.Equal(9UL, Guest.Call("opt", 9));
        Assert.Equal(["p.pre"], Log);
        Assert.Equal(0UL, Guest.Counter(3));
    }

    [Fact]
    public void O04_register_edits_are_live()
    {
        Kprobe probe = On("opt");
        probe.PreHandler = (_, ref registers) =>
        {
            registers.Di = 5;
            return 0;
        };
        Register(probe);

        Assert.Equal(5UL, Guest.Call("opt", 9));
        Assert.True(probe.IsOptimized);
    }

    [Fact]
    public void O05_late_handlers_forbid_optimisation_and_ip_edits_work_either_way()
    {
        Kprobe probe = On("opt");
        probe.PreHandler = (_, ref registers) =>
        {
            (registers.Ax, registers.Ip) = (3, Guest["retonly"]);
            return 1;
        };
        Register(probe);
        Assert.True(probe.IsOptimized);
        Assert.Equal(3UL, Guest.Call("opt", 9));

        probe.PostHandler = (_, ref _, _) => { };
        Assert.False(probe.IsOptimized);
        Assert.Equal(3UL, Guest.Call("opt", 9));

        probe.PostHandler = null;
        probe.FaultHandler = (_, ref _, _) => 0;
        Assert.False(probe.IsOptimized);
    }

    [Theory]
    [InlineData("O06", "jwin3", 0)]
    [InlineData("O06", "jwin5", 0)]
    [InlineData("O08", "ind2", 0)]
    [InlineData("O09", "getu", 0)]
    [InlineData("O10", "leaf", 3)]
    [InlineData("O11", "callrel", 0)]
    [InlineData("O11", "jcc", 2)]
    public void O06_to_O11_window_rules_do_not_apply(string row, string name, uint offset)
    {
        Kprobe probe = Register(Logged(row, name, offset, post: false));

        Assert.True(probe.IsOptimized);
    }

    [Fact]
    public void O13_O14_probe_beside_an_optimised_one_changes_nothing_for_it()
    {
        Kprobe outer = Register(Logged("outer", "opt", post: false));
        Kprobe inner = Register(Logged("inner", "opt", 1));

        Assert.True(outer.IsOptimized);
        Assert.False(inner.IsOptimized);
        Assert.Equal(9UL, Guest.Call("opt", 9));
        Assert.Equal(["outer.pre", "inner.pre", "inner.post"], Log);

        Kprobes.UnregisterKprobe(inner);
        Assert.True(outer.IsOptimized);
    }

    [Fact]
    public void O16_guest_never_sees_a_changed_byte()
    {
        byte[] before = Guest.ReadBytes(Guest["opt"], 10);
        Kprobe probe = Register(Logged("p", "opt", post: false));

        Assert.Equal(before, Guest.ReadBytes(Guest["opt"], 10));

        Kprobes.UnregisterKprobe(probe);
        Assert.Equal(before, Guest.ReadBytes(Guest["opt"], 10));
        Assert.Equal(0x55, Guest.FetchByte(Guest["opt"]));
    }

    [Fact]
    public void O17_switch_of_optimisation()
    {
        Kprobe probe = Register(Logged("p", "opt", post: false));

        Assert.True(Kprobes.SetOptimization(0).IsSuccess);
        Assert.False(probe.IsOptimized);
        Assert.Equal(9UL, Guest.Call("opt", 9));
        Assert.Equal(["p.pre"], Log);

        Assert.True(Kprobes.SetOptimization(1).IsSuccess);
        Assert.True(probe.IsOptimized);
        Assert.Equal(-22, Kprobes.SetOptimization(2).Errno);
        Assert.True(Kprobes.IsOptimizationAllowed);
    }

    [Fact]
    public void O18_probe_registered_while_optimisation_is_off_stays_unoptimised()
    {
        Kprobes.SetOptimization(0);
        Assert.False(Register(Logged("p", "opt", post: false)).IsOptimized);
    }

    [Fact]
    public void O19_relative_operands_read_the_right_word_when_optimised()
    {
        Assert.True(Register(Logged("p", "rip", post: false)).IsOptimized);
        Assert.Equal(0x1234UL, Guest.Call("rip"));
    }

    [Fact]
    public void O20_flag_edits_are_live_when_optimised()
    {
        Kprobe probe = On("jcc", 2);
        probe.PreHandler = (_, ref registers) =>
        {
            registers.Flags ^= Rflags.ZF;
            return 0;
        };
        Assert.True(Register(probe).IsOptimized);

        Assert.Equal(0UL, Guest.Call("jcc", 0));
        Assert.Equal(7UL, Guest.Call("jcc", 1));
    }

    [Fact]
    public void Disabled_probe_and_global_switch_are_not_optimised()
    {
        Kprobe probe = Register(Logged("p", "opt", post: false));
        Kprobes.DisableKprobe(probe);
        Assert.False(probe.IsOptimized);

        Kprobes.EnableKprobe(probe);
        Assert.True(probe.IsOptimized);

        Kprobes.SetEnabled(false);
        Assert.False(probe.IsOptimized);
    }
}
