using System.Buffers.Binary;
using KprobeTrace.Cpu;
using KprobeTrace.Kprobes;
using Xunit;

namespace KprobeTrace.Tests.Kprobes;

/// <summary>CHECKLIST rows K, the pool and trampoline rows as DECISIONS replaces them.</summary>
public sealed class ReturnProbeRowTests : KprobeRows
{
    [Fact]
    public void K01_entry_comes_before_return_which_sees_the_value()
    {
        ulong value = 0;
        bool inHandler = false;
        Register(Returning("third", r => (value, inHandler) = (r.Ax, Kprobes.Handler.IsInHandler(0))));

        Assert.Equal(3UL, Guest.Call("third", 10));

        Assert.Equal(["third.entry", "third.return"], Log);
        Assert.Equal(3UL, value);
        Assert.True(inHandler);
    }

    [Fact]
    public void K02_middle_of_a_function_is_refused()
    {
        KprobeResult result = Kprobes.RegisterKretprobe(
            new Kretprobe { Kp = { SymbolName = "frame", Offset = 1 } });

        Assert.Equal(-22, result.Errno);
        Assert.NotEmpty(result.Reason);
    }

    [Fact]
    public void K02_address_and_symbol_or_neither_is_refused()
    {
        Assert.Equal(-22, Kprobes.RegisterKretprobe(new Kretprobe()).Errno);
        Assert.Equal(-22, Kprobes.RegisterKretprobe(
            new Kretprobe { Kp = { SymbolName = "leaf", Addr = Guest["leaf"] } }).Errno);
    }

    [Fact]
    public void K03_unknown_symbol_is_not_found() =>
        Assert.Equal(-2, Kprobes.RegisterKretprobe(new Kretprobe { Kp = { SymbolName = "nosuch" } }).Errno);

    [Fact]
    public void K04_switch_to_is_refused_for_return_probes_only()
    {
        Guest.Text.KernelText = (SyntheticGuest.TextBase, Guest.Define("__switch_to", 0x90, 0xC3) + 16);

        Assert.Equal(-22, Kprobes.RegisterKretprobe(new Kretprobe { Kp = { SymbolName = "__switch_to" } }).Errno);
        Register(On("__switch_to"));

        Kprobes.AllowBlacklisted = true;
        Register(new Kretprobe { Kp = { SymbolName = "__switch_to" } });
    }

    [Fact]
    public void K04_blacklist_holds_for_return_probes() =>
        Assert.Equal(-22, Kprobes.RegisterKretprobe(new Kretprobe { Kp = { SymbolName = "nokp" } }).Errno);

    [Fact]
    public void K05_maxactive_is_filled_in()
    {
        Kretprobe probe = Register(new Kretprobe { Kp = { SymbolName = "leaf" } });
        Assert.Equal(10, probe.MaxActive);

        Assert.Equal(3, Register(new Kretprobe { Kp = { SymbolName = "frame" }, MaxActive = 3 }).MaxActive);
    }

    [Fact]
    public void K06_K07_maxactive_never_limits()
    {
        Kretprobe probe = Returning("rec");
        probe.MaxActive = 3;
        Register(probe);

        Assert.Equal(9UL, Guest.Call("rec", 9));

        Assert.Equal(10, Log.Count(l => l == "rec.entry"));
        Assert.Equal(10, Log.Count(l => l == "rec.return"));
        Assert.Equal((0UL, 0UL, 10UL, 0), (probe.NMissed, probe.Kp.NMissed, probe.Returns, probe.Open));
    }

    [Fact]
    public void K08_entry_handler_can_forget_the_call()
    {
        Kretprobe probe = new()
        {
            Kp = { SymbolName = "leaf" },
            MaxActive = 1,
            EntryHandler = (_, ref _) => 1,
            Handler = (_, ref _) => throw new InvalidOperationException("the call was forgotten"),
        };
        Register(probe);

        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(4UL, Guest.Call("leaf", 1));
        }

        Assert.Equal((0UL, 0UL, 0, 5UL), (probe.NMissed, probe.Returns, probe.Open, probe.Kp.Hits));
    }

    [Fact]
    public void K09_stack_holds_the_real_return_address_throughout()
    {
        ulong onStack = 0;
        Register(Returning("leaf"));
        Kprobe inside = On("leaf", 3);
        inside.PreHandler = (_, ref registers) =>
        {
            onStack = Guest.ReadWord(registers.Sp);
            return 0;
        };
        Register(inside);

        Guest.Call("leaf", 1);

        Assert.Equal(Guest["callr11"] + 3, onStack);
    }

    [Fact]
    public void K11_return_value_can_be_changed()
    {
        Register(new Kretprobe
        {
            Kp = { SymbolName = "leaf" },
            Handler = (_, ref registers) =>
            {
                registers.Ax = 42;
                return 0;
            },
        });

        Assert.Equal(43UL, Guest.Call("callrel", 1));
    }

    [Fact]
    public void K12_value_of_the_handler_means_nothing()
    {
        Register(new Kretprobe { Kp = { SymbolName = "leaf" }, Handler = (_, ref _) => 1 });
        Assert.Equal(5UL, Guest.Call("callrel", 1));
    }

    [Fact]
    public void K12_edits_of_ip_and_sp_are_lost()
    {
        Register(new Kretprobe
        {
            Kp = { SymbolName = "leaf" },
            Handler = (_, ref registers) =>
            {
                (registers.Ip, registers.Sp) = (0, 0);
                return 0;
            },
        });

        Assert.Equal(5UL, Guest.Call("callrel", 1));
    }

    [Fact]
    public void K15_every_call_has_its_own_data()
    {
        List<ulong> values = [];
        Register(new Kretprobe
        {
            Kp = { SymbolName = "rec" },
            DataSize = 8,
            EntryHandler = (call, ref registers) =>
            {
                Assert.Equal(0UL, BinaryPrimitives.ReadUInt64LittleEndian(call.Data));
                BinaryPrimitives.WriteUInt64LittleEndian(call.Data, registers.Di);
                return 0;
            },
            Handler = (call, ref _) =>
            {
                values.Add(BinaryPrimitives.ReadUInt64LittleEndian(call.Data));
                return 0;
            },
        });

        Guest.Call("rec", 5);

        Assert.Equal([0, 1, 2, 3, 4, 5], values);
    }

    [Fact]
    public void K15_data_size_out_of_range_is_refused()
    {
        Assert.Equal(-12, Kprobes.RegisterKretprobe(
            new Kretprobe { Kp = { SymbolName = "leaf" }, DataSize = -1 }).Errno);
        Assert.Equal(-12, Kprobes.RegisterKretprobe(
            new Kretprobe { Kp = { SymbolName = "leaf" }, DataSize = int.MaxValue }).Errno);
    }

    [Fact]
    public void K16_calls_of_a_task_that_exits_are_abandoned()
    {
        Kretprobe probe = Register(Returning("rec"));
        EnterOnly("rec");
        Assert.Equal(1, probe.Open);
        Assert.Equal(1, Kprobes.OpenCalls);

        Kprobes.TaskExited(Guest.Context.CurrentTask);

        Assert.Equal((0, 1UL, 0), (probe.Open, probe.Abandoned, Kprobes.OpenCalls));
    }

    [Fact]
    public void K16_call_unwound_past_is_abandoned_by_the_next_entry_above_it()
    {
        Kretprobe probe = Register(Returning("leaf"));
        EnterOnly("leaf", depth: 256);

        Guest.Call("leaf", 1);

        Assert.Equal((0, 1UL, 1UL), (probe.Open, probe.Abandoned, probe.Returns));
    }

    [Fact]
    public void K16_stack_slot_reused_by_another_task_belongs_to_that_task()
    {
        Kretprobe probe = Register(Returning("leaf"));
        EnterOnly("leaf");

        Guest.Context.CurrentTask = 0x2000;
        Guest.Call("leaf", 1);

        Assert.Equal((0, 1UL, 1UL), (probe.Open, probe.Abandoned, probe.Returns));
    }

    [Fact]
    public void K17_nested_functions_pair_up()
    {
        List<string> pairs = [];
        foreach (string name in new[] { "nested", "third", "leaf" })
        {
            Kretprobe probe = Returning(name);
            probe.Handler = (call, ref registers) =>
            {
                pairs.Add($"{name} {call.RetAddr - Guest[name == "nested" ? "callr11" : "nested"]:x} {registers.Ax}");
                Assert.Equal(call.RetAddr, registers.Ip);
                Assert.Equal(call.Frame + 8, registers.Sp);
                return 0;
            };
            Register(probe);
        }

        Assert.Equal(15UL, Guest.Call("nested", 9));

        Assert.Equal(["third 6 3", "leaf d 12", "nested 3 15"], pairs);
    }

    [Fact]
    public void K17_tail_called_function_returns_with_its_caller()
    {
        Register(Returning("tail"));
        Register(Returning("leaf"));

        Assert.Equal(5UL, Guest.Call("tail", 1));

        Assert.Equal(["tail.entry", "leaf.entry", "leaf.return", "tail.return"], Log);
    }

    [Fact]
    public void K17_several_return_probes_fire_oldest_registered_first()
    {
        Register(Returning("leaf", name: "old"));
        Register(Returning("leaf", name: "new"));

        Guest.Call("leaf", 1);

        Assert.Equal(["new.entry", "old.entry", "old.return", "new.return"], Log);
    }

    [Fact]
    public void K17_function_that_pops_its_arguments_returns_too()
    {
        Kretprobe probe = Register(Returning("retimm"));

        Assert.Equal(5UL, Guest.Call("callretimm", 5));

        Assert.Equal((1UL, 0), (probe.Returns, probe.Open));
    }

    [Fact]
    public void K18_return_on_another_stack_of_the_same_address_is_not_taken()
    {
        Kretprobe probe = Register(Returning("leaf"));
        EnterOnly("leaf", depth: 16);

        // The same return address reached with a stack pointer that belongs to no open call.
        Guest.Prepare();
        Guest.SetRip(Guest["callr11"] + 3);
        Guest.Run();

        Assert.Equal((1, 0UL), (probe.Open, probe.Returns));
    }

    [Fact]
    public void Entry_without_a_return_address_is_counted_and_makes_no_call()
    {
        Kretprobe probe = Register(Returning("leaf"));
        Guest.Prepare(1);
        Guest.WriteWord(SyntheticGuest.StackTop - 64, 0x1234);
        Guest.SetRip(Guest["leaf"]);
        Guest.Processor.SingleStep();

        Assert.Equal((1UL, 0, 1UL), (probe.NoReturnAddress, probe.Open, probe.Kp.Hits));
        Assert.Empty(Log);
    }

    [Fact]
    public void Entry_whose_return_address_follows_no_call_makes_no_call()
    {
        Kretprobe probe = Register(Returning("leaf"));
        Guest.Prepare(1);
        Guest.WriteWord(SyntheticGuest.StackTop - 64, Guest["frame"]);
        Guest.SetRip(Guest["leaf"]);
        Guest.Processor.SingleStep();

        Assert.Equal((1UL, 0), (probe.NoReturnAddress, probe.Open));
    }

    [Fact]
    public void Tail_called_function_returns_to_the_trampoline_of_the_guests_own_return_probe_on_its_caller()
    {
        // hook keeps its return address, puts the trampoline's in its place and jumps to leaf with an argument one higher.
        const ulong kept = SyntheticGuest.Global + 0x300;
        Guest.Define("trampoline", [0x49, 0xBB, .. BitConverter.GetBytes(kept), 0x41, 0xFF, 0x33, 0xC3]);
        Guest.Define("hook",
        [
            0x58, 0x49, 0xBB, .. BitConverter.GetBytes(kept), 0x49, 0x89, 0x03,
            0x48, 0xB8, .. BitConverter.GetBytes(Guest["trampoline"]), 0x50,
            0xFF, 0xC7, 0x49, 0xBB, .. BitConverter.GetBytes(Guest["leaf"]), 0x41, 0xFF, 0xE3,
        ]);
        Guest.Text.KernelText = (SyntheticGuest.TextBase, Guest["hook"] + 64);
        Guest.Text.ReturnTrampolines.Add(Guest["trampoline"]);
        Kretprobe hook = Register(Returning("hook"));
        Kretprobe leaf = Register(Returning("leaf"));

        Assert.Equal(5UL, Guest.Call("hook", 1));

        Assert.Equal(["hook.entry", "leaf.entry", "leaf.return", "hook.return"], Log);
        Assert.Equal((0UL, 0UL, 0UL, 0UL), (hook.NoReturnAddress, hook.Abandoned, leaf.NoReturnAddress, leaf.Abandoned));
    }

    [Fact]
    public void Call_that_the_guest_has_put_its_own_int3_on_still_tells_a_return_address()
    {
        Kretprobe probe = Register(Returning("leaf"));
        Guest.Write(Guest["callrel"], 0xCC);
        Guest.Prepare(1);
        Guest.PushReturn(Guest["callrel"] + 5, 0);
        Guest.SetRip(Guest["leaf"]);
        Guest.Processor.SingleStep();

        Assert.Equal((0UL, 1), (probe.NoReturnAddress, probe.Open));
    }

    [Fact]
    public void P11_disabling_stops_new_calls_and_lets_open_ones_return()
    {
        Kretprobe probe = Register(Returning("leaf"));
        Kprobe inside = On("leaf", 3);
        inside.PreHandler = (_, ref _) =>
        {
            Kprobes.DisableKretprobe(probe);
            return 0;
        };
        Register(inside);

        Guest.Call("leaf", 1);
        Guest.Call("leaf", 1);

        Assert.Equal(["leaf.entry", "leaf.return"], Log);
    }

    [Fact]
    public void P11_unregistering_drops_open_calls()
    {
        Kretprobe probe = Register(Returning("leaf"));
        Kprobe inside = On("leaf", 3);
        inside.PreHandler = (_, ref _) =>
        {
            Kprobes.UnregisterKretprobe(probe);
            return 0;
        };
        Register(inside);

        Assert.Equal(4UL, Guest.Call("leaf", 1));

        Assert.Equal(["leaf.entry"], Log);
        Assert.Equal((0, 0), (probe.Open, Kprobes.OpenCalls));
        Assert.Empty(Kprobes.ReturnProbes);
        Assert.Equal(0xF4, Guest.FetchByte(Guest["callr11"] + 3));
    }

    [Theory]
    [InlineData("unregister")]
    [InlineData("unregister and register anew")]
    [InlineData("its text goes")]
    public void P11_call_entered_under_a_registration_that_its_own_entry_handler_ended_is_not_followed(string how)
    {
        Kretprobe probe = Returning("leaf");
        probe.EntryHandler = (_, ref _) =>
        {
            Log.Add("leaf.entry");
            if (how == "its text goes")
            {
                Kprobes.TextGone(Guest["leaf"], Guest["leaf"] + 1);
                return 0;
            }

            Kprobes.UnregisterKretprobe(probe);
            if (how == "unregister and register anew")
            {
                probe.Kp.Addr = 0;
                probe.Kp.Flags = KprobeStatus.None;
                Register(probe);
            }

            return 0;
        };
        Register(probe);

        Assert.Equal(4UL, Guest.Call("leaf", 1));

        Assert.Equal(["leaf.entry"], Log);
        Assert.Equal((0, 0UL), (probe.Open, probe.Returns));
    }

    [Fact]
    public void P11_return_handler_that_takes_the_next_one_out_is_the_last_to_run()
    {
        Kretprobe second = Returning("leaf", name: "second");
        Kretprobe first = Register(Returning("leaf", _ => Kprobes.UnregisterKretprobe(second), "first"));
        Register(second);

        Assert.Equal(4UL, Guest.Call("leaf", 1));

        Assert.Equal(["second.entry", "first.entry", "first.return"], Log);
        Assert.Equal((0, 0), (first.Open, second.Open));
    }

    [Fact]
    public void Return_probe_is_listed_with_an_r()
    {
        Register(Returning("leaf"));
        Assert.Equal($"{Guest["leaf"]:x16}  r  leaf+0x0    [OPTIMIZED]\n", Kprobes.List());
    }

    private Kretprobe Returning(string symbol, Action<PtRegs>? seen = null, string? name = null) => new()
    {
        Kp = { SymbolName = symbol },
        EntryHandler = (_, ref _) =>
        {
            Log.Add($"{name ?? symbol}.entry");
            return 0;
        },
        Handler = (_, ref registers) =>
        {
            Log.Add($"{name ?? symbol}.return");
            seen?.Invoke(registers);
            return 0;
        },
    };

    /// <summary>Enters a function, executes one instruction of it, and leaves it there.</summary>
    private void EnterOnly(string name, ulong depth = 0)
    {
        Guest.Prepare(1);
        Guest.PushReturn(Guest["callr11"] + 3, depth);
        Guest.SetRip(Guest[name]);
        Guest.Processor.SingleStep();
    }
}
